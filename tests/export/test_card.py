"""The card says what is in the files, and whatever others wrote stays text."""

from __future__ import annotations

import json

import pytest

from orchestrator.export.card import as_yaml, code, faults, fence, front, plain, size
from orchestrator.export.features import MixedTypes, feature_of, joined, read_yaml, to_yaml
from tests.export.exports import exported, played


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return played(tmp_path_factory.mktemp("record") / "run", game="tictactoe", pairs=40)


@pytest.fixture
def made(tmp_path, run):
    exported(tmp_path / "out", run)
    return tmp_path / "out"


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def test_the_front_matter_is_yaml_and_true(made) -> None:
    yaml = pytest.importorskip("yaml")
    about = front(manifest(made))
    text = (made / "README.md").read_text("utf-8")
    assert yaml.safe_load(text.split("---\n")[1]) == about
    assert faults(about, made) == []
    assert about["configs"][0]["data_files"][0] == {"split": "train", "path": "train.jsonl"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"license": "gpl-9"}, "none that the Hub knows"),
        ({"license": "other"}, "license_name is missing"),
        ({"size_categories": ["1M<n<10M"]}, "expected"),
        ({"language": []}, "language is missing"),
        (
            {"configs": [{"config_name": "default", "data_files": [{"split": "a", "path": "b.jsonl"}]}]},
            "no file",
        ),
    ],
)
def test_a_header_that_is_not_so_is_found(made, change, says) -> None:
    assert says in "; ".join(faults(front(manifest(made)) | change, made))


def test_files_that_are_not_as_declared_are_found(made) -> None:
    about = front(manifest(made))
    with (made / "train.jsonl").open("a") as file:
        file.write('{"prompt": [], "more": 1}\n')
    found = "; ".join(faults(about, made))
    assert "rows, not" in found and "bytes, not" in found and "is declared" in found


def test_the_same_export_has_the_same_card(tmp_path, run, made) -> None:
    exported(tmp_path / "again", run)
    for file in made.rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "again" / file.relative_to(made)).read_bytes(), file.name


@pytest.mark.parametrize(
    "foreign", ["<script>x</script>", "a|b", "`tick`", "[x](javascript:y)", "a\n# b", "\x1b[2J\u202e"]
)
def test_foreign_texts_stay_text(foreign) -> None:
    for told in (plain(foreign), code(foreign)):
        assert "\n" not in told and "\x1b" not in told and "\u202e" not in told
    assert "<" not in plain(foreign) and "|" not in code(foreign) and code(foreign).count("`") == 2


def test_a_fence_cannot_be_closed_from_inside() -> None:
    assert fence("```\nx").splitlines()[0] == "````"


@pytest.mark.parametrize(
    ("rows", "bin"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M")]
)
def test_bins_of_sizes(rows, bin) -> None:
    assert size(rows) == bin


def test_features_are_read_off_rows_and_back() -> None:
    row = {"a": [{"role": "x", "n": None}], "b": [[1]], "c": {"d": 1.5}, "e": True, "f": [], "g": None}
    found = {name: feature_of(value) for name, value in row.items()}
    assert read_yaml(to_yaml(found)) == found
    more = joined(found, {"g": feature_of("text"), "f": feature_of([1])})
    assert more["g"] == "string" and to_yaml({"f": more["f"]}) == [{"name": "f", "list": "int64"}]
    with pytest.raises(MixedTypes, match="e: "):
        joined(found, {"e": feature_of("no")})


def test_yaml_takes_no_text_for_something_else() -> None:
    yaml = pytest.importorskip("yaml")
    told = {"a": ["no", "1", "x: y", "- z", "1K<n<10K", "null", "", "#"], "b": {"c": [{"d": 1, "e": []}]}}
    assert yaml.safe_load(as_yaml(told)) == told
