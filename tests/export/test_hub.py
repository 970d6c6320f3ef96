"""`--push-to-hub` against a Hub that lives in a thread: what arrives there, who may see it, where the token goes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.export import hub
from tests.export.exports import played

huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

TOKEN = "hf_planted0token"
REPO = "me/data"


class Sent(NamedTuple):
    """A request, as it came."""

    path: str
    token: str
    body: bytes


@dataclass
class Repo:
    """A dataset: who may see it, its files, and the messages of its commits."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)


@dataclass
class StandIn:
    """The part of the Hub's interface that a push needs; every file is a regular one. `refuses` answers 403 there."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    refuses: str = "nothing"

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.sent.append(Sent(path, token, body))
        if token != f"Bearer {TOKEN}":
            return 401, {"error": f"Invalid credentials in Authorization header: {token}"}
        if self.refuses in path:
            return 403, {"error": f"Forbidden: {token.split()[1]} must not write"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        *_, owner, name = path.removeprefix("/api/datasets/").split("/")[:2]
        repo = self.repos.get(f"{owner}/{name}")
        if not path.startswith("/api/datasets/") or repo is None:
            return 404, {"error": f"no {method} {path}"}
        if path.endswith("/preupload/main"):
            wanted = [file["path"] for file in json.loads(body)["files"]]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            return 200, {"files": [{"path": each, **regular} for each in wanted]}
        if path.endswith("/commit/main"):
            return self.commit(repo, path, body)
        return 200, {"id": f"{owner}/{name}", "private": repo.private, "sha": "0" * 40}

    def create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = f"{asked['organization']}/{asked['name']}"
        told = {"url": f"{self.url}/datasets/{name}"}
        if name in self.repos:
            return 409, {**told, "error": "You already created this dataset repo"}
        assert asked["type"] == "dataset"
        self.repos[name] = Repo(asked["visibility"] == "private")
        return 200, told

    def commit(self, repo: Repo, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "header":
                repo.commits.append(line["value"]["summary"])
            else:
                assert (line["key"], line["value"]["encoding"]) == ("file", "base64")
                repo.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        number = f"{len(repo.commits):040x}"
        place = path.removeprefix("/api").removesuffix("/main")
        return 200, {"success": True, "commitUrl": f"{self.url}{place}/{number}", "commitOid": number}


def handler(there: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, token = self.path.partition("?")[0], self.headers.get("Authorization", "")
            status, told = there.answer(self.command, path, token, body)
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A Hub of one's own, named by HF_ENDPOINT, and a token that it takes."""
    stand_in = StandIn()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(stand_in)) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name, value in {"HF_ENDPOINT": stand_in.url, "HF_TOKEN": TOKEN, "NO_PROXY": "*"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield stand_in
        huggingface_hub.close_session()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played(tmp_path_factory.mktemp("record") / "run", game="tictactoe", pairs=4)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.export.somebody_there", lambda: True)


def pushed(run: Path, to: Path, *words: str, said: str | None = None) -> Result:
    """`orchestrator export … --push-to-hub me/data`; `said` at the question."""
    asked = ["export", "sft", str(run), "--to", str(to), "--jobs", "1", "--push-to-hub", REPO, *words]
    told = CliRunner().invoke(main, asked, input=said)
    assert TOKEN not in told.output and "Traceback" not in told.output
    return told


def files(folder: Path) -> dict[str, bytes]:
    every = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in every}


def must_be_whole(folder: Path) -> None:
    """What was exported is there, whatever became of it elsewhere."""
    listed = json.loads((folder / "manifest.json").read_text("utf-8"))["files"]
    assert listed and all((folder / file["name"]).is_file() for file in listed)


# ── what arrives ─────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_folder_arrives_in_one_commit_and_is_private(
    tmp_path: Path, run: Path, there: StandIn
) -> None:
    told = pushed(run, tmp_path / "out", "--yes")
    assert told.exit_code == 0, told.output
    repo = there.repos[REPO]
    assert repo.private and len(repo.commits) == 1
    assert repo.files == files(tmp_path / "out")
    assert {"README.md", "manifest.json", "train.jsonl", "tables/decisions.parquet"} <= set(repo.files)
    assert repo.commits[0].startswith("orchestrator ")
    assert f"pushed: {there.url}/datasets/{REPO}/commit/" in told.output


def test_public_is_only_what_was_said_to_be(tmp_path: Path, run: Path, there: StandIn) -> None:
    assert pushed(run, tmp_path / "out", "--yes", "--public").exit_code == 0
    assert not there.repos[REPO].private


def test_a_repository_that_is_there_gets_another_commit(tmp_path: Path, run: Path, there: StandIn) -> None:
    there.repos[REPO] = Repo(private=True, files={"mine.txt": b"mine"}, commits=["first"])
    assert pushed(run, tmp_path / "out", "--yes").exit_code == 0
    repo = there.repos[REPO]
    assert len(repo.commits) == 2 and repo.files == {"mine.txt": b"mine", **files(tmp_path / "out")}


