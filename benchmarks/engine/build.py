"""How long compiling the whole engine takes: a fresh copy of this checkout, built as `make setup` builds it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.engine.timing import tell

ROOT = Path(__file__).parents[2]
CPUS = 2
NOT_COPIED = shutil.ignore_patterns(
    ".*", "*.so", "runs", "build", "dist", "tests", "__pycache__", "tmp", "shared"
)


def main() -> None:
    """Tells builds per second of wall and of CPU time."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "checkout"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
        wall, cpu = time.perf_counter(), children()
        done = subprocess.run(
            [*command, "--wheel-dir", directory, str(copy)], capture_output=True, text=True, check=False
        )
        wall, cpu = time.perf_counter() - wall, children() - cpu
        modules = len(list(copy.glob("engine/**/*.so")))
        wheels = len(list(Path(directory).glob("*.whl")))
    tell("versions", {})
    if done.returncode or not wheels:
        why = (done.stderr or done.stdout).strip().splitlines()[-1:]
        for name in sys.argv[2:]:
            tell("failed", name, f"the build failed: {' '.join(why)}")
        return
    tell("measured", "wall", 1 / wall, f"{modules} modules" if modules else "")
    tell("measured", "CPU", 1 / cpu, "")


def children() -> float:
    """CPU seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
