"""Standings over many records: whose results are joined, which pairs hang together, and how all are rated.

One board for each game and variant, number of seats and set of tracks: none of these are ever pooled, but by
`over_games`, which takes the mean over boards that all players share. Players are joined by their hash, so the same
spec with the same style, track and parameters, asked in the same words, is one player in all runs. The words are
those of the board's own game, whatever else a run played. What the stand-in answered is never joined with what a model
answered.

A track is what a model is shown, so whoever is not asked in words (a bot, a policy, a person) is one player on every
track. Runs among such alone count on the board of each track of their game on which one of them plays, by way of
others too: there they are anchors, and say as much of each other as anywhere. Where none of them does, they have a
board of their own. So a match may stand on two boards, but on none twice.

Ratings are of complete pairs alone (at a table: deals that everybody had from every seat); everything else counts
all finished matches. Pairs on one instance (the same seed played again in another run) or that repeat each other
move by move are no independent news: together they count as one observation. That only a whole pair that repeats
another hangs together with it is meant so: short games repeat each other by chance, and by way of single matches
everything would soon hang together.

Beside the ratings stand those of clean matches alone, without a forfeit and without a fallback: who plays well but
breaks rules is told from who plays badly. What they leave out is counted; it is no random sample.

The statistics themselves are those of `orchestrator.ratings`; how boards are printed is the business of whoever
has a screen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.ratings.anchor import Anchor

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.ratings.bradley_terry import Interval, Result
    from orchestrator.ratings.league import League, Rank
    from orchestrator.record.reading import Board as Played
    from orchestrator.record.reading import Played as Match
    from orchestrator.record.reading import RunResult, Standing
    from orchestrator.record.tables import Player, Run

STAND_IN = "simulated/"  # how the stand-in's model names begin
NOBODY = Anchor("")
AS_STAND_IN = " (stand-in)"  # after whoever was answered by it


def stood_in(spec: str, reported: Iterable[str]) -> list[str]:
    """The stand-ins' names among the models that answered, where the spec did not ask for one."""
    return [] if spec.startswith("sim:") else [name for name in reported if name.startswith(STAND_IN)]


# ── joining ──────────────────────────────────────────────────────────────────────────────────────────


class Pair(NamedTuple):
    """A complete pair: its matches, which of them are clean, and what it may hang together with."""

    results: tuple[Result, ...]
    clean: tuple[bool, ...]
    instance: Hashable  # equal for pairs from one seed
    moves: Hashable  # equal for exact repeats
    matches: tuple[str, ...] = ()  # their ids


class Part(NamedTuple):
    """What one run has to put on a board: where its record is, its matches, and who its players are over all runs."""

    path: Path
    played: Played
    names: Mapping[int, str]
    fell_back: frozenset[str]
    ruled: bool = False  # its own results may have ended it

    @property
    def game(self) -> tuple[str, str, int]:
        """What is never pooled, whatever the track."""
        return self.played.game, json.dumps(self.played.variant, sort_keys=True), len(self.played.standings)

    @property
    def tracks(self) -> tuple[str, ...]:
        return tuple(sorted({each.player.track for each in self.played.standings if each.player.track}))


@dataclass(slots=True)
class Line:
    """One player over all runs of a board."""

    player: Player
    name: str
    total: Standing
    rank: Rank | None = None
    elo: Interval | None = None
    clean: Interval | None = None  # of clean matches alone
    better: float | None = None  # P(stronger than the next below)
    pairs: int = 0  # that are independent of each other
    provisional: bool = False
    adrift: bool = False  # only won or only lost: how far off it is rests on the prior

    @property
    def marks(self) -> str:
        """* provisional, ° adrift; whoever is set to a rating needs none."""
        if self.elo is None or self.elo.low == self.elo.high:
            return ""
        return ("*" if self.provisional else "") + ("°" if self.adrift else "")


