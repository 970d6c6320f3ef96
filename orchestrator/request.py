"""What was asked of a duel: read before anything is made, kept whole in the record, compared when it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import engine
from orchestrator.model import Conduct
from orchestrator.record.database import RecordError
from orchestrator.record.store import RECORD_FILE, Record
from orchestrator.table import Spec
from providers.prices import PriceBook

DEFAULT_GAME = "connect4"


@dataclass(frozen=True, slots=True)
class DuelRequest:
    """What was asked, whole: written to the record, so that `--resume` needs nothing else.

    `players` are canonical specs: an alias that points elsewhere next month changes no run. The last two
    fields say how it is played and may differ when it goes on.
    """

    players: tuple[str, ...]
    game: str = DEFAULT_GAME
    variant: Mapping[str, int] = field(default_factory=dict)
    pairs: int = 5
    seed: int = 0
    opening: int = 0  # plies drawn from the pair's seed before the players begin
    conduct: Conduct = field(default_factory=Conduct)
    price: str | None = None
    unpriced: bool = False
    concurrency: int = 8
    attempts: int = 5
    walls: Mapping[str, int] = field(
        default_factory=dict
    )  # pico-dollars, by player's number; "0" is the run's
    max_voids: float = 0.25  # the share of matches that may be void before the run stops itself
    limits: tuple[str, ...] = ()  # of a service, as given by hand
    cassette: str | None = None  # where calls are taped
    preflight: bool = False

    HOW = ("concurrency", "attempts", "walls", "max_voids", "limits", "cassette", "preflight")

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for name, least in (("pairs", 1), ("opening", 0), ("concurrency", 1), ("attempts", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: expected {least} or more")

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> DuelRequest:
        """Raises RecordError for what no version of this wrote."""
        try:
            conduct = Conduct(**data["conduct"])
            lists = {name: tuple(data[name]) for name in ("players", "limits") if name in data}
            return DuelRequest(**{**data, **lists, "conduct": conduct})
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"the request on record cannot be read ({error}): begin a new run") from None


def canonical(players: tuple[str, ...], book: PriceBook | None = None) -> tuple[str, ...]:
    """Specs as the record keeps them: aliases resolved, options in order. Raises SpecError."""
    return tuple(str(Spec.parse(spec, book or PriceBook.load())) for spec in players)


def seated_game(game: str, variant: Mapping[str, int], players: int) -> tuple[str, dict[str, int]]:
    """A game and its variant with a seat for each player, the same however the same was asked for.

    A game whose variant has `players` takes as many as come. The variant is whole, so that neither a default
    spelt out nor one that changes later makes another game of it. Raises ValueError where the game is for
    another number, saying which games are for this one.
    """
    takes = engine.new(game).variant()
    asked = variant.get("players", players)
    if asked != players:
        engine.new(game, 0, players=asked)
        raise ValueError(
            f"{game}?players={asked} has {asked} seats, but {players} players were named: name {asked}, "
            f"or leave players={asked} out"
        )
    seats, why = _seats(game, players)
    if seats != players:
        fit = [name for name in engine.games() if _seats(name, players)[0] == players]
        fit = _widened(game, players) or fit
        hint = f"try --game {' or '.join(fit)}" if fit else "there is no game for so many"
        is_for = f"{game} is for {seats} player{'' if seats == 1 else 's'}, got {players}"
        raise ValueError(f"{why or is_for}: {hint}")
    seat = {"players": players} if "players" in takes else {}
    made = engine.new(game, 0, **{**variant, **seat})
    name = made.name() if ":" in game else game  # behind a bridge the name holds the parameters
    return name, dict(made.variant())


def _seats(game: str, players: int) -> tuple[int, str]:
    """How many seats a game has when so many come; 0 and why, where it cannot seat them."""
    try:
        takes = engine.new(game).variant()
        made = engine.new(game, 0, **({"players": players} if "players" in takes else {}))
    except ValueError as error:
        return 0, str(error)
    return int(made.num_players()), ""


def _widened(game: str, players: int) -> list[str]:
    """The game behind a bridge for so many, as the shell takes it, where its platform has that."""
    from engine.registry import bridge

    prefix, colon, name = game.partition(":")
    titles = bridge(prefix).titles() if colon and "(" not in name else []
    return [
        f"'{game}(players={players})'"
        for title in titles
        if title["name"] == game
        and "players" in title["parameters"]
        and title["players"][0] <= players <= title["players"][1]
    ]


def draw_opening(request: DuelRequest, seed: int) -> tuple[int, ...]:
    """Random legal plies from the pair's seed: all matches of a pair start from the same position."""
    if not request.opening:
        return ()
    for trial in range(100):
        rng = engine.Rng(engine.derive(seed, "opening", trial))
        game = engine.new(request.game, seed, **request.variant)
        plies: list[int] = []
        while len(plies) < request.opening and not game.is_terminal():
            legal = game.legal_actions()
            plies.append(legal[rng.below(len(legal))])
            game.apply(plies[-1])
        if not game.is_terminal():
            return tuple(plies)
    raise ValueError(
        f"an opening of {request.opening} plies ends {request.game} before the players move: use fewer"
    )


def open_record(output: Path, *, resume: bool) -> Record:
    """The record of a run's directory. A run that is there needs `resume`, and the other way round."""
    exists = (output / RECORD_FILE).exists()
    if exists and not resume:
        raise RecordError(
            f"{output} already holds a run: continue it with --resume, or give another --output"
        )
    if resume and not exists:
        raise RecordError(f"{output} holds no run to resume: leave --resume out to begin one")
    return Record(output)


def resumed_request(record: Record, asked: Mapping[str, Any]) -> DuelRequest:
    """The request on record, played as is asked now. RecordError names what else was asked differently."""
    run = record.run()
    if run is None:
        raise RecordError(f"{record.directory} holds no run that began: give another --output")
    request = DuelRequest.from_json(run.request)
    known = request.to_json()
    differences = [
        f"{name}: {known[name]!r} on record, {value!r} asked"
        for name, value in asked.items()
        if name not in DuelRequest.HOW and known.get(name) != json.loads(json.dumps(value))
    ]
    if differences:
        raise RecordError(
            f"{record.directory} was begun with another request ({'; '.join(differences)}): "
            "resume with --resume and --output alone, or begin a new run"
        )
    return replace(request, **{name: asked[name] for name in DuelRequest.HOW if name in asked})
