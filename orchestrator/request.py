"""What was asked of a run: read before anything is made, kept whole in the record, compared when it goes on.

A duel, a tournament, a run for data, an ablation and a probe are asked for in words of their own (`DuelRequest`,
`TournamentRequest`, `GenerateRequest`, `AblateRequest`, `ProbeRequest`) and played in the same way: all say who plays
(`players`), and of each pair where (`board`) and from which deal (`deal`). Where pairs are chosen by results (`plan`),
that is what they would be were they not, good enough for estimates; a run then asks the `Matchmaker` in its place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import engine
from orchestrator import probe
from orchestrator.fixture import Start
from orchestrator.matchmaking import Plan, Rotation
from orchestrator.model import Conduct
from orchestrator.programme import EACH_OTHER, SELF, Board, GameShare, Opponent, Programme, game_text
from orchestrator.ratings.stopping import Rule, read_rule
from orchestrator.record.database import RecordError
from orchestrator.record.store import RECORD_FILE, Record
from orchestrator.table import Spec
from providers.prices import PriceBook, price_from_text

DEFAULT_GAME = "connect4"


_TEXTS = {"max_cost": '["5", "PLAYER=2"]', "limits": '["rpm=500", "MODEL:calls=20"]'}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What every run is asked, whoever plays whatever."""

    pairs: int = 5
    seed: int = 0
    opening: int = 0  # plies drawn from the deal's seed before the players begin
    conduct: Conduct = field(default_factory=Conduct)
    price: str | None = None
    unpriced: bool = False
    concurrency: int = 8
    attempts: int = 5
    max_cost: tuple[str, ...] = ()  # walls, as given by hand: `5`, `PLAYER=2`
    max_voids: float = 0.25  # the share of matches that may be void before the run stops itself
    limits: tuple[str, ...] = ()  # of a service, as given by hand
    cassette: str | None = None  # where calls are taped
    preflight: bool = False

    HOW: ClassVar = (
        "concurrency",
        "attempts",
        "max_cost",
        "max_voids",
        "limits",
        "cassette",
        "preflight",
    )
    """What says only how it is played and may differ each time the run goes on; everything else is asked once.

    Another of them is a field above and a name here, its option in `cli/playing.py` and its line in `runfile.ABOUT`.
    """

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for name, sign in (("max_cost", "="), ("limits", ":")):
            given = getattr(self, name)
            if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
                raise ValueError(f"{name} is {given!r}: expected a list of texts, such as {_TEXTS[name]}")
            object.__setattr__(self, name, tuple(_without_alias(each, sign) for each in given))
        for name, least in (("pairs", 1), ("opening", 0), ("concurrency", 1), ("attempts", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is {value!r}: expected a whole number, {least} or more")
        if self.price is not None:  # also where every price is known
            price_from_text(self.price)
        share, tape = self.max_voids, self.cassette
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"max_voids is {share!r}: expected a share from 0 to 1, such as 0.25")
        if not isinstance(tape, str | None) or tape == "":
            raise ValueError(f"cassette is {tape!r}: expected a folder, or leave it out")
        if not isinstance(self.preflight, bool):
            raise ValueError(f"preflight is {self.preflight!r}: expected true or false")

    @property
    def rule(self) -> Rule | None:
        """By what it may stop before its last pair; None: by nothing."""
        return None

    @property
    def plan(self) -> Plan | None:
        """How its pairs are chosen by their results; None: they are known from the start."""
        return None

    @property
    def apart(self) -> Collection[int]:
        """Players (from 1) whose chance is their own; all others draw the same from the same deal."""
        return ()

    def start(self, pair: int) -> Start | None:
        """The position of which a pair's only match asks one decision; None: it is played from its deal to its end."""
        return None

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class DuelRequest(Terms):
    """Everybody named plays everybody else in one game: one board for all pairs.

    `players` are canonical specs: an alias that points elsewhere next month changes no run.
    """

    players: tuple[str, ...]
    game: str = DEFAULT_GAME
    variant: Mapping[str, int] = field(default_factory=dict)
    sprt: str | None = None  # a rule to stop by, as given by hand: `0,30`, `nelo:0,50`
    until_ci: str | None = None  # likewise: `50`, `50,20`

    KIND: ClassVar = "duel"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        super().__post_init__()
        if self.rule is not None and len(self.players) != 2:
            raise ValueError(
                f"sprt and until_ci are for two players, got {len(self.players)}: leave them out"
            )

    @property
    def rule(self) -> Rule | None:
        """By what it may stop before its last pair; None: by nothing."""
        return read_rule(self.sprt, self.until_ci)

    @property
    def games(self) -> tuple[GameShare, ...]:
        """What is played."""
        return (GameShare(self.game, self.variant),)

    @property
    def title(self) -> str:
        """Who plays, in few words."""
        return " vs ".join(spec.split("?")[0] for spec in self.players)

    @property
    def matches(self) -> int:
        """Of all pairs together."""
        return self.pairs * len(self.players)

    def board(self, pair: int) -> Board:
        """Where a pair (from 0) is played: every one of its matches, one per seat."""
        return Board(self.game, self.variant, tuple(range(1, len(self.players) + 1)))

    def boards(self) -> list[tuple[Board, float]]:
        """The different boards, each with the share of all pairs that is played on it."""
        return [(self.board(0), 1.0)]

    def deal(self, pair: int) -> int:
        """The number of a pair's deal: pairs of one number begin in the same position."""
        return pair

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises RecordError for what no version of this wrote."""
        try:
            conduct = Conduct(**data["conduct"])
            lists = {name: tuple(data[name]) for name in ("players", "limits") if name in data}
            return cls(**{**data, **lists, "conduct": conduct})
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"the request on record cannot be read ({error}): begin a new run") from None


@dataclass(frozen=True)
class SelfplayRequest(DuelRequest):
    """Bots among themselves, for data: a duel that is played without an event loop, on all cores."""

    KIND: ClassVar = "selfplay"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        super().__post_init__()
        others = [spec for spec in self.players if not spec.startswith("bot:")]
        if others:
            raise ValueError(f"{others[0]} is no bot: models play for data with orchestrator generate")
        if self.rule is not None:
            raise ValueError("a rule to stop by is for a duel: leave sprt and until_ci out")
        seats = engine.new(self.game, 0, **self.variant).num_players()
        if seats != len(self.players):
            raise ValueError(
                f"{game_text(self.game, self.variant)} has {seats} seats, got {len(self.players)} players: "
                "name one for each seat, or take the variant that seated_game finds for as many"
            )


DEFAULT_OPPONENTS = (Opponent("bot:random"), Opponent("bot:greedy"), Opponent("bot:mcts:200"))


@dataclass(frozen=True)
class GenerateRequest(Terms):
    """Models against a mix of opponents over a mix of games, or among themselves. `models` are canonical specs."""

    models: tuple[str, ...]
    opponents: tuple[Opponent, ...] = DEFAULT_OPPONENTS
    games: tuple[GameShare, ...] = (GameShare(DEFAULT_GAME),)

    KIND: ClassVar = "generate"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        super().__post_init__()
        opponents = [each.spec for each in self.opponents]
        for what, names in (
            ("model", self.models),
            ("opponent", opponents),
            ("game", [str(each) for each in self.games]),
        ):
            if not names:
                raise ValueError(f"there is no {what}: name one or more")
            if twice := _twice(names):
                raise ValueError(f"{what} {twice} is given twice: leave one of them out")
        if both := _twice([*self.models, *opponents]):
            raise ValueError(
                f"{both} is a model and an opponent: for matches against itself the opponent is {SELF}, "
                f"for matches of several models among themselves {EACH_OTHER}"
            )
        if EACH_OTHER in opponents and len(self.models) < 2:
            raise ValueError(
                f"opponent {EACH_OTHER} takes two models or more, got 1: name another, or {SELF}"
            )
        self._programme  # noqa: B018  # fills the seats of every game, or says why it cannot

    @property
    def players(self) -> tuple[str, ...]:
        """Specs: the models, then the opponents, one for each seat that it may take at a table at once."""
        return tuple(self._programme.specs)

    @property
    def title(self) -> str:
        """Who plays, in few words."""
        return "generate " + " ".join(spec.split("?")[0] for spec in self.models)

    @property
    def matches(self) -> int:
        """Of all pairs together."""
        return self._programme.matches(self.pairs)

    def board(self, pair: int) -> Board:
        """Where a pair (from 0) is played: every one of its matches, one per seat."""
        return self._programme.board(pair)

    def boards(self) -> list[tuple[Board, float]]:
        """The different boards, each with the share of all pairs that is played on it."""
        return self._programme.shares(self.pairs)

    def deal(self, pair: int) -> int:
        """The number of a pair's deal: pairs of one number begin in the same position."""
        return self._programme.deal(pair)

    def longer(self, games: int) -> GenerateRequest:
        """The same with so many matches, rounded up to whole rounds. What it has in common stays as it is."""
        return replace(self, pairs=self._programme.pairs(games))

    @cached_property
    def _programme(self) -> Programme:
        return Programme(self.models, self.opponents, self.games, self.seed)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> GenerateRequest:
        """Raises RecordError for what no version of this wrote."""
        try:
            parts = {
                "models": tuple(data["models"]),
                "opponents": tuple(Opponent(**each) for each in data["opponents"]),
                "games": tuple(GameShare(**each) for each in data["games"]),
                "conduct": Conduct(**data["conduct"]),
            }
            return GenerateRequest(**{**data, **parts})
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"the request on record cannot be read ({error}): begin a new run") from None


