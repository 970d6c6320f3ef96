"""From play to a player, and back into the arena: what `make proof` runs, with every command as it is typed.

    bots play          orchestrator selfplay, three runs on record
    graded             orchestrator grade, by the exact solver
    exported           orchestrator export sft --target trl, good moves, parted by position class
    learnt             train.py, from nothing, on one thread
    held against       legal moves at positions of which training saw no symmetric one; results against chance, exact
    played             serve.py, and orchestrator duel local:duelist-proof vs bot:random, on record, on the leaderboard

Ends with exit status 1, saying what was missed, unless the model is as good as `GOALS` say.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluate import Served, against_chance, chance

HERE = Path(__file__).parent
PLAYED = {
    "chance": ("random", "random", "--games", "4000", "--opening", "0", "--seed", "1"),
    "perfect": ("perfect", "random", "--games", "1000", "--opening", "0", "--seed", "2"),
    "search": ("mcts:30", "perfect", "--games", "1000", "--opening", "3", "--seed", "3"),
}
"""Chance finds nearly all positions, and grades tell which of its moves were good; who plays well comes to others."""

GOALS = {"held_out_legal": 0.95, "unbeaten": 0.75, "duel_score": 0.6}
MOST_CPU_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, required=True, help="a new folder for all that comes of it")
    parser.add_argument("--torch", default=sys.executable, help="the Python that has torch")
    asked = parser.parse_args()
    if asked.to.exists():
        sys.exit(f"{asked.to} exists: name a new folder, or remove it")
    export, model = asked.to / "export", asked.to / "model.pt"
    play_and_export(asked.to, export)
    learnt = train(asked.torch, export, model)
    with served(asked.torch, model) as url:
        found = learnt | exact(url) | duel(url, asked.to / "duel")
    (asked.to / "proof.json").write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(judged(found))


def play_and_export(to: Path, export: Path) -> None:
    runs = [str(to / name) for name in PLAYED]
    for run, (one, other, *how) in zip(runs, PLAYED.values(), strict=True):
        orchestrator("selfplay", one, "vs", other, "--game", "tictactoe", *how, "--output", run)
        orchestrator("grade", run)
    orchestrator("export", "sft", *runs, "--target", "trl", "--split", "position", "--to", str(export))


def train(torch: str, export: Path, model: Path) -> dict[str, Any]:
    said = run(torch, str(HERE / "train.py"), str(export), "--to", str(model), read=True)
    return dict(json.loads(said.splitlines()[-1]))


@contextmanager
def served(torch: str, model: Path) -> Iterator[str]:
    """The model behind an address, for as long as this lasts."""
    command = [torch, str(HERE / "serve.py"), str(model)]
    print(f"\n$ {shlex.join(command)} &", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            if not (url := server.stdout.readline().strip()):
                sys.exit("the server ended before it was ready")
            print(url, flush=True)
            yield url
        finally:
            server.terminate()


def exact(url: str) -> dict[str, Any]:
    """Results against chance from both seats, and what chance itself would come to there."""
    model = Served(url, "duelist-proof")
    first, second = (against_chance(model, seat) for seat in (0, 1))
    baseline = [against_chance(chance, seat).unbeaten for seat in (0, 1)]
    return {
        "unbeaten_first": first.unbeaten,
        "unbeaten_second": second.unbeaten,
        "unbeaten": (first.unbeaten + second.unbeaten) / 2,
        "unbeaten_by_chance": sum(baseline) / 2,
        "asked": model.asked,
        "legal": model.legal / model.asked,
    }


def duel(url: str, to: Path) -> dict[str, Any]:
    """The model as a player of the arena, on record."""
    players = ("local:duelist-proof?style=terse", "vs", "bot:random")
    how = ("--game", "tictactoe", "--games", "40", "--seed", "1", "--output", str(to))
    orchestrator("duel", *players, *how, "--display", "plain", LOCAL_BASE_URL=url)
    orchestrator("leaderboard", str(to))
    boards = json.loads(orchestrator("leaderboard", str(to), "--json", read=True))
    (line,) = (each for each in boards[0]["players"] if each["name"] == "duelist-proof")
    return {
        "duel_score": line["score"],
        "duel_forfeits": line["forfeits"],
        "duel_wrong_first": line["wrong_first"],
    }


def judged(found: Mapping[str, Any]) -> str | int:
    """What is found, in words; and what was missed, or 0."""
    print(
        f"\n{found['rows']:,} rows, {found['parameters']:,} parameters, {found['epochs']} epochs, "
        f"{found['cpu_s']:.0f} CPU seconds of training\n"
        f"legal moves: {found['held_out_legal']:.1%} at {found['held_out_positions']} held-out positions, "
        f"{found['legal']:.1%} at the {found['asked']} that it comes to against chance\n"
        f"won or drawn against chance, exactly: {found['unbeaten_first']:.1%} as X, {found['unbeaten_second']:.1%} "
        f"as O, {found['unbeaten']:.1%} of both; chance itself {found['unbeaten_by_chance']:.1%}\n"
        f"score in the duel: {found['duel_score']:.1%}, {found['duel_forfeits']} forfeits",
        flush=True,
    )
    missed = [
        f"{name} is {found[name]:.3f}: expected {goal} or more"
        for name, goal in GOALS.items()
        if found[name] < goal
    ]
    if found["cpu_s"] > MOST_CPU_S:
        missed.append(f"training took {found['cpu_s']} CPU seconds: expected {MOST_CPU_S} or less")
    return "not proven: " + "; ".join(missed) if missed else 0


def orchestrator(*words: str, read: bool = False, **environment: str) -> str:
    return run(sys.executable, "-m", "orchestrator", *words, read=read, **environment)


def run(*words: str, read: bool = False, **environment: str) -> str:
    """Run it, shown as it is typed; with `read` what it prints comes back. It ends everything if it fails."""
    typed = words[2:] if words[1:3] == ("-m", "orchestrator") else words
    variables = [f"{name}={value}" for name, value in environment.items()]
    print(f"\n$ {shlex.join([*variables, *typed])}", flush=True)
    done = subprocess.run(
        words,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE if read else None,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{shlex.join(typed)} ended with exit status {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    main()
