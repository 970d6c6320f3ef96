"""`DIR/run.toml`: what was asked of a run, for people to read; and what may change when the run goes on.

The record decides. What is asked now, on the command line or by editing the file, is held against it in the words
of the file: what says only how the run is played takes effect, a run for data and a tournament may be made longer,
everything else is refused by name. A duel and an ablation are not made longer: whoever plays on until the result
pleases has none.
The file may be lost; it is written again when the run goes on. It holds no key, because nothing that was asked does.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from orchestrator.model import Conduct
from orchestrator.programme import game_text
from orchestrator.record.database import RecordError
from orchestrator.record.store import Record
from orchestrator.request import (
    AblateRequest,
    GenerateRequest,
    ProbeRequest,
    Request,
    Terms,
    TournamentRequest,
    request_on_record,
)

RUN_FILE = "run.toml"
HOW = "how"  # the section of what may be changed

ABOUT: Mapping[str, str] = {
    "players": "who plays: an alias stands here as what it stood for",
    "models": "who plays: an alias stands here as what it stood for",
    "control": "what the arms are held against: an alias stands here as what it stood for",
    "arms": "each differs from the control in what is to be judged",
    "null": "true: the control sits down twice, which shows what chance alone does",
    "game": "what is played",
    "sprt": "two hypotheses of Elo; it stops where one is accepted",
    "until_ci": "±Elo; it stops where the interval is as narrow",
    "source": "the run in which the positions were found",
    "positions": "how many there are; they stand in the record",
    "repeats": "how often each is shown again as it is",
    "symmetries": "in how many other ways, mirrored or turned, at most",
    "relabel": "true: and once with the marks of the seats exchanged",
    "opponent": "who the models play against, and in which proportion",
    "games": "matches, whole pairs of them: everybody plays a deal from every seat",
    "pairs": "in all; each is two matches, or as many as a table has seats",
    "active": "true: pairs are chosen by what they tell of the ranks for their money",
    "step": "of an active tournament: pairs chosen at a time",
    "until_ranked": "likewise: it stops once no rank is open by more places",
    "seed": "one seed gives one result",
    "opening": "random plies before each pair begins",
    "price": "$ per million tokens, as IN,OUT, for models without a known price",
    "unpriced": "true: what a model without a known price costs is not counted",
    "conduct": "How models are asked, where a player's own options say nothing else",
    "style": "prompt style",
    "mode": "in which form a model answers: auto, json, text or decision",
    "track": "open: legal moves are listed; rules: they are not",
    "reasks": "how often a wrong answer is asked again",
    "fallback": "and after that: forfeit, or a random move",
    "effort": "reasoning effort; without one it is low, where a model shows its thoughts only then",
    "temperature": "without one it is the service's own",
    "max_tokens": "longest answer, thinking included",
    "timeout": "seconds for one call",
    "tier": "the service's queue: standard, flex, priority or batch",
    "forecast": "true: a model is also asked which score it expects",
    HOW: "How it is played. These may be changed whenever the run goes on",
    "concurrency": "matches at once",
    "attempts": "tries of one call before its match is void",
    "max_cost": 'dollars that may be spent, as "5", and by one player, as "PLAYER=2"',
    "max_voids": "the share of matches that may be void before the run stops itself",
    "limits": 'what a service may be sent, as "rpm=500,tpm=200000,calls=20" or "MODEL:rpm=500"; found out else',
    "cassette": "the folder where calls are taped",
    "preflight": "true: one tiny call to every model before the first match",
}


def document(request: Request) -> dict[str, Any]:
    """What was asked in the words of the file; None where an option is not set."""
    data = request.to_json()
    how = {name: data.pop(name) for name in request.HOW}
    conduct = data.pop("conduct")
    pairs = data.pop("pairs")
    games = request.matches
    if isinstance(request, GenerateRequest):
        models, _, _ = data.pop("models"), data.pop("opponents"), data.pop("games")
        return {"models": models, "games": games, **data, **_mixes(request), "conduct": conduct, HOW: how}
    if isinstance(request, AblateRequest):
        who = {name: data.pop(name) for name in ("control", "arms", "null")}
        del data["opponents"], data["games"]
        return {**who, "games": games, **data, **_mixes(request), "conduct": conduct, HOW: how}
    if isinstance(request, ProbeRequest):
        players, positions = data.pop("players"), len(data.pop("positions"))
        asked = {"players": players, "source": data.pop("source"), "positions": positions}
        del data["opening"]
        return {**asked, **data, "conduct": conduct, HOW: how}
    unit = {"pairs": pairs} if isinstance(request, TournamentRequest) else {"games": games}
    players, name, variant = data.pop("players"), data.pop("game"), data.pop("variant")
    game = game_text(name, variant)
    return {"players": players, "game": game, **unit, **data, "conduct": conduct, HOW: how}


def _mixes(request: GenerateRequest | AblateRequest) -> dict[str, dict[str, float]]:
    return {
        "opponent": {each.spec: each.weight for each in request.opponents},
        "game": {str(each): each.weight for each in request.games},
    }


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


def write(directory: Path, request: Request) -> None:
    """Write the file, whole or not at all."""
    path = directory / RUN_FILE
    new = path.with_suffix(".toml.new")
    new.write_text(_toml(request), encoding="utf-8")
    new.replace(path)


def read(directory: Path) -> dict[str, Any] | None:
    """What the file says; None where there is none. Raises RecordError where it cannot be read."""
    path = directory / RUN_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{path} cannot be read ({error}): mend or delete it, the record knows what was asked"
        ) from None


def _toml(request: Request) -> str:
    grows = {"generate": "games", "tournament": "pairs"}.get(request.KIND)
    may_grow = f", and `{grows}` may be made more" if grows else ""
    return f"""\