@dataclass(frozen=True)
class AblateRequest(Terms):
    """Arms that differ from a control in what is to be judged, all on the same deals against the same opponents.

    `control` and `arms` are canonical specs. With `null` the control sits down once more, as a player of its own:
    asked in the very same words, it shows what chance alone makes of a difference.
    """

    control: str
    arms: tuple[str, ...]
    null: bool = True
    opponents: tuple[Opponent, ...] = (Opponent("bot:mcts:200"),)
    games: tuple[GameShare, ...] = (GameShare(DEFAULT_GAME),)

    KIND: ClassVar = "ablate"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        super().__post_init__()
        opponents = [each.spec for each in self.opponents]
        if self.control in self.arms:
            raise ValueError(
                f"an arm is {self.control}, which is the control: leave it out"
                + (", the null arm is just that" if self.null else "")
            )
        if among := sorted({SELF, EACH_OTHER}.intersection(opponents)):
            raise ValueError(
                f"opponent {among[0]}: the arms of an ablation all meet the same opponents, so name a player"
            )
        for what, names in (
            ("arm", self.arms),
            ("opponent", opponents),
            ("game", [str(each) for each in self.games]),
        ):
            if not names:
                raise ValueError(f"there is no {what}: name one or more")
            if twice := _twice(names):
                raise ValueError(f"{what} {twice} is given twice: leave one of them out")
        if both := _twice([self.control, *self.arms, *opponents]):
            raise ValueError(f"{both} is an arm and an opponent: name another opponent")
        self._programme  # noqa: B018  # fills the seats of every game, or says why it cannot

    @property
    def models(self) -> tuple[str, ...]:
        """Specs of all arms: the control, its null and the others, numbered from 1 as players."""
        return self.control, *([self.control] if self.null else []), *self.arms

    @property
    def apart(self) -> Collection[int]:
        """All but the control: the null would otherwise answer what the control does, seed for seed."""
        return range(2, len(self.models) + 1)

    @property
    def players(self) -> tuple[str, ...]:
        """Specs: the arms, then the opponents, one for each seat that it may take at a table at once."""
        return tuple(self._programme.specs)

    @property
    def title(self) -> str:
        """Who plays, in few words."""
        return f"ablate {self.control.split('?')[0]}"

    @property
    def matches(self) -> int:
        """Of all pairs together."""
        return self._programme.matches(self.pairs)

    def board(self, pair: int) -> Board:
        """Where a pair (from 0) is played: every one of its matches, one per seat."""
        return self._programme.board(pair)

    def boards(self) -> list[tuple[Board, float]]:
        """The different boards, each with the share of all pairs that is played on it."""
        return self._programme.shares(self.pairs)

    def deal(self, pair: int) -> int:
        """The number of a pair's deal: pairs of one number begin in the same position."""
        return self._programme.deal(pair)

    def of_matches(self, games: int) -> AblateRequest:
        """The same with so many matches, rounded up to whole deals."""
        return replace(self, pairs=self._programme.pairs(games))

    @cached_property
    def _programme(self) -> Programme:
        return Programme(self.models, self.opponents, self.games, self.seed)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> AblateRequest:
        """Raises RecordError for what no version of this wrote."""
        try:
            parts = {
                "arms": tuple(data["arms"]),
                "opponents": tuple(Opponent(**each) for each in data["opponents"]),
                "games": tuple(GameShare(**each) for each in data["games"]),
                "conduct": Conduct(**data["conduct"]),
            }
            return AblateRequest(**{**data, **parts})
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"the request on record cannot be read ({error}): begin a new run") from None


