"""Whatever happens to a run, its ledger is right: by call, by decision, by player, in all, on record and in memory."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.duel import Duel, Ending
from orchestrator.events import Events
from orchestrator.record.check import check_money
from orchestrator.record.store import Record
from orchestrator.request import DuelRequest
from providers.base import Capabilities, Final, Reply, Request, Retryable, Usage
from providers.prices import cost
from tests.orchestrator.duels import Invited, play, request
from tests.orchestrator.scripted import PRICE, model

CALM = (0.75, 0.95, 0.99)  # up to here a call is answered, is retryable, and not; else trouble stops the run


class Chancy:
    """Answers, fails and dawdles as dice decide, and keeps its own books: what it billed."""

    name = "scripted"

    def __init__(self, rng: random.Random, calm: tuple[float, float, float] = CALM) -> None:
        self.rng, self.calm = rng, calm
        self.billed = 0

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(seed=True)

    async def complete(self, request: Request) -> Reply:
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)
        draw = self.rng.random()
        tier = "standard" if self.rng.random() < 0.95 else "priority"  # which nobody asked for
        output = int(request.max_output_tokens * self.rng.random() ** 3)
        used = Usage(self.rng.randrange(200), output=output, tier=tier)
        answered, retryable, final = self.calm
        if draw < answered:
            self.billed += cost(PRICE, used)
            finish = "length" if self.rng.random() < 0.05 else "stop"
            return Reply(self._text(request), used, finish)
        if draw < retryable:
            possibly = self.rng.random() < 0.5
            self.billed += cost(PRICE, used) if possibly and self.rng.random() < 0.5 else 0
            kind = self.rng.choice(["rate_limit", "server", "timeout", "connection", "protocol"])
            raise Retryable(kind, "dice", possibly_billed=possibly)
        raise Final("bad_request" if draw < final else "quota", "dice")

    def _text(self, request: Request) -> str:
        if request.choices is None or self.rng.random() < 0.15:
            return self.rng.choice(["", "no move", '{"action": 99}'])
        return json.dumps({"rationale": "dice", "action": self.rng.choice(request.choices)[0]})

    async def aclose(self) -> None:
        return None


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_chain_of_faults_stops_and_resumes_makes_the_ledger_wrong(seed) -> None:
    rng, provider = random.Random(seed), Chancy(random.Random(seed))
    asked = request("0", "bot:random", pairs=rng.randrange(1, 12), max_voids=rng.choice((0.25, 1.0)))
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(4):
            wall = rng.choice(((), (str(rng.randrange(1, 60) / 100),), ("one=0.2", "0.3")))
            now = replace(asked, max_cost=wall, preflight=rng.random() < 0.3)
            ending = once(Path(directory), now, provider, rng)
            assert not check_money(Path(directory))
            assert ending.bug is None, ending.reason


def once(directory: Path, asked: DuelRequest, provider: Chancy, rng: random.Random) -> Ending:
    """Play on until the end, or until some decision at which the run is stopped, or given up."""
    how, when = rng.choice(("play", "stop", "abandon")), rng.randrange(1, 40)

    async def go() -> Ending:
        decisions = 0

        def listen(event) -> None:
            nonlocal decisions
            decisions += event["type"] == "decision"
            if decisions == when and how != "play":
                asyncio.get_running_loop().call_soon(duel.stop if how == "stop" else duel.abandon)

        with Record(directory) as record:
            duel = Duel(
                replace(asked, concurrency=rng.choice((1, 4, 16))),
                record,
                Invited(model(provider)),
                Events(listen),
            )
            before = duel.budget.spent()
            ending = await duel.play()
            spent = record.spent().get(1, 0)
        budget = duel.budget
        assert provider.billed <= spent, "what was billed is on record"
        if how == "abandon":
            assert budget.spent() <= spent <= budget.spent() + budget.reserved()
        else:
            assert spent == budget.spent() == budget.spent(1)
        assert budget.reserved() == 0 or ending.reason, "what is held back by a stop has its room still"
        walls = budget.walls.values()
        assert spent == before or all(spent <= wall for wall in walls)
        return ending

    return asyncio.run(go())


def test_what_is_asked_before_any_match_is_on_the_bill_of_the_run_and_of_no_board(tmp_path) -> None:
    provider = Chancy(random.Random(1), calm=(1.0, 1.0, 1.0))
    players = Invited(model(provider))
    ending, result = play(tmp_path, request("0", "bot:random", preflight=True, max_cost=("0.02",)), players)
    assert ending.walled and not result.finished, "one tiny call, and no room for another"
    assert result.standings[0].calls == 1 and result.standings[0].cost_pico == provider.billed > 0
    assert result.boards[0].standings[0].calls == 0
    assert not check_money(tmp_path)
