"""`orchestrator simulate`: what it prints, how it answers, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from orchestrator.cli.simulate import command
from tests.providers.simulated_questions import question


@contextmanager
def simulate(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    code = "from orchestrator.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "simulate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def chat(url: str, model: str) -> Any:
    asked = question("a1", "b1", "a2", "b2")
    turns = [("system", asked.system), ("user", asked.messages[0].content)]
    body = {"model": model, "messages": [{"role": role, "content": content} for role, content in turns]}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_it_serves_until_interrupted() -> None:
    with simulate(
        "--port", "0", "--bot", "greedy", "--model", "shy=random?refused=1", "--seed", "3"
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        lines = [process.stdout.readline().strip() for _ in range(4)]
        assert url.startswith("http://127.0.0.1:")
        assert lines[:3] == [
            f"export ANTHROPIC_BASE_URL={url}",
            f"export OPENAI_BASE_URL={url}/v1",
            f"export GOOGLE_GEMINI_BASE_URL={url}",
        ]
        answer = chat(url, "gpt-6-luna")
        assert "any-key" in lines[3] and "any-key" not in json.dumps(answer), "a key is redacted from records"
        assert answer["model"] == "simulated/greedy"
        assert json.loads(answer["choices"][0]["message"]["content"])["move"] == "a3"
        assert chat(url, "shy")["choices"][0]["message"]["refusal"]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert (out, err) == ("", "answered 2 of 2 calls (chat 2); faults: none\n")


def order(url: str, what: dict[str, Any]) -> Any:
    request = urllib.request.Request(f"{url}/_control", json.dumps(what).encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_limits_and_batches_are_set_and_summed_up() -> None:
    with simulate(
        "--port", "0", "--limit", "rpm=60", "--limit", "big:rpm=1", "--limit", "big:burst=1",
        "--batch-latency", "3600", "--rate", "batch_errored=1",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        for model in ("big", "small", "small"):
            chat(url, model)
        with pytest.raises(urllib.error.HTTPError, match="429"):
            chat(url, "big")
        body = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "?"}]}
        wave = json.dumps({"requests": [{"custom_id": "a", "params": body}]}).encode()
        with urllib.request.urlopen(f"{url}/v1/messages/batches", wave, timeout=20) as answer:
            assert json.load(answer)["processing_status"] == "in_progress"
        assert order(url, {})["batches"]["parts"] == {"processing": 1}
        assert order(url, {"advance": 3600})["batches"]["parts"] == {"errored": 1}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert err == (
            "answered 3 of 4 calls (chat 4, anthropic create 1); faults: none; refused by limits: 1; "
            "batches: 1 (1 errored)\n"
        )


def test_a_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command, ["--port", str(port)])
    assert result.exit_code == 2
    assert f"cannot listen on port {port}" in result.output and "--port 0" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rate", "ilegal=0.1"], "no option ilegal"),
        (["--rate", "illegal"], "expected NAME=VALUE"),
        (["--model", "big=mcts:50?illegal=2"], "add up to more than 1"),
        (["--limit", "rpn=3"], "no limit rpn; there are: rpm, tpm, at_once, burst"),
        (["--limit", "big:rpm=x"], "rpm=x: expected a number"),
        (["--bot", "nobody"], "no bot 'nobody'"),
        (["--model", "big=nobody"], "no bot 'nobody'"),
    ],
)
def test_wrong_use_ends_with_2_and_says_why(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(command, ["--port", "0", *arguments])
    assert result.exit_code == 2 and complaint in result.output


def test_help_imports_neither_the_server_nor_the_engine() -> None:
    code = (
        "import sys; from orchestrator.cli import main\n"
        "try: main(['simulate', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'aiohttp', 'engine', 'providers'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--port" in found and found.endswith("[]\n")