STEP = 10  # pairs of an active tournament chosen at a time
STEP_OF_BATCHES = 50  # likewise, where models are asked in batches: a wave holds those of two steps


@dataclass(frozen=True)
class TournamentRequest(Terms):
    """Everybody plays everybody in one game, equally often or as the results call for. `players` are canonical specs.

    At tables of more than two every two meet equally often, as nearly as that can be.
    """

    players: tuple[str, ...]
    game: str = DEFAULT_GAME
    variant: Mapping[str, int] = field(default_factory=dict)
    active: bool = False  # pairs are chosen by what they tell of the ranks for their money
    step: int = STEP  # of an active one: pairs chosen at a time
    until_ranked: int | None = None  # likewise: it stops once no rank is open by more places

    KIND: ClassVar = "tournament"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        super().__post_init__()
        if len(self.players) < 2:
            raise ValueError(f"a tournament has two players or more, got {len(self.players)}")
        if twice := _twice(self.players):
            raise ValueError(f"player {twice} is given twice: leave one of them out")
        if not isinstance(self.active, bool):
            raise ValueError(f"active is {self.active!r}: expected true or false")
        if not isinstance(self.step, int) or isinstance(self.step, bool) or self.step < 1:
            raise ValueError(f"step is {self.step!r}: expected a whole number, 1 or more")
        places = self.until_ranked
        if places is not None and (not isinstance(places, int) or isinstance(places, bool) or places < 0):
            raise ValueError(
                f"until_ranked is {places!r}: expected a whole number, 0 or more, or leave it out"
            )
        if places is not None and not self.active:
            raise ValueError("until_ranked is for active tournaments: add active, or leave it out")
        seats = self.rotation.seats
        if self.active and seats != 2:
            raise ValueError(
                f"active is for games between two, and {self.game} has {seats} seats: leave it out"
            )

    @cached_property
    def rotation(self) -> Rotation:
        """Who meets whom, if equally often."""
        (game,) = self.games
        return Rotation(len(self.players), self.game, self.variant, game.seats, self.seed)

    @property
    def plan(self) -> Plan | None:
        """How its pairs are chosen by their results; None: they are known from the start."""
        return Plan(self.rotation, self.pairs, self.step, self.until_ranked) if self.active else None

    @property
    def games(self) -> tuple[GameShare, ...]:
        """What is played."""
        return (GameShare(self.game, self.variant),)

    @property
    def title(self) -> str:
        """Who plays, in few words."""
        return "tournament " + " ".join(spec.split("?")[0] for spec in self.players)

    @property
    def matches(self) -> int:
        """Of all pairs together."""
        return self.pairs * self.rotation.seats

    def board(self, pair: int) -> Board:
        """Where a pair (from 0) is played: every one of its matches, one per seat."""
        return self.rotation.board(pair)

    def boards(self) -> list[tuple[Board, float]]:
        """The different boards, each with the share of all pairs that is played on it."""
        count = Counter(self.board(pair).players for pair in range(self.pairs))
        return [(self.rotation.at(players), many / self.pairs) for players, many in count.items()]

    def deal(self, pair: int) -> int:
        """The number of a pair's deal: pairs of one number begin in the same position."""
        return self.rotation.deal(pair)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TournamentRequest:
        """Raises RecordError for what no version of this wrote."""
        try:
            conduct = Conduct(**data["conduct"])
            return TournamentRequest(**{**data, "players": tuple(data["players"]), "conduct": conduct})
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"the request on record cannot be read ({error}): begin a new run") from None