# What was asked of this run, an `orchestrator {request.KIND}`. To go on with it:
#
#     orchestrator {request.KIND} --resume --output DIRECTORY
#
# Before that, what stands under [{HOW}] may be changed{may_grow}.
# Everything else is fixed since the run began: to have it otherwise, begin another run.

""" + "".join(_entry(name, value) for name, value in document(request).items())


def _entry(name: str, value: Any) -> str:
    """One option with what it is about, or a section of them."""
    import tomli_w

    about = f"# {ABOUT[name]}"
    if name in ("conduct", HOW):
        return f"\n{about}\n[{name}]\n" + "".join(_entry(key, each) for key, each in value.items())
    if isinstance(value, dict):
        return f"\n{about}\n{tomli_w.dumps({name: value})}"
    if value is None:
        return f"# {name} is not set: {ABOUT[name]}\n"
    said = tomli_w.dumps({name: value})
    return f"{about}\n{said}" if isinstance(value, list) else f"{said.rstrip()}  {about}\n"


# ── going on ─────────────────────────────────────────────────────────────────────────────────────


def resumed_request(record: Record, asked: Mapping[str, Any]) -> Request:
    """The request on record, played as the file and then what is asked now have it.

    `asked` are fields of the request. RecordError names what is asked otherwise than it was, ValueError what
    nobody can be asked.
    """
    known = request_on_record(record)
    edited = _edited(known, read(record.directory), record.directory)
    conduct = replace(known.conduct, **asked.get("conduct", {}))
    wanted = replace(known, **{**edited, **asked, "conduct": conduct})
    _refuse_other(known, _flat(document(wanted)), "asked", record.directory)
    return wanted


def _edited(known: Request, said: Mapping[str, Any] | None, directory: Path) -> dict[str, Any]:
    """The fields that the file has otherwise than the record and may have so."""
    if said is None:
        return {}
    flat = {**_left_out(known), **_flat(said)}
    _refuse_other(known, flat, f"in {RUN_FILE}", directory)
    changed = {name: flat[f"{HOW}.{name}"] for name in known.HOW}
    if isinstance(known, GenerateRequest) and flat["games"] != known.matches:
        changed["pairs"] = known.longer(flat["games"]).pairs
    if isinstance(known, TournamentRequest):
        changed["pairs"] = flat["pairs"]
    try:
        replace(known, **changed)
    except ValueError as error:
        raise RecordError(f"{directory / RUN_FILE}: {error}") from None
    return changed


def _left_out(known: Request) -> dict[str, Any]:
    """What an option is that the file leaves out: its default, or nothing where it has none."""
    defaults = {field.name: field.default for field in fields(Terms) if field.name != "seed"}
    defaults |= asdict(Conduct())
    return {name: defaults.get(name.rpartition(".")[2]) for name in _flat(document(known))}


def _refuse_other(known: Request, wanted: Mapping[str, Any], where: str, directory: Path) -> None:
    on_record = _flat(document(known))
    differences = [
        f"{name.removeprefix('conduct.')}: {_told(on_record.get(name))} on record, {_told(value)} {where}"
        for name, value in wanted.items()
        if value != on_record.get(name) and not _may_change(known, name, value)
    ]
    if differences:
        raise RecordError(
            f"{directory} was begun with another request ({'; '.join(differences)}): "
            + (
                f"set that back in {RUN_FILE}"
                if RUN_FILE in where
                else "go on with --resume and --output alone"
            )
            + ", or begin a new run"
        )


def _may_change(known: Request, name: str, value: Any) -> bool:
    if isinstance(known, GenerateRequest) and name == "games":
        return isinstance(value, int) and value > known.matches
    if isinstance(known, TournamentRequest) and name == "pairs":
        return isinstance(value, int) and value > known.pairs
    return name in [f"{HOW}.{option}" for option in known.HOW]


def _flat(said: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a file by name, those of its sections as section.name; a mix is one value."""
    flat: dict[str, Any] = {}
    for name, value in said.items():
        if name in ("conduct", HOW) and isinstance(value, dict):
            flat |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            flat[name] = value
    return flat


def _told(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