@dataclass(slots=True)
class Board:
    """One game, one variant, so many seats, one set of tracks. `clusters`: pairs that hang together, one entry each."""

    game: str
    variant: Mapping[str, int]
    tracks: tuple[str, ...]
    seats: int = 2
    lines: dict[str, Line] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    clusters: list[list[Pair]] = field(default_factory=list)
    played: list[tuple[float, str, Result]] = field(default_factory=list)
    """Every finished match: when it ended, its id, and what came of it."""
    zero: str = "the mean of all"
    anchor: Anchor = NOBODY  # who is set to what, as in the league; nobody where the mean of all is 0
    league: League | None = None
    clean: League | None = None
    unclean: int = 0  # matches of complete pairs that are not in it

    @property
    def title(self) -> str:
        parts = [self.game + "".join(f" {key}={value}" for key, value in sorted(self.variant.items()))]
        if self.seats > 2:
            parts.append(f"table of {self.seats}")
        if self.tracks:
            parts.append(f"{' and '.join(self.tracks)} track")
        return " · ".join(parts)

    @property
    def unpaired(self) -> int:
        """Finished matches that are in no complete pair."""
        return len(self.played) - sum(len(pair.results) for pair in self.pairs)

    @property
    def trackless(self) -> int:
        """Finished matches here of players without a track, which count on other tracks' boards too."""
        return sum(len(part.played.finished) for part in self.parts if self.tracks and not part.tracks)

    @property
    def results(self) -> list[Result]:
        """Of all finished matches, in the order in which they ended."""
        return [result for _, _, result in sorted(self.played, key=itemgetter(0, 1))]

    def ranked(self) -> list[Line]:
        """By rating, then by score; the unrated last. Who never met the most, even by way of others, below them."""

        def key(line: Line) -> tuple[bool, int, float, float, str]:
            island = self._island(line)
            return line.elo is None, island, -(line.elo.mid if line.elo else 0), -line.total.score, line.name

        return sorted(self.lines.values(), key=key)

    def key(self, line: Line) -> str:
        """What a line is called in the league."""
        return next(key for key, each in self.lines.items() if each is line)

    def _island(self, line: Line) -> int:
        if self.league is None or line.elo is None:
            return 0
        return self.league.islands.index(self.league.island(self.key(line)))


def boards_of(results: Iterable[RunResult], anchors: Sequence[Anchor] = ()) -> list[Board]:
    """Every game and track with a finished match, rated."""
    from orchestrator.record.reading import all_kept

    with all_kept():
        return _boards_of(results, anchors)


def _boards_of(results: Iterable[RunResult], anchors: Sequence[Anchor]) -> list[Board]:
    boards: dict[tuple[tuple[str, str, int], tuple[str, ...]], Board] = {}
    for tracks, part in _shared_out([part for result in results for part in _parts(result)]):
        played = part.played
        board = Board(played.game, played.variant, tracks, len(played.standings))
        _join(boards.setdefault((part.game, tracks), board), part)
    for board in boards.values():
        board.clusters = clusters_of(board.pairs)
        _name(board)
        _rate(board, anchors)
    return [board for _, board in sorted(boards.items())]


def _parts(result: RunResult) -> Iterator[Part]:
    games = games_of(result.run)
    for played in result.boards:
        if played.finished:
            game = played.game, dict(played.variant)
            place = games.index(game) if game in games else None
            names = {each.player.id: _identity(each, place) for each in played.standings}
            ruled = bool(result.run.request.get("sprt") or result.run.request.get("until_ci"))
            yield Part(result.path, played, names, result.fell_back, ruled)


def _shared_out(parts: Sequence[Part]) -> Iterator[tuple[tuple[str, ...], Part]]:
    """Every part with the tracks of each board that it counts on."""
    on: dict[tuple[tuple[str, str, int], tuple[str, ...]], set[str]] = {}
    for part in parts:
        if part.tracks:
            on.setdefault((part.game, part.tracks), set()).update(part.names.values())
            yield part.tracks, part
    trackless = [part for part in parts if not part.tracks]
    brought: set[int] = set()
    for (game, tracks), there in on.items():
        left = [(place, part) for place, part in enumerate(trackless) if part.game == game]
        while met := {place: part for place, part in left if not there.isdisjoint(part.names.values())}:
            left = [(place, part) for place, part in left if place not in met]
            for part in met.values():
                there.update(part.names.values())
                yield tracks, part
            brought.update(met)
    yield from (((), part) for place, part in enumerate(trackless) if place not in brought)