class Question(NamedTuple):
    """What one pair of a probe asks."""

    player: int  # its number, from 1
    position: int  # its place in the request, from 0
    ask: probe.Ask


@dataclass(frozen=True)
class ProbeRequest(Terms):
    """Positions that each player is shown in several ways, see `orchestrator/probe.py`. A pair is one question.

    `players` are canonical specs; `positions` are bytes of games as hexadecimal text, so that the run stands by
    itself whatever becomes of the record (`source`) that they were found on. How many pairs there are follows.
    """

    players: tuple[str, ...]
    positions: tuple[str, ...]
    source: str = ""
    repeats: int = 1
    symmetries: int = 2  # at most, of each position
    relabel: bool = True

    KIND: ClassVar = "probe"

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for what, names in (("player", self.players), ("position", self.positions)):
            if not names:
                raise ValueError(f"there is no {what}: a probe takes one or more")
            if twice := _twice(names):
                raise ValueError(f"{what} {twice[:60]} is given twice: leave one of them out")
        for name, least in (("repeats", 1), ("symmetries", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is {value!r}: expected a whole number, {least} or more")
        if self.opening:
            raise ValueError(f"opening is {self.opening}: a probe begins in its positions, so leave it out")
        object.__setattr__(self, "pairs", len(self.questions))
        super().__post_init__()

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """By pair: position after position, so that a run that ends early has whole comparisons."""
        found = []
        for place, state in enumerate(self.states):
            seed = engine.derive(self.seed, "position", place)
            every = probe.asks(state, seed, self.repeats, self.symmetries, self.relabel)
            for number, spec in enumerate(self.players, 1):
                in_words = spec.partition(":")[0] not in ("bot", "human", "policy")
                found += [Question(number, place, ask) for ask in every if in_words or ask.kind != "relabel"]
        return tuple(found)

    @cached_property
    def states(self) -> tuple[bytes, ...]:
        """The positions as bytes. Raises ValueError for one in which there is nothing to choose."""
        states = tuple(bytes.fromhex(position) for position in self.positions)
        for state in states:
            game = engine.from_bytes(state)
            if len(game.legal_actions()) < 2:
                raise ValueError(f"a position of {game.name()} leaves no choice: leave it out")
        return states

    @property
    def games(self) -> tuple[GameShare, ...]:
        """What is played."""
        boards = {game_text(board.game, board.variant): board for board in self._boards}
        return tuple(GameShare(board.game, board.variant) for board in boards.values())

    @property
    def title(self) -> str:
        """Who plays, in few words."""
        return "probe " + " ".join(spec.split("?")[0] for spec in self.players)

    @property
    def matches(self) -> int:
        """Of all pairs together."""
        return self.pairs

    def board(self, pair: int) -> Board:
        """Where a pair (from 0) is played; whoever is asked has every seat."""
        question = self.questions[pair]
        return self._boards[question.position]._replace(players=(question.player,))

    def boards(self) -> list[tuple[Board, float]]:
        """The different boards, each with the share of all pairs that is played on it."""
        every = [self.board(pair) for pair in range(self.pairs)]
        count = Counter((game_text(board.game, board.variant), board.players) for board in every)
        alike = {(game_text(board.game, board.variant), board.players): board for board in every}
        return [(board, count[key] / self.pairs) for key, board in alike.items()]

    @cached_property
    def _boards(self) -> list[Board]:
        """By position."""
        games = [engine.from_bytes(state) for state in self.states]
        return [Board(game.name(), dict(game.variant()), (1,)) for game in games]

    def deal(self, pair: int) -> int:
        """The number of a pair's deal: chance is every question's own."""
        return pair

    def start(self, pair: int) -> Start | None:
        """The position as a pair shows it."""
        question = self.questions[pair]
        return probe.shown(self.states[question.position], question.ask)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ProbeRequest:
        """Raises RecordError for what no version of this wrote."""
        try:
            conduct = Conduct(**data["conduct"])
            lists = {name: tuple(data[name]) for name in ("players", "positions")}
            return ProbeRequest(**{**data, **lists, "conduct": conduct})
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"the request on record cannot be read ({error}): begin a new run") from None


Request = DuelRequest | GenerateRequest | TournamentRequest | AblateRequest | ProbeRequest
KINDS: Mapping[str, type[Request]] = {
    kind.KIND: kind
    for kind in (
        DuelRequest,
        GenerateRequest,
        TournamentRequest,
        AblateRequest,
        ProbeRequest,
        SelfplayRequest,
    )
}


def _twice(names: Iterable[str]) -> str:
    """The first that comes twice; empty where none does."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


# ── players and games by name ────────────────────────────────────────────────────────────────────


def canonical(players: tuple[str, ...], book: PriceBook | None = None) -> tuple[str, ...]:
    """Specs as the record keeps them: aliases resolved, options in order. Raises SpecError."""
    return tuple(str(Spec.parse(spec, book or PriceBook.load())) for spec in players)


def _without_alias(given: str, sign: str) -> str:
    """A wall or a limit with the alias before its sign written out: `claude=2`, `claude:rpm=50`."""
    if sign not in given:
        return given
    name, _, rest = given.rpartition(sign)
    return f"{PriceBook.load().resolve(name.strip())}{sign}{rest}"


def whole_game(game: str, variant: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """A game and its variant with nothing left to defaults, the same however the same was asked for.

    A default that changes later makes no other game of it. Raises ValueError for what does not exist.
    """
    made = engine.new(game, 0, **variant)
    name = made.name() if ":" in game else game  # behind a bridge the name holds the parameters
    return name, dict(made.variant())


def seated_game(game: str, variant: Mapping[str, int], players: int) -> tuple[str, dict[str, int]]:
    """A game and its variant with a seat for each player, the same however the same was asked for.

    A game whose variant has `players` takes as many as come. Raises ValueError where the game is for another
    number, saying which games are for this one.
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
    return whole_game(game, {**variant, **seat})


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


def draw_opening(board: Board, plies: int, seed: int) -> tuple[int, ...]:
    """Random legal plies from the deal's seed: all matches of a pair start from the same position."""
    if not plies:
        return ()
    for trial in range(100):
        rng = engine.Rng(engine.derive(seed, "opening", trial))
        game = engine.new(board.game, seed, **board.variant)
        drawn: list[int] = []
        while len(drawn) < plies and not game.is_terminal():
            legal = game.legal_actions()
            drawn.append(legal[rng.below(len(legal))])
            game.apply(drawn[-1])
        if not game.is_terminal():
            return tuple(drawn)
    raise ValueError(f"an opening of {plies} plies ends {board.game} before the players move: use fewer")


# ── a run on record ──────────────────────────────────────────────────────────────────────────────


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


def request_on_record(record: Record) -> Request:
    """What was asked of the run when it began. Raises RecordError."""
    run = record.run()
    if run is None:
        raise RecordError(f"{record.directory} holds no run that began: give another --output")
    if run.kind not in KINDS:
        raise RecordError(
            f"{record.directory} holds a run of kind {run.kind!r}: expected {' or '.join(KINDS)}"
        )
    return KINDS[run.kind].from_json(run.request)
