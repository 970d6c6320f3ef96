"""How a run stands, from its record alone: at a glance for a list of runs, whole for one of them.

Whoever looks at a run may do so every two seconds, from another shell and while five hundred matches are played:
records are only read (an older schema is not brought up to date on the way), in one short snapshot, straight from
SQLite, because the classes of the tables take longer to import than all of this. What is over is summed up from its
tallies, only what is open is counted row by row, so that a run of a million decisions answers in well under a
second. The exception is a run in batches, where every match is open until the last waves.

A record may be somebody else's and hold anything: whatever cannot be made sense of is a `NoRun`. What comes out is
plain JSON values; texts in it are as foreign as the record.

Left out: who won (`record/reading.py`), and what is on no record, such as notices.
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from engine.core import read_header
from orchestrator.budget import PICO, names_of, walls
from orchestrator.control import is_alive
from orchestrator.record.sums import SUMMED

RECORD_FILE = "record.db"  # these three as in record/store.py and record/tables.py, which take long to import
SCHEMA = 3
OVER = "('finished', 'void')"

GOING = ("running", "paused")
"""What a run says of itself while it is played."""
ENDED_WELL = "finished"
BUDGET_REACHED = "budget reached"
DIED = "died"
NO_MODELS = ("bot", "human", "policy")

WINDOW_S = 600.0  # over which a rate is taken
WAVES_WINDOW_S = 86_400.0  # and where answers come hours later, all at once
RECENT = 500  # matches at most that are read for it
FAILED = 1000  # matches, the newest, whose failed calls are told apart
SHOWN = 6  # of what went wrong


class NoRun(Exception):
    """There is no run that can be read; says why in words."""


@contextmanager
def opened(directory: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of the record in a run's directory. Raises NoRun, also for what the reader made no sense of."""
    path = directory / RECORD_FILE
    try:
        if not path.is_file():
            raise NoRun("it holds no record: expected a run's directory, such as runs/NAME")
        uri = f"{path.resolve().as_uri()}?{_way(path)}"
        with closing(sqlite3.connect(uri, uri=True, timeout=2, isolation_level=None)) as db:
            db.execute("BEGIN")
            _check_schema(db)
            yield db
    except NoRun as error:
        raise NoRun(f"{directory}: {error}") from None
    except (
        sqlite3.Error,
        OSError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        what = str(error) if isinstance(error, sqlite3.Error) else f"{type(error).__name__}: {error}"
        raise NoRun(f"{directory}: its record cannot be read ({what})") from error


def _way(path: Path) -> str:
    """While a run is played, and after a crash, its last commits are in a file beside; else nothing is."""
    log = path.with_name(f"{path.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"


def _check_schema(db: sqlite3.Connection) -> None:
    try:
        row = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except sqlite3.OperationalError as error:
        raise NoRun(f"it is no record of a run ({error})") from None
    found = int(row[0]) if row else 0
    if found < SCHEMA:
        raise NoRun(f"it is of an older schema ({found}), which `orchestrator show DIR` brings up to date")
    if found > SCHEMA:
        raise NoRun(f"it is of a newer schema ({found}; this version knows {SCHEMA}): upgrade duelist")


# ── at a glance ──────────────────────────────────────────────────────────────────────────────────

OPEN = f"""
SELECT id FROM match WHERE status NOT IN {OVER}
UNION ALL SELECT run.id || '-ready' || player.id FROM run, player
"""
"""What calls may belong to that is in no tally: matches that are not over, and the calls before the first match."""

OF_OPEN = "{part}.id >= open.id || '-' AND {part}.id < open.id || '.'"
"""As `of_match` in record/tables.py: a range of the primary key."""

OPEN_BILL = f"""
SELECT sum(iif(c.possibly_billed, 0, c.cost_pico)), sum(iif(c.possibly_billed AND c.kind != 'sent', c.cost_pico, 0)),
       sum(iif(c.kind = 'sent', c.cost_pico, 0)), max(c.started)
FROM ({OPEN}) open JOIN call c ON {OF_OPEN.format(part="c")}
"""


def glance(directory: Path) -> dict[str, Any]:
    """A line of a list of runs. Raises NoRun."""
    with opened(directory) as db:
        run = _run(db)
        matches, last = _matches(db)
        sure, possible = db.execute("SELECT sum(cost_pico), sum(possibly_pico) FROM tally").fetchone()
        open_sure, open_possible, out, started = db.execute(OPEN_BILL).fetchone()
        about = _about(directory, run)
        coming = (
            (out or 0) if about["status"] in ("running", "paused") else 0
        )  # else nobody waits for it any more
        return {
            **about,
            "planned": _planned(run),
            "finished_matches": matches["finished"],
            "spent_usd": ((sure or 0) + (open_sure or 0)) / PICO,
            "possibly_usd": ((possible or 0) + (open_possible or 0) + (out or 0) - coming) / PICO,
            "out_usd": coming / PICO,
            "last": max(run["created"], run["finished"] or 0, last, started or 0),
        }


def _run(db: sqlite3.Connection) -> dict[str, Any]:
    names = ("id", "kind", "status", "reason", "seed", "request", "budget_pico", "created", "finished")
    row = db.execute(f"SELECT {', '.join(names)} FROM run ORDER BY rowid").fetchone()
    if row is None:
        raise NoRun("no run began in it")
    run = dict(zip(names, row, strict=True))
    run["request"] = json.loads(run["request"])
    return run


def _about(directory: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is and how it stands, in words."""
    return {
        "run": run["id"],
        "output": str(directory),
        "kind": str(run["kind"]),
        "who": _who(run["request"]),
        "game": _games(run["request"]),
        "status": state(str(run["status"]), str(run["reason"]), directory),
        "reason": str(run["reason"]),
        "created": float(run["created"]),
        "finished": run["finished"],
    }


def state(status: str, reason: str, directory: Path) -> str:
    """What is on record as `status`, or what came of it: a run that says it is played, but by nobody, died."""
    if status in GOING:
        return status if is_alive(directory) else DIED
    return BUDGET_REACHED if status == "stopped" and reason.startswith("the budget ") else status


def _who(request: Mapping[str, Any]) -> str:
    if "control" in request:
        arms = len(request["arms"])
        return f"{str(request['control']).partition('?')[0]} and {arms} arm{'' if arms == 1 else 's'}"
    models = request.get("models") or ("active" in request and request["players"])
    names = [str(spec).partition("?")[0] for spec in models or request["players"]]
    return ", ".join(names) if models or "positions" in request else " vs ".join(names)


def _games(request: Mapping[str, Any]) -> str:
    if "positions" in request:
        saved = (read_header(bytes.fromhex(position)) for position in request["positions"])
        return ", ".join(dict.fromkeys(game for game, _ in saved))
    return ", ".join(str(each["game"]) for each in request.get("games") or [request])


def _planned(run: Mapping[str, Any]) -> int | None:
    """How many matches were asked for; None where this installation does not know the games."""
    request = run["request"]
    if run["kind"] == "probe":
        return int(request["pairs"])
    if "players" in request and run["kind"] != "tournament":
        return int(request["pairs"]) * len(request["players"])
    from orchestrator.programme import GameShare, Opponent, Programme

    try:
        if run["kind"] == "tournament":
            return int(request["pairs"]) * GameShare(request["game"], request["variant"]).seats
        games = [GameShare(**each) for each in request["games"]]
        seats = {each.seats for each in games}
        if len(seats) == 1:
            return int(request["pairs"]) * seats.pop()
        opponents = [Opponent(**each) for each in request["opponents"]]
        models = request.get("models")
        if run["kind"] == "ablate":
            models = [request["control"], *request["null"] * [request["control"]], *request["arms"]]
        programme = Programme(models, opponents, games, request["seed"])
        return programme.matches(request["pairs"])
    except ValueError:
        return None


def _matches(db: sqlite3.Connection) -> tuple[Counter[str], float]:
    """How many there are of each status, and when the last of them began or ended."""
    counts: Counter[str] = Counter()
    last = 0.0
    for status, count, when in db.execute(
        "SELECT status, count(*), max(coalesce(finished, started)) FROM match GROUP BY status"
    ):
        counts[status] = count
        last = max(last, when or 0)
    return counts, last


# ── one run ──────────────────────────────────────────────────────────────────────────────────────

TOLD = f"SELECT player, {', '.join(f'sum({name})' for name in SUMMED)} FROM tally GROUP BY player"

MADE = f"""
SELECT d.player, d.mode IN ('bot', 'human'), d.outcome, d.illegal, d.latency_ms, d.decided
FROM ({OPEN}) open JOIN decision d ON {OF_OPEN.format(part="d")}
"""

ASKED = f"""
SELECT c.player, count(*), sum(c.kind NOT IN ('ok', 'sent')),
       sum(c.input_fresh + c.cache_read + c.cache_write_short + c.cache_write_long),
       sum(c.cache_read), sum(c.output), sum(c.reasoning),
       sum(iif(c.possibly_billed, 0, c.cost_pico)),
       sum(iif(c.possibly_billed AND c.kind != 'sent', c.cost_pico, 0)), sum(c.price IS NULL),
       sum(c.kind = 'sent'), sum(iif(c.kind = 'sent', c.cost_pico, 0)), max(c.started)
FROM ({OPEN}) open JOIN call c ON {OF_OPEN.format(part="c")} GROUP BY c.player
"""
ASKED_NAMES = (*SUMMED[4:], "out", "out_pico")

TROUBLED = f"""
SELECT * FROM (SELECT DISTINCT match AS id FROM tally WHERE failed_calls > 0 ORDER BY match DESC LIMIT {FAILED})
UNION ALL {OPEN}
"""
FAILURES = f"""
SELECT c.player, c.kind, count(*) FROM ({TROUBLED}) open JOIN call c ON {OF_OPEN.format(part="c")}
WHERE c.kind NOT IN ('ok', 'sent') GROUP BY c.player, c.kind
"""
ERRORS = f"""
SELECT max(c.started), c.player, c.kind, c.http_status, c.error, count(*)
FROM ({TROUBLED}) open JOIN call c ON {OF_OPEN.format(part="c")} WHERE c.kind NOT IN ('ok', 'sent')
GROUP BY c.player, c.kind, c.http_status, c.error ORDER BY 1 DESC LIMIT {SHOWN}
"""
VOIDS = f"SELECT finished, id, reason FROM match WHERE status = 'void' ORDER BY finished DESC LIMIT {SHOWN}"
REFUSED = f"SELECT submitted, id, error FROM wave WHERE error != '' ORDER BY submitted DESC LIMIT {SHOWN}"

RECENTLY = f"""
WITH open AS (SELECT id FROM match WHERE status NOT IN {OVER} OR finished >= ?)
SELECT count(*), min(at), total(pico) FROM (
    SELECT d.decided AS at, 0 AS pico FROM open JOIN decision d ON {OF_OPEN.format(part="d")} WHERE d.decided >= ?
)
UNION ALL
SELECT count(*), min(at), total(pico) FROM (
    SELECT c.started AS at, iif(c.kind = 'sent', 0, c.cost_pico) AS pico
    FROM open JOIN call c ON {OF_OPEN.format(part="c")} WHERE c.started >= ?
)
"""


def standing(directory: Path, now: float | None = None) -> dict[str, Any]:
    """All that one wants to know of a run that is played or was; `now` is in Unix seconds. Raises NoRun."""
    now = time.time() if now is None else now
    with opened(directory) as db:
        run = _run(db)
        about = _about(directory, run)
        matches, last = _matches(db)
        players, asked_last, decided_last = _players(db, alive=about["status"] in GOING)
        waves = _waves(db, now)
        planned = _planned(run)
        spent = sum(player["all_pico"] for player in players)
        _add_walls(players, run)
        return {
            **about,
            "seed": run["seed"],
            "request": run["request"],
            "last": max(run["created"], run["finished"] or 0, last, asked_last, decided_last),
            "matches": {
                "planned": planned,
                "finished": matches["finished"],
                "open": matches["running"] + matches["stopped"],
                "void": matches["void"],
            },
            "decisions": sum(player["decisions"] for player in players),
            "calls": sum(player["calls"] for player in players),
            "out": sum(player["out"] for player in players),
            "rate": _rate(db, about, planned, matches, waves, now),
            "cost": {
                "spent_usd": sum(player["cost_usd"] for player in players),
                "possibly_usd": sum(player["possibly_usd"] for player in players),
                "out_usd": sum(player["out_usd"] for player in players),
                "budget_usd": _usd(run["budget_pico"]),
                "left_usd": _usd(None if run["budget_pico"] is None else max(0, run["budget_pico"] - spent)),
                "unpriced_calls": sum(player["unpriced_calls"] for player in players),
            },
            "tokens": {
                name: sum(player[f"{name}_tokens"] for player in players)
                for name in ("input", "cached", "output", "reasoning")
            },
            "players": [
                {name: value for name, value in player.items() if not name.endswith("_pico")}
                for player in players
            ],
            "failures_of_newest": FAILED if _failed_matches(db) > FAILED else None,
            "waves": waves,
            "trouble": _trouble(db, {player["number"]: player["label"] for player in players}),
            "go_on": go_on(about, run, players),
        }


def _usd(pico: int | None) -> float | None:
    return None if pico is None else pico / PICO


def _players(db: sqlite3.Connection, *, alive: bool) -> tuple[list[dict[str, Any]], float, float]:
    """Every player with what its part came to so far; when the last call left, and the last move was made.

    A call that is out while nobody plays may have been billed.
    """
    names = ("number", "label", "spec", "kind", "model")
    rows = db.execute("SELECT id, label, spec, kind, model FROM player ORDER BY id")
    players = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    sums = {number: dict.fromkeys((*SUMMED, "out", "out_pico"), 0) for number in players}
    times: dict[int, Counter[int]] = {number: Counter() for number in players}
    for number, *told in db.execute(TOLD):
        _add(sums[number], SUMMED, told)
    for number in players:
        packed = b"".join(
            latencies
            for (latencies,) in db.execute("SELECT latencies FROM tally WHERE player = ?", (number,))
        )
        times[number].update(_tenths(packed))
    decided_last = asked_last = 0.0
    for number, no_model, outcome, illegal, latency_ms, decided in db.execute(MADE):
        wrong = not no_model and outcome != "ok"
        _add(sums[number], SUMMED[:4], (1, illegal, wrong, outcome == "fallback"))
        if not no_model:
            times[number][round(latency_ms * 10)] += 1
        decided_last = max(decided_last, decided)
    for number, *asked, started in db.execute(ASKED):
        _add(sums[number], ASKED_NAMES, asked)
        asked_last = max(asked_last, started)
    failures = _failures(db)
    forfeits = _forfeits(db)
    for number, player in players.items():
        if not alive:
            sums[number]["possibly_pico"] += sums[number].pop("out_pico")
            sums[number]["out_pico"] = 0
        player |= _figures(sums[number], times[number])
        player["failures"] = dict(failures.get(number, Counter()).most_common())
        player["forfeits"] = dict(forfeits.get(number, Counter()).most_common())
    return list(players.values()), asked_last, decided_last


def _add(sums: dict[str, int], names: Sequence[str], more: Iterable[int | None]) -> None:
    for name, value in zip(names, more, strict=True):
        sums[name] += value or 0


def _tenths(packed: bytes) -> array[int]:
    """As `times` in record/tallies.py."""
    found = array("I", packed)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _figures(sums: Mapping[str, int], times: Counter[int]) -> dict[str, Any]:
    median, late = _shares(times, (0.5, 0.95))
    return {
        **{name: value for name, value in sums.items() if not name.endswith("_pico")},
        "asked": times.total(),
        "latency_ms": median,
        "latency_p95_ms": late,
        "cost_usd": sums["cost_pico"] / PICO,
        "possibly_usd": sums["possibly_pico"] / PICO,
        "out_usd": sums["out_pico"] / PICO,
        "all_pico": sums["cost_pico"] + sums["possibly_pico"] + sums["out_pico"],
    }


def _shares(times: Counter[int], shares: Sequence[float]) -> list[float | None]:
    """The milliseconds within which those shares (ascending) were made; None without any."""
    found: list[float | None] = []
    reached, total = 0, times.total()
    for tenths in sorted(times):
        reached += times[tenths]
        while len(found) < len(shares) and reached >= math.ceil(shares[len(found)] * total):
            found.append(tenths / 10)
    return found or [None] * len(shares)


def _failures(db: sqlite3.Connection) -> dict[int, Counter[str]]:
    """Failed calls of every player by kind: of all matches, or of the newest where very many had some."""
    found: dict[int, Counter[str]] = {}
    for player, kind, count in db.execute(FAILURES):
        found.setdefault(player, Counter())[str(kind)] = count
    return found


def _failed_matches(db: sqlite3.Connection) -> int:
    query = "SELECT count(DISTINCT match) FROM tally WHERE failed_calls > 0"
    return int(db.execute(query).fetchone()[0])


def _forfeits(db: sqlite3.Connection) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = {}
    for player, why in db.execute("SELECT player, forfeit FROM seat WHERE forfeit != ''"):
        found.setdefault(player, Counter())[str(why).partition(":")[0]] += 1
    return found


def _trouble(db: sqlite3.Connection, labels: Mapping[int, str]) -> list[dict[str, Any]]:
    """What went wrong last, oldest first; the same failure of several calls once."""
    found = [
        {"at": at, "of": match.rpartition("-")[2], "what": "void", "text": why, "times": 1}
        for at, match, why in db.execute(VOIDS)
    ]
    found += [
        {
            "at": at,
            "of": labels[player],
            "what": kind if status is None else f"{kind} {status}",
            "text": error,
        }
        | {"times": times}
        for at, player, kind, status, error, times in db.execute(ERRORS)
    ]
    found += [
        {"at": at, "of": f"wave {wave.rpartition('-')[2]}", "what": "refused", "text": error, "times": 1}
        for at, wave, error in db.execute(REFUSED)
    ]
    return sorted(found, key=lambda each: float(each["at"] or 0))[-SHOWN:]


def _waves(db: sqlite3.Connection, now: float) -> list[dict[str, Any]]:
    """Those that are out, oldest first."""
    query = """
        SELECT wave.id, label, batch, wave.status, calls, submitted FROM wave JOIN player ON player.id = wave.player
        WHERE wave.status != 'closed' ORDER BY submitted
    """
    return [
        {
            "id": id,
            "player": label,
            "batch": batch,
            "status": status,
            "calls": calls,
            "age_s": round(now - submitted, 1),
        }
        for id, label, batch, status, calls, submitted in db.execute(query)
    ]


# ── how fast ─────────────────────────────────────────────────────────────────────────────────────


def _rate(
    db: sqlite3.Connection,
    about: Mapping[str, Any],
    planned: int | None,
    matches: Counter[str],
    waves: Sequence[Any],
    now: float,
) -> dict[str, float | None] | None:
    """What was done lately, each an hour; None where nobody plays or nothing happened.

    The window begins with the first thing that happened in it: a run that was just resumed has no hole in it.
    Time left goes by decisions, because matches that began together end together; None until one has ended.
    """
    if about["status"] != "running":
        return None
    window = WAVES_WINDOW_S if waves else WINDOW_S
    row = db.execute(
        "SELECT finished FROM match WHERE finished >= ? ORDER BY finished DESC LIMIT 1 OFFSET ?",
        (now - window, RECENT),
    ).fetchone()
    since = row[0] if row else now - window
    (decisions, first, _), (calls, first_call, pico) = db.execute(RECENTLY, (since, since, since)).fetchall()
    if not decisions:
        return None
    seconds = max(1.0, now - min(first, first_call or first))
    (ended,) = db.execute(
        "SELECT count(*) FROM match WHERE finished >= ? AND status = 'finished'", (since,)
    ).fetchone()
    hour = 3600 / seconds
    return {
        "window_s": round(seconds, 1),
        "matches_per_hour": ended * hour,
        "decisions_per_hour": decisions * hour,
        "calls_per_hour": calls * hour,
        "usd_per_hour": pico / PICO * hour,
        "left_s": _left(db, planned, matches, decisions / seconds),
    }


def _left(
    db: sqlite3.Connection, planned: int | None, matches: Counter[str], per_second: float
) -> float | None:
    if planned is None or not matches["finished"]:
        return None
    over, made = db.execute("SELECT count(DISTINCT match), sum(decisions) FROM tally").fetchone()
    (begun,) = db.execute(
        f"SELECT count(*) FROM ({OPEN}) open JOIN decision d ON {OF_OPEN.format(part='d')}"
    ).fetchone()
    left: float = (planned - matches["finished"]) * made / over - begun
    return max(0.0, left) / per_second


# ── how it goes on ───────────────────────────────────────────────────────────────────────────────


def _add_walls(players: Iterable[dict[str, Any]], run: Mapping[str, Any]) -> None:
    """What each player may spend, where it has a wall of its own."""
    listed = list(players)
    given = [str(wall) for wall in run["request"].get("max_cost") or ()]
    names = [names_of(player["label"], player["spec"], player["model"]) for player in listed]
    try:
        found = walls(given, names)
    except ValueError:
        found = {}
    for player in listed:
        wall = found.get(player["number"])
        player["budget_usd"] = _usd(wall)
        player["left_usd"] = _usd(None if wall is None else max(0, wall - player["all_pico"]))


def go_on(
    about: Mapping[str, Any], run: Mapping[str, Any], players: Sequence[Mapping[str, Any]]
) -> list[str] | None:
    """The words after `orchestrator` with which the run goes on; None where it is played or everything was."""
    status = about["status"]
    if status == "paused":
        return ["resume", about["output"]]
    if status in ("running", ENDED_WELL):
        return None
    words = [about["kind"], "--output", about["output"], "--resume"]
    if status == BUDGET_REACHED:
        for wall in raised(run["request"].get("max_cost") or (), about["reason"], players):
            words += ["--max-cost", wall]
    return words


def raised(given: Iterable[str], reason: str, players: Sequence[Mapping[str, Any]]) -> list[str]:
    """The walls as they were given, those that were met twice as high: whoever pastes it decides."""
    found = []
    for wall in map(str, given):
        whose, of_player, amount = wall.rpartition("=")
        met = not reason.startswith("the budget of ")
        if of_player:
            labels = [
                player["label"]
                for player in players
                if whose == str(player["number"])
                or whose in names_of(player["label"], player["spec"], player["model"])
            ]
            met = any(reason.startswith(f"the budget of {label} ") for label in labels)
        elif not met:
            found.append(wall)
            continue
        higher = f"{2 * float(amount.removeprefix('$')):g}" if met else amount
        found.append(f"{whose}{of_player}{higher}")
    return found


# ── where runs are ───────────────────────────────────────────────────────────────────────────────

RUNS = Path("runs")


def runs_in(place: Path) -> list[Path]:
    """A run's own directory, or those in a folder of runs: directories that hold a record or look like a run's."""
    if _is_run(place):
        return [place]
    try:
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise NoRun(
            f"{place} cannot be listed ({error.strerror}): expected a run's directory or a folder of runs"
        ) from None


def _is_run(place: Path) -> bool:
    try:
        return (place / RECORD_FILE).exists()
    except OSError:  # no name that a file can have
        return False


def find_run(name: str, runs: Path = RUNS) -> Path:
    """The directory of a run: named whole, by its name in `runs`, or by an unambiguous end of that. Raises NoRun."""
    for path in (Path(name), runs / name):
        if path.name == RECORD_FILE and path.is_file():
            return path.parent
        if _is_run(path):
            return path
    known = [path for path in (runs_in(runs) if runs.is_dir() else []) if _is_run(path)]
    end = name.rstrip("/")
    found = [path for path in known if end and path.name.endswith(end)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoRun(f"{len(found)} runs end in {name!r}: {_some(found)}; name one whole")
    there = f"{runs}/ has {_some(known)}" if known else f"there is none in {runs}/"
    raise NoRun(f"there is no run {name!r}: {there}")


def _some(paths: Sequence[Path]) -> str:
    """The newest names, where directories are named by time."""
    newest = [path.name for path in reversed(paths)]
    return ", ".join(newest[:6]) + (f" and {len(newest) - 6} more" if len(newest) > 6 else "")