def _join(board: Board, part: Part) -> None:
    played, names = part.played, part.names
    board.parts.append(part)
    for standing in played.standings:
        name = names[standing.player.id]
        if name in board.lines:
            board.lines[name].total += standing
        else:
            board.lines[name] = Line(standing.player, standing.player.label, standing)
    results = {match.id: _result(match, names) for match in played.finished}
    board.played += [(match.finished or 0.0, match.id, results[match.id]) for match in played.finished]
    board.pairs += _complete_pairs(part, results)


def _identity(standing: Standing, place: int | None) -> str:
    fake = stood_in(standing.player.spec, standing.reported)
    return asked_alike(standing.player, place) + (AS_STAND_IN if fake else "")


def asked_alike(player: Player, place: int | None) -> str:
    """A player's hash, of its prompts only those of the game at this place among its run's games.

    A run over several games keeps the prompts of all of them in one hash, + between (`duel.py`); a duel of one of
    these games asks in the same words.
    """
    prompts = str(player.parameters.get("prompts", ""))
    shas = prompts.split("+")
    if place is None or place >= len(shas) or not player.hash.endswith(f"-{prompts}"):
        return player.hash
    return player.hash.removesuffix(prompts) + shas[place]


def games_of(run: Run) -> list[tuple[str, dict[str, int]]]:
    """The games of a run and their variants in the order of its request; none where that does not tell."""
    from orchestrator.record.database import RecordError
    from orchestrator.request import KINDS

    try:
        return [(each.game, dict(each.variant)) for each in KINDS[run.kind].from_json(run.request).games]
    except (KeyError, RecordError):
        return []


def _result(match: Match, names: Mapping[int, str]) -> Result:
    from orchestrator.ratings.bradley_terry import Result

    sat = match.sat
    return Result(tuple(names[player] for player in sat), tuple(match.scores[player] for player in sat))


def _complete_pairs(part: Part, results: Mapping[str, Result]) -> Iterator[Pair]:
    """Every pair that was played from all sides by players who differ."""
    names = part.names
    pairs: dict[int, list[Match]] = {}
    for match in part.played.finished:
        pairs.setdefault(match.pair, []).append(match)
    everybody = tuple(sorted(names.values()))
    if len(set(everybody)) == 1:
        return
    for matches in pairs.values():
        if len(matches) == len(names):
            clean = tuple(
                match.id not in part.fell_back and not any(place.forfeit for place in match.seats)
                for match in matches
            )
            instance = matches[0].seed, matches[0].opening, everybody
            moves = sorted(
                [(*map(names.__getitem__, match.sat), match.went or match.id.encode()) for match in matches]
            )
            ids = tuple(match.id for match in matches)
            yield Pair(tuple(results[match.id] for match in matches), clean, instance, tuple(moves), ids)