def test_nothing_is_put_where_everybody_sees_it_unasked(tmp_path: Path, run: Path, there: StandIn) -> None:
    there.repos[REPO] = Repo(private=False)
    told = pushed(run, tmp_path / "one", "--yes")
    assert told.exit_code == 2 and "is public" in told.output and "--public" in told.output
    assert not there.repos[REPO].files
    must_be_whole(tmp_path / "one")
    assert pushed(run, tmp_path / "two", "--yes", "--public").exit_code == 0
    assert there.repos[REPO].files == files(tmp_path / "two")


# ── the token ────────────────────────────────────────────────────────────────────────────────────────


def test_the_token_goes_to_the_hub_and_nowhere_else(tmp_path: Path, run: Path, there: StandIn) -> None:
    assert pushed(run, tmp_path / "out", "--yes").exit_code == 0
    assert {sent.token for sent in there.sent if sent.token} == {f"Bearer {TOKEN}"}, (
        "or none: the library may ask on its own"
    )
    assert not any(TOKEN in sent.path or TOKEN.encode() in sent.body for sent in there.sent)
    assert not any(TOKEN.encode() in data for data in files(tmp_path / "out").values())


def test_a_line_end_is_no_part_of_it(
    tmp_path: Path, run: Path, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\n")
    assert pushed(run, tmp_path / "out", "--yes").exit_code == 0
    assert {sent.token for sent in there.sent if sent.token} == {f"Bearer {TOKEN}"}, (
        "or none: the library may ask on its own"
    )


@pytest.mark.parametrize(
    ("token", "says"),
    [(None, "HF_TOKEN is not set"), (" ", "is not set"), ("hf_a\nb", "copy"), ("hf_é", "copy")],
)
def test_without_a_token_nothing_is_begun(
    tmp_path: Path,
    run: Path,
    there: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    token: str | None,
    says: str,
) -> None:
    monkeypatch.delenv("HF_TOKEN") if token is None else monkeypatch.setenv("HF_TOKEN", token)
    told = pushed(run, tmp_path / "out", "--yes")
    assert told.exit_code == 2 and says in told.output and "hf_" not in told.output
    assert not there.sent and not (tmp_path / "out").exists()


def test_a_refused_token_loses_nothing(
    tmp_path: Path, run: Path, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_stale")
    told = pushed(run, tmp_path / "out", "--yes")
    assert told.exit_code == 2 and "hf_stale" not in told.output, "though the Hub repeats it"
    assert REPO in told.output and "401" in told.output and "is whole" in told.output
    assert "pushed:" not in told.output and not there.repos
    must_be_whole(tmp_path / "out")


@pytest.mark.parametrize("step", ["create", "preupload", "commit"])
def test_whatever_is_refused_is_told(tmp_path: Path, run: Path, there: StandIn, step: str) -> None:
    there.refuses = step
    told = pushed(run, tmp_path / "out", "--yes")
    assert told.exit_code == 2 and "403" in told.output and "is whole" in told.output
    assert not any(repo.commits for repo in there.repos.values())
    must_be_whole(tmp_path / "out")


def test_nobody_answers(tmp_path: Path, run: Path, there: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    told = pushed(run, tmp_path / "out", "--yes")
    assert told.exit_code == 2 and REPO in told.output and not there.sent
    must_be_whole(tmp_path / "out")


# ── the question ─────────────────────────────────────────────────────────────────────────────────────


def test_where_nobody_can_be_asked_yes_must_be_said(tmp_path: Path, run: Path, there: StandIn) -> None:
    told = pushed(run, tmp_path / "out", said="y\n")
    assert told.exit_code == 2 and "--yes" in told.output
    assert not there.sent and not (tmp_path / "out").exists()


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("said", ["n\n", "\n"])
def test_who_says_no_keeps_the_folder(tmp_path: Path, run: Path, there: StandIn, said: str) -> None:
    told = pushed(run, tmp_path / "out", said=said)
    assert told.exit_code == 0 and f"{REPO} (private)?" in told.output and not there.sent
    must_be_whole(tmp_path / "out")


@pytest.mark.usefixtures("terminal")
def test_who_says_yes_is_told_before_who_will_see_it(tmp_path: Path, run: Path, there: StandIn) -> None:
    told = pushed(run, tmp_path / "out", "--public", said="y\n")
    assert told.exit_code == 0 and "everybody can see it" in told.output
    assert there.repos[REPO].files == files(tmp_path / "out")


def test_a_dry_run_sends_nothing(tmp_path: Path, run: Path, there: StandIn) -> None:
    assert pushed(run, tmp_path / "out", "--dry-run").exit_code == 0
    assert not there.sent and not (tmp_path / "out").exists()


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────


def test_half_an_export_is_not_pushed(tmp_path: Path, there: StandIn) -> None:
    (tmp_path / "train.jsonl").write_text("{}\n")
    with pytest.raises(hub.HubError, match=r"manifest\.json"):
        hub.push(tmp_path, REPO)
    assert not there.sent


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch, there: StandIn) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(hub.HubError, match=r"duelist\[hub\]"):
        hub.check(REPO)
