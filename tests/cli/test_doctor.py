from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import engine
from orchestrator.cli import doctor, main

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "LOCAL_API_KEY")
URLS = ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*KEYS, *URLS):
        monkeypatch.delenv(name, raising=False)


def examined() -> tuple[int, dict[str, Any]]:
    done = run("--json")
    return done.exit_code, {finding["what"]: finding for finding in json.loads(done.stdout)}


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["doctor", *arguments])


def test_without_a_key_bots_can_play_and_each_service_says_what_it_lacks() -> None:
    status, found = examined()
    assert status == 0
    for name, variable in (("anthropic", KEYS[0]), ("openai", KEYS[1]), ("google", KEYS[2])):
        assert found[name]["state"] == "missing"
        assert variable in found[name]["detail"] and "https://" in found[name]["remedy"]
    assert found["local"]["state"] == "ok"
    out = run().stdout
    assert "orchestrator duel bot:greedy vs bot:random" in out and "without a key" in out


def test_a_key_is_named_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza-very-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:pass-word@gateway.example/v1")
    _, found = examined()
    assert found["google"]["state"] == "ok" and "GOOGLE_API_KEY is set" in found["google"]["detail"]
    assert "https://gateway.example/v1" in found["openai"]["detail"]
    for out in (run().stdout, json.dumps(found)):
        assert "secret" not in out and "pass-word" not in out
    assert "without a key" not in run().stdout


def test_a_stand_in_is_not_taken_for_the_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:8800")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any-key-will-do")
    _, found = examined()
    assert found["anthropic"]["state"] == "note"
    assert "not the vendor" in found["anthropic"]["detail"]


def test_a_base_url_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "gateway.example")
    status, found = examined()
    assert status == 0
    assert "http://" in found["services"]["detail"]


def test_a_stale_engine_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "is_compiled", lambda: True)
    monkeypatch.setattr(engine, "stale", lambda: ["engine.core"])
    status, found = examined()
    assert status == 1
    assert found["engine"]["state"] == "broken" and "engine.core" in found["engine"]["detail"]
    assert "Something is broken" in run().stdout


def test_an_engine_that_cannot_play_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ImportError("wrong architecture")

    monkeypatch.setattr(engine, "stale", lambda: [])
    monkeypatch.setattr(engine, "new", broken)
    status, found = examined()
    assert status == 1 and "wrong architecture" in found["engine"]["detail"]


def test_what_cannot_be_recorded_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    status, found = examined()
    assert status == 1 and "--output" in found["records"]["remedy"]
    monkeypatch.undo()


def test_an_sqlite_that_is_too_old_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sqlite3, "sqlite_version_info", (3, 31, 0))
    assert examined()[0] == 1


def test_the_environment_file_is_found(tmp_path: Path) -> None:
    assert examined()[1][".env"]["state"] == "note"
    (tmp_path / ".env").write_text("UNRELATED=1\n")
    assert examined()[1][".env"]["state"] == "ok"