def clusters_of(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Pairs on one instance or with the same moves together, directly or by way of others."""
    above: dict[Hashable, Hashable] = {}

    def top(key: Hashable) -> Hashable:
        while above.setdefault(key, key) != key:
            key = above[key]
        return key

    pairs = list(pairs)
    for pair in pairs:
        above[top(pair.instance)] = top(pair.moves)
    clusters: dict[Hashable, list[Pair]] = {}
    for pair in pairs:
        clusters.setdefault(top(pair.moves), []).append(pair)
    return list(clusters.values())


def _name(board: Board) -> None:
    lines = list(board.lines.values())
    called = names([(line.player, bool(stood_in(line.player.spec, line.total.reported))) for line in lines])
    for line, name in zip(lines, called, strict=True):
        line.name = name


def names(players: Sequence[tuple[Player, bool]]) -> list[str]:
    """What players are called who stand beside each other, each with whether the stand-in answered for it.

    Labels; where two share one their specs, and where that is another's name too what else differs. A duel numbers
    players of one label; over runs the number says nothing.
    """
    labels = [re.sub(r" #\d+$", "", player.label) for player, _ in players]
    specs = [
        label if labels.count(label) == 1 else player.spec
        for (player, _), label in zip(players, labels, strict=True)
    ]
    told = []
    for (player, fake), name in zip(players, specs, strict=True):
        like = [other for (other, _), its in zip(players, specs, strict=True) if its == name]
        differs = _differing(player, like) if len(like) > 1 else []
        told.append(" ".join([name, *differs]) + (AS_STAND_IN if fake else ""))
    return told


def _differing(player: Player, others: Sequence[Player]) -> list[str]:
    """The settings in which players of one spec differ."""
    settings = [{"style": one.style, "track": one.track, **one.parameters} for one in (player, *others)]
    mine, *_ = settings
    differ = {name: value for name, value in mine.items() if any(s.get(name) != value for s in settings)}
    told = {name: value for name, value in differ.items() if name not in ("prompts", "price", "endpoint")}
    return [f"{name}={value}" for name, value in (told or differ).items()]


# ── rating ───────────────────────────────────────────────────────────────────────────────────────────


def _rate(board: Board, anchors: Sequence[Anchor]) -> None:
    """Ratings with 95 % intervals, of all matches and of clean ones; two alone as their duel said it."""
    from orchestrator.ratings.league import league

    if not board.pairs:
        return
    everything = [[result for pair in pairs for result in pair.results] for pairs in board.clusters]
    clean = [
        [result for pair in pairs for result, good in zip(pair.results, pair.clean, strict=True) if good]
        for pairs in board.clusters
    ]
    board.unclean = sum(map(len, everything)) - sum(map(len, clean))
    board.league = league(everything)
    if board.unclean and any(clean):
        board.clean = league(filter(None, clean))
    zero = board.anchor = _zero(board, board.league, anchors)
    for name in board.league.players:
        line = board.lines[name]
        line.pairs = board.league.ratings.clusters[board.league.players.index(name)]
        line.provisional = board.league.provisional(name)
        line.adrift = board.league.rests_on_prior(name, zero.player)
        line.rank = board.league.ranks[name]
        line.elo = _above(board.league, name, zero)
        if board.clean is not None and name in board.clean.players:
            line.clean = _above(board.clean, name, zero)
    if len(board.league.players) == 2 and zero.player in board.lines:
        _rate_two(board, zero)
    ranked = board.ranked()
    for line, following in pairwise(ranked):
        if following.elo is not None:
            line.better = board.league.better(board.key(line), board.key(following))


def _zero(board: Board, league: League, anchors: Sequence[Anchor]) -> Anchor:
    """Who is set to what; nobody (no player's name) where the mean is 0. Says so in `board.zero`."""
    for anchor in anchors[:1]:
        for name in league.players:
            if anchor.player in (board.lines[name].player.spec, board.lines[name].name):
                board.zero = board.lines[name].name + (f" at {anchor.elo:g}" if anchor.elo else "")
                return Anchor(name, anchor.elo)
    weakest = _weakest_bot(board, league, league.islands[0])
    if weakest is None and len(league.players) == 2:
        weakest = min(league.players, key=league.rating)
        board.zero = board.lines[weakest].name
    elif weakest is not None:
        board.zero = f"{board.lines[weakest].name} (the weakest bot here)"
    return Anchor(weakest or "")


def _weakest_bot(board: Board, league: League, among: Iterable[str]) -> str | None:
    bots = [name for name in among if board.lines[name].player.kind == "bot"]
    return min(bots, key=league.rating, default=None)


def _above(league: League, name: str, zero: Anchor) -> Interval:
    """Above whoever is set, where they can be compared; else above the mean of those with whom it can be."""
    island = league.island(name)
    if zero.player in island:
        return league.ratings.difference(name, zero.player).moved(zero.elo)
    return league.ratings.about_mean(name, island)


def _rate_two(board: Board, zero: Anchor) -> None:
    """Exactly what the duel itself said at its end, over all its runs; but for a rule to stop by, which is noted."""
    from orchestrator.ratings.bradley_terry import Interval
    from orchestrator.ratings.league import Rank
    from orchestrator.ratings.pairs import Repeats, estimate

    assert board.league is not None
    (other,) = (name for name in board.league.players if name != zero.player)
    scores = [
        sum(r.scores[r.players.index(other)] for r in pair.results) / len(pair.results)
        for pair in board.pairs
    ]
    repeats = Repeats(number for number, pairs in enumerate(board.clusters) for _ in pairs)
    if board.seats > 2 or (estimated := estimate(scores, repeats.independent)) is None:
        return
    found = Interval(estimated.elo_low, estimated.elo, estimated.elo_high)
    board.lines[other].elo = found.moved(zero.elo)
    ahead, behind = found.low > 0, found.high < 0
    board.lines[other].rank = Rank(1 + behind, 2 - ahead, 1 + behind)
    board.lines[zero.player].rank = Rank(1 + ahead, 2 - behind, 1 + ahead)


@dataclass(frozen=True, slots=True)
class Overall:
    """Everybody's mean over games, by name; or why there is none."""

    games: tuple[str, ...]
    tracks: tuple[str, ...]
    anchors: tuple[Anchor, ...]
    elo: Mapping[str, Interval] = field(default_factory=dict)
    refused: str = ""

    @property
    def title(self) -> str:
        return f"all {len(self.games)} games"

    @property
    def set_to(self) -> str:
        """What its zero and its unit are, in words."""
        set_to = " and ".join(f"{each.player} at {each.elo:g}" for each in self.anchors)
        unit = "Elo of each game as they are" if len(self.anchors) == 1 else "each game stretched to fit both"
        return f"{set_to}, {unit}"


def over_games(boards: Sequence[Board], anchors: Sequence[Anchor]) -> list[Overall]:
    """For each set of tracks one board over all games; of bots alone only where nobody else has played."""
    by_tracks: dict[tuple[str, ...], list[Board]] = {}
    for board in boards:
        by_tracks.setdefault(board.tracks, []).append(board)
    if len(by_tracks) > 1:
        by_tracks.pop((), None)
    return [_over_games(found, anchors) for found in by_tracks.values()]


def _over_games(boards: Sequence[Board], anchors: Sequence[Anchor]) -> Overall:
    """The anchor is by default the weakest, over all games, of the bots that have played them all."""
    from orchestrator.ratings.overall import NotComparable, overall

    games, tracks = tuple(board.title for board in boards), boards[0].tracks
    leagues = {board.title: _by_name(board) for board in boards if board.league is not None}
    lines = [line for board in boards for line in board.lines.values()]
    specs = {line.player.spec: line.name for line in lines}
    set_to = [Anchor(specs.get(anchor.player, anchor.player), anchor.elo) for anchor in anchors]
    try:
        if len(leagues) < len(games):
            raise NotComparable(
                f"no complete pair of {', '.join(each for each in games if each not in leagues)}"
            )
        set_to = set_to or _weakest_of_all(
            leagues.values(), {line.name for line in lines if line.player.kind == "bot"}
        )
        if not set_to and len(leagues) > 1:
            raise NotComparable("no bot has played them all, and nobody else is set to a rating")
        found = overall(leagues, set_to)
    except NotComparable as error:
        return Overall(games, tracks, tuple(set_to), refused=str(error))
    return Overall(games, tracks, tuple(set_to), dict(sorted(found.items(), key=lambda two: -two[1].mid)))


def _weakest_of_all(leagues: Collection[League], bots: set[str]) -> list[Anchor]:
    """None where no bot has played all."""
    total = {
        bot: sum(league.rating(bot) for league in leagues)
        for bot in sorted(bots)
        if all(bot in league.players for league in leagues)
    }
    return [Anchor(min(total, key=total.__getitem__))] if total else []


def _by_name(board: Board) -> League:
    """The league with the players' names in place of what they are joined by."""
    assert board.league is not None
    return board.league.renamed({key: line.name for key, line in board.lines.items()})
