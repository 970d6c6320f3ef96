"""The dataset card: `README.md` for people, its front matter for the Hub and `load_dataset`, both from the manifest.

Nothing is told that the manifest does not hold, and what the front matter says of the files is checked against
them by `faults`: the Hub's own validator asks the Hub. Names of players, snapshots, filters and the command are
other people's texts: they are drawn as plain text, whatever they hold (`card.md.j2` has the words around them).

The license is `other`, with the sources' terms in `LICENSE.md`, unless every source permits training; then it is
this software's own. What a set may be used for is not decided here.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from orchestrator.export import features
from orchestrator.export.columns import DECISIONS, GAMES
from orchestrator.export.example import SHAPES
from orchestrator.export.figures import UNKNOWN
from orchestrator.export.plots import draw
from orchestrator.export.splits import SPLITS

CARD, LICENSE = "README.md", "LICENSE.md"
CHECKED = 1000  # rows of each file that are held against the front matter when it is written
OWN_LICENSE = "mit"  # of what this software makes
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
KINDS = {
    "sft": "supervised fine-tuning: learn what was played well",
    "pref": "preferences: which of two answers was better",
    "format-pref": "preferences: a legal answer before the first wrong one",
    "kto": "judged answers: whether an answer was good",
    "rl-prompts": "questions with a reward for any answer",
    "rl-arrays": "observations, actions and rewards as arrays",
    "tables": "all that is known of every decision and match",
}
TASKS = {
    "tables": ("text-generation", "reinforcement-learning"),
    "rl-prompts": ("text-generation", "reinforcement-learning"),
    "rl-arrays": ("reinforcement-learning",),
}
REASONING = {
    "none": "without any",
    "raw": "as the model thought it",
    "summary": "summed up by the service",
    "solver": "made from exact values",
}
SPLIT = {
    "auto": "position up to symmetry, or by deal where cards are hidden",
    "position": "position up to symmetry",
    "deal": "deal",
    "pair": "pair of matches",
    "match": "match",
}
STEPS = {
    "passed": "passed all filters and terms",
    "parted": "not known from training by another way",
    "different": "say something different",
    "reasked": "asked again after an answer that was no legal move",
    "taken": "taken",
}
TRL = {
    "sft": """\
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

data = load_dataset("FOLDER", "default")
trainer = SFTTrainer(
    model="Qwen/Qwen3-0.6B",
    args=SFTConfig(output_dir="tuned", max_length=2048),
    train_dataset=data["train"],
)
trainer.train()  # the loss is on the completion alone""",
    "pref": """\
from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

data = load_dataset("FOLDER", "default")
trainer = DPOTrainer(
    model="Qwen/Qwen3-0.6B",
    args=DPOConfig(output_dir="tuned", max_length=2048),
    train_dataset=data["train"],
)
trainer.train()""",
    "kto": """\
from datasets import load_dataset
from trl import KTOConfig, KTOTrainer

data = load_dataset("FOLDER", "default")
trainer = KTOTrainer(
    model="Qwen/Qwen3-0.6B",
    args=KTOConfig(output_dir="tuned", max_length=2048),
    train_dataset=data["train"],
)
trainer.train()  # it needs good and bad ones""",
    "rl-prompts": """\
import sys

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

sys.path.insert(0, "FOLDER")
from reward import reward

data = load_dataset("FOLDER", "default")
trainer = GRPOTrainer(
    model="Qwen/Qwen3-0.6B",
    reward_funcs=reward,
    args=GRPOConfig(output_dir="tuned", num_generations=8, max_completion_length=512),
    train_dataset=data["train"],
)
trainer.train()""",
}
FOLDER = "path/to/this/folder"
WHOLE = "rows"  # the one part of what is not parted; `all` means something else to `datasets`


# ── front matter ─────────────────────────────────────────────────────────────────────────────────────


