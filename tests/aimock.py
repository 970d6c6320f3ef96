"""aimock, an independent server of four wire formats, as a fixture: whole duels can run against it.

It is fetched from npm once and kept in pytest's cache folder; the workers of one run share that install and
each start a server of their own. Without node and npm its tests are skipped, for no other reason.
`aimock/server.mjs` says what it answers.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

PACKAGE, VERSION = "@copilotkit/aimock", "1.43.0"
SERVER = Path(__file__).with_name("aimock") / "server.mjs"


@dataclass(frozen=True)
class Aimock:
    """A running server. `environment` points the three SDKs and `local` at it."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "LOCAL_BASE_URL": f"{self.url}/v1",
        }

    def journal(self) -> list[dict[str, Any]]:
        """Every request that it has seen, oldest first: `path`, `body`, `headers`, `response`."""
        with urlopen(f"{self.url}/__aimock/journal", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found


@pytest.fixture(scope="session")
def aimock(request: pytest.FixtureRequest) -> Iterator[Aimock]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("aimock needs node and npm")
    folder = request.config.cache.mkdir(f"aimock-{VERSION}")
    _install(npm, folder)
    process = subprocess.Popen([node, str(SERVER), "0"], cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        up = process.stdout.readline()
        assert up, f"aimock ended with status {process.wait(10)} before it was up"
        yield Aimock(json.loads(up)["url"])
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _install(npm: str, folder: Path) -> None:
    """npm install, once for all workers: the first one in does it, the others wait for the lock."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "installed").exists():
            return
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stderr}"
        (folder / "installed").touch()