def front(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter of a card, plain values."""
    files = {file["name"]: file for file in manifest["files"]}
    parts = _parts(files)
    kind, games = manifest["asked"]["kind"], list(manifest["figures"]["games"])
    rows = sum(manifest["figures"]["rows"].values())
    told: dict[str, Any] = {"license": _license(manifest)}
    if told["license"] == "other":
        told |= {"license_name": "terms-of-its-sources", "license_link": LICENSE}
    told |= {
        "language": ["en"],
        "pretty_name": _name(manifest),
        "size_categories": [size(rows)],
        "task_categories": list(TASKS.get(kind, ("text-generation",))),
        "tags": ["duelist", "games", *games, kind, *filter(None, [manifest["asked"]["target"]])],
        "source_datasets": ["original"],
        "annotations_creators": ["machine-generated"],
    }
    # `load_dataset` reads all configurations of a folder alike: tables of Parquet do not stand beside lines of JSON.
    configs = [_config("default", {split: file["name"] for split, file in parts.items()})] if parts else []
    about = [_info(manifest, parts)] if parts and manifest["figures"]["features"] else []
    configs += [_config(game, {WHOLE: f"{game}.parquet"}) for game in games if f"{game}.parquet" in files]
    for name, columns in (("decisions", DECISIONS), ("games", GAMES)):
        for file in (
            each for each in files if not parts and re.fullmatch(rf"(tables/)?{name}\.parquet", each)
        ):
            configs.append(_config(name, {WHOLE: file}))
            about.append({"config_name": name, "features": features.of_table(columns)})
    return told | ({"configs": configs} if configs else {}) | ({"dataset_info": about} if about else {})


@cache
def licenses() -> frozenset[str]:
    """Identifiers that the Hub knows (huggingface.co/docs/hub/repositories-licenses), but those of single models."""
    return frozenset((Path(__file__).parent / "licenses.txt").read_text("utf-8").split())


def size(rows: int) -> str:
    """The Hub's bin of so many rows."""
    return next((name for end, name in SIZES if rows < end), "n>1T" if rows >= 10**12 else "1B<n<10B")


def _parts(files: Mapping[str, Any]) -> dict[str, Any]:
    """The file of each part that `load_dataset` can read."""
    found = {split: files.get(f"{split}.jsonl") or files.get(f"{split}.parquet") for split in SPLITS}
    return {split: file for split, file in found.items() if file is not None}


def _config(name: str, paths: Mapping[str, str]) -> dict[str, Any]:
    return {
        "config_name": name,
        "data_files": [{"split": split, "path": path} for split, path in paths.items()],
    }


def _info(manifest: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    splits = [
        {"name": split, "num_bytes": file["bytes"], "num_examples": file["rows"]}
        for split, file in parts.items()
    ]
    total = sum(each["num_bytes"] for each in splits)
    return {
        "config_name": "default",
        "features": manifest["figures"]["features"],
        "splits": splits,
        "download_size": total,
        "dataset_size": total,
    }


def _license(manifest: Mapping[str, Any]) -> str:
    kept = [each for each in manifest["sources"] if each["decisions"]]
    return OWN_LICENSE if all(each["says"] in ("own data", "permits") for each in kept) else "other"


def _name(manifest: Mapping[str, Any]) -> str:
    games, asked = manifest["figures"]["games"], manifest["asked"]
    return f"Play of {', '.join(games)}{' for ' if asked['target'] else ''}{asked['target']}: {asked['kind']}"


def as_yaml(value: Any, indent: str = "") -> str:
    """Plain values as YAML in blocks; texts that YAML could take for something else in quotes, as JSON has them."""
    if isinstance(value, Mapping):
        return "".join(f"{indent}{key}:{_after(each, indent)}" for key, each in value.items())
    lines = []
    for each in value:
        told = as_yaml(each, indent + "  ") if isinstance(each, Mapping) else f"{indent}  {_scalar(each)}\n"
        lines.append(f"{indent}- {told[len(indent) + 2 :]}")
    return "".join(lines)


def _after(value: Any, indent: str) -> str:
    if isinstance(value, Mapping):
        return "\n" + as_yaml(value, indent + "  ")
    if isinstance(value, list):
        return "\n" + as_yaml(value, indent) if value else " []\n"
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    words = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    if isinstance(value, str) and re.fullmatch(r"[a-zA-Z][\w./-]*", value) and value.lower() not in words:
        return value
    return json.dumps(value)


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────


def card(
    manifest: Mapping[str, Any], leakage: Mapping[str, Any], example: str, plots: Mapping[str, str]
) -> str:
    """The whole page; `example` is one row as JSON, `plots` are files with what they show."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    about = front(manifest)
    files = [file["name"] for file in manifest["files"]]
    by_terms = {each["terms"]["id"]: each for each in manifest["sources"]}
    room = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    room.filters |= {
        "md": plain, "code": code, "fence": fence, "url": _url, "n": "{:,}".format, "share": _share,
        "usd": _usd, "spread": _spread,
    }  # fmt: skip
    body: str = room.get_template("card.md.j2").render(
        name=about["pretty_name"],
        license=about["license"],
        kind=manifest["asked"]["kind"],
        shape=SHAPES.get(manifest["asked"]["kind"], manifest["asked"]["kind"]),
        target=manifest["asked"]["target"],
        games=list(manifest["figures"]["games"]),
        rows=sum(manifest["figures"]["rows"].values()),
        splits=[split for split in SPLITS if split in manifest["figures"]["rows"]],
        models=[each | _said(by_terms[each["terms"]]) for each in manifest["figures"]["models"]],
        left_out=[each for each in manifest["sources"] if each["left_out"]],
        runs=manifest["figures"]["runs"],
        leakage=leakage,
        measures=next(iter(leakage.values()), {}),
        example=shortened(example),
        plots=plots,
        folder=FOLDER,
        loadable="train.jsonl" in files,
        table=next((name for name in files if name.endswith("decisions.parquet")), ""),
        arrays=[name for name in files if name.endswith(".npz")],
        sidecars=any(name.endswith(".ids.jsonl") for name in files),
        **{name: manifest[name] for name in HANDED},
        **CONSTANTS,
    )
    return f"---\n{as_yaml(about)}---\n\n{body}"


HANDED = ("seen", "made_by", "files", "filters", "steps", "asked", "figures", "command", "restricted")
CONSTANTS = {
    "KINDS": KINDS, "REASONING": REASONING, "SPLIT": SPLIT, "STEPS": STEPS, "TRL": TRL, "UNKNOWN": UNKNOWN
}  # fmt: skip


def _said(source: Mapping[str, Any]) -> dict[str, Any]:
    return {"says": source["says"], "terms": source["terms"]}


def license_text(manifest: Mapping[str, Any]) -> str:
    """`LICENSE.md` of a set that not all sources let train: whose terms, in which words, where."""
    seen = {each["terms"]["id"]: each for each in manifest["sources"] if each["decisions"]}
    lines = [
        f"- {code(name)}: {plain(each['terms']['summary'])}"
        + (
            f" ({_url(each['terms']['url'])}, checked {each['terms']['checked_on']})"
            if each["terms"]["url"]
            else ""
        )
        for name, each in seen.items()
    ]
    return (
        "# Terms of the sources\n\nThe rows of this set are under the terms of those who made them; which row is "
        "whose stands in README.md.\nWhoever uses it is responsible for their own agreement with each.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def write_card(manifest: Mapping[str, Any], leakage: Mapping[str, Any], folder: Path) -> None:
    """`README.md` with its drawings, and `LICENSE.md` where it needs one. Raises ValueError where the card would not
    be true of the files."""
    about = front(manifest)
    if about["license"] == "other":
        (folder / LICENSE).write_text(license_text(manifest), "utf-8")
    if wrong := faults(about, folder, most=CHECKED):
        raise ValueError(f"the card would be wrong: {'; '.join(wrong)}")
    plots = draw(manifest["figures"], folder)
    (folder / CARD).write_text(card(manifest, leakage, _first_row(manifest, folder), plots), "utf-8")


def _first_row(manifest: Mapping[str, Any], folder: Path) -> str:
    for file in _parts({file["name"]: file for file in manifest["files"]}).values():
        if file["name"].endswith(".jsonl"):
            with (folder / file["name"]).open(encoding="utf-8") as rows:
                first: str = rows.readline()
                return first
    return ""


# ── foreign texts ────────────────────────────────────────────────────────────────────────────────────


def visible(text: object, limit: int = 200) -> str:
    """A foreign text in one line, without characters that nobody sees or that turn the line around."""
    line = " ".join(str(text).split())
    shown = "".join("�" if unicodedata.category(each)[0] == "C" else each for each in line)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def plain(text: object) -> str:
    """A foreign text as Markdown and HTML show it, not read it; whole sentences."""
    return re.sub(r"([\\`*_{}\[\]#|~!@])", r"\\\1", html.escape(visible(text, 1000), quote=False))


def code(text: object) -> str:
    """A foreign name in backticks, also within a table."""
    return f"`{visible(text).replace('`', 'ˋ').replace('|', '¦') or ' '}`"


def fence(text: str, language: str = "", prompt: str = "") -> str:
    """A foreign text in a fence that it cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    lines = [prompt + visible(line, 2000) if prompt else line for line in text.split("\n")]
    return "\n".join([ticks + language, *lines, ticks])


def shortened(row: str, limit: int = 160) -> str:
    """A row of JSON over several lines, texts cut, nothing in it but ASCII."""

    def cut(value: Any) -> Any:
        if isinstance(value, str):
            return value if len(value) <= limit else value[: limit - 1] + "…"
        if isinstance(value, dict):
            return {name: cut(each) for name, each in value.items()}
        return [cut(each) for each in value] if isinstance(value, list) else value

    return json.dumps(cut(json.loads(row)), indent=1) if row else ""


def _url(text: str) -> str:
    return text if re.fullmatch(r"https?://[\w./%?=&#~+:-]+", text) else ""


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.3f}"


def _usd(pico: int) -> str:
    return f"{pico / 1e12:,.2f} USD"


def _spread(told: Mapping[str, float]) -> str:
    return (
        f"{told['mean']:,} on average, half of them from {told['quarter']:,} to {told['three_quarters']:,}, "
        f"at least {told['least']:,} and at most {told['most']:,}"
    )


# ── checked against the files ────────────────────────────────────────────────────────────────────────


def faults(about: Mapping[str, Any], folder: Path, most: int | None = None) -> list[str]:
    """What a front matter says that is not so in the folder; of each file at most the first `most` rows are read."""
    return [*_header_faults(about, folder), *_file_faults(about, folder, most)]


def _header_faults(about: Mapping[str, Any], folder: Path) -> Iterable[str]:
    for name in NEEDED:
        if not about.get(name):
            yield f"{name} is missing"
    if about.get("license") not in licenses():
        yield f"license {about.get('license')!r} is none that the Hub knows"
    if about.get("license") == "other":
        if not about.get("license_name"):
            yield "license is other, and license_name is missing"
        link = about.get("license_link", "")
        if not (_url(link) or (folder / link).is_file()):
            yield f"license_link {link!r} is neither an address nor a file there"
    rows = [each["num_examples"] for info in about.get("dataset_info", []) for each in info.get("splits", [])]
    if rows and about.get("size_categories") != [size(sum(rows))]:
        yield f"size_categories are {about.get('size_categories')}, with {sum(rows):,} rows: expected {size(sum(rows))}"


NEEDED = (
    "license", "language", "pretty_name", "size_categories", "task_categories", "tags", "source_datasets",
    "annotations_creators",
)  # fmt: skip


def _file_faults(about: Mapping[str, Any], folder: Path, most: int | None) -> Iterable[str]:
    info = {each["config_name"]: each for each in about.get("dataset_info", [])}
    for config in about.get("configs", []):
        told = info.get(config["config_name"], {})
        splits = {each["name"]: each for each in told.get("splits", [])}
        paths = {part["split"]: folder / part["path"] for part in config["data_files"]}
        yield from (f"{path.name} is no file there" for path in paths.values() if not path.is_file())
        there = {split: path for split, path in paths.items() if path.is_file() and path.suffix == ".jsonl"}
        if told and there:
            yield from (
                fault for split, path in there.items() for fault in _sums(path, splits.get(split, {}))
            )
            yield from _columns(there.values(), features.read_yaml(told["features"]), most)


def _sums(path: Path, split: Mapping[str, Any]) -> Iterable[str]:
    with path.open("rb") as file:
        rows = sum(1 for _ in file)
    if split.get("num_examples") != rows:
        yield f"{path.name} has {rows:,} rows, not {split.get('num_examples')}"
    if split.get("num_bytes") != path.stat().st_size:
        yield f"{path.name} has {path.stat().st_size:,} bytes, not {split.get('num_bytes')}"


def _columns(
    paths: Iterable[Path], declared: Mapping[str, features.Feature], most: int | None
) -> Iterable[str]:
    """Whether the rows are what is declared; where all are read, all that is declared must occur too."""
    found: dict[str, features.Feature] = {}
    for path in paths:
        with path.open("rb") as file:
            for row in map(json.loads, islice(file, most)):
                found = features.joined(
                    found, {name: features.feature_of(value) for name, value in row.items()}
                )
    try:
        fits = features.joined(declared, found) == declared
    except features.MixedTypes:
        fits = False
    if not fits or (most is None and found != declared):
        yield f"the rows have {features.to_yaml(found)}, but {features.to_yaml(declared)} is declared"
