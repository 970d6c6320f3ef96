"""What is compared with what, and the goals: data.

A measure is named `side/measure`. Every value is units per second; where the unit is a time ("ns", "s"), the table
shows its inverse, so that a ratio above 1 is always in our favour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """Our measure, those of the peers by the name the table gives them, and the goals.

    `floor` and `goal` are ratios to the best peer; `most` is a time, in the unit, that ours must not exceed.
    """

    label: str
    ours: str
    theirs: Mapping[str, str]
    unit: str = "steps"
    floor: float | None = None
    goal: float | None = None
    most: float | None = None


TITLES = {"tictactoe": "TicTacToe", "connect4": "Connect 4", "othello": "Othello", "blob": "Blob, 4 players"}
STEP: Mapping[str, tuple[float, float]] = {
    "tictactoe": (3, 5),
    "connect4": (5, 8),
    "othello": (12, 25),
    "blob": (5, 8),
}
BATCH: Mapping[str, tuple[int, float, float]] = {
    "tictactoe": (1024, 3, 6),
    "connect4": (1024, 4, 8),
    "othello": (256, 6, 15),
}
UCT: Mapping[str, tuple[float, float]] = {"tictactoe": (2, 3), "connect4": (10, 20), "othello": (25, 50)}


def stepped(game: str) -> list[Row]:
    """One environment, stepped from Python."""
    title, (floor, goal) = TITLES[game], STEP[game]
    fast, manual = f"openspiel/{game} step", f"openspiel/{game} manual"
    others = {}
    if game in ("tictactoe", "connect4"):
        others = {"PettingZoo `raw_env`": f"pettingzoo/{game} raw_env", "TextArena": f"textarena/{game} step"}
    lists = "OpenSpiel, tensor as a list"
    rows = [
        Row(f"{title}, `step`", f"ours/{game} step", {"OpenSpiel": fast} | others, "steps", floor, goal),
        Row(f"{title}, `apply`", f"ours/{game} apply", {"OpenSpiel, as in its manual": manual}),
        Row(
            f"{title}, `step`, tensor + mask",
            f"ours/{game} step numbers",
            {"OpenSpiel": f"{fast} numbers", lists: f"{manual} numbers"},
        ),
        Row(
            f"{title}, `apply`, tensor + mask",
            f"ours/{game} apply numbers",
            {"OpenSpiel": f"{fast} numbers", lists: f"{manual} numbers"},
        ),
    ]
    if game == "blob":
        dealt = {"OpenSpiel, dealt beforehand": f"openspiel/{game} dealt"}
        rows[1:1] = [Row(f"{title}, `step`, their cards dealt beforehand", f"ours/{game} step", dealt)]
        rows.append(
            Row(
                f"{title}, `step`, tensor + mask, theirs as lists",
                f"ours/{game} step numbers",
                {lists: f"{manual} numbers"},
                "steps",
                50,
                100,
            )
        )
    return rows


def batches() -> list[Row]:
    """Many games in one call, with observation, mask, auto-reset and a random policy inside."""
    return [
        Row(
            f"{TITLES[game]}, batch of {size}",
            f"ours/{game} batch",
            {"pgx": f"pgx/{game} batch", "pgx, policy as in its manual": f"pgx/{game} categorical"},
            "steps",
            floor,
            goal,
        )
        for game, (size, floor, goal) in BATCH.items()
    ]


def searches() -> list[Row]:
    """Simulations per second."""
    rows = [
        Row(
            f"{TITLES[game]}, UCT",
            f"ours/{game} uct",
            {"OpenSpiel in C++": f"openspiel/{game} uct", "in Python": f"openspiel/{game} uct in Python"},
            "simulations",
            floor,
            goal,
        )
        for game, (floor, goal) in UCT.items()
    ]
    theirs = {"OpenSpiel in C++": "openspiel/blob ismcts", "in Python": "openspiel/blob ismcts in Python"}
    return [*rows, Row("Blob, 4 players, ISMCTS", "ours/blob ismcts", theirs, "simulations")]


def dressed() -> list[Row]:
    """PettingZoo's form of an environment."""
    return [
        Row(
            f"{TITLES[game]}, as a PettingZoo environment",
            f"dressed/{game}",
            {
                "PettingZoo `raw_env`": f"pettingzoo/{game} raw_env",
                "PettingZoo `env`": f"pettingzoo/{game} env",
            },
            "steps",
            5,
            10,
        )
        for game in ("tictactoe", "connect4")
    ]


def clones() -> list[Row]:
    """A copy of a position, from Python."""
    return [
        Row(
            f"{TITLES[game]}, `clone`",
            f"ours/{game} clone",
            {"OpenSpiel": f"openspiel/{game} clone"},
            "ns",
            most=None if game == "blob" else 100,
        )
        for game in TITLES
    ]


def playouts() -> list[Row]:
    """Random matches inside the engine; no peer has them to call, so the fastest way to play them stands beside."""
    return [
        Row(
            f"{TITLES[game]}, playouts in the engine",
            f"ours/{game} playouts",
            {"OpenSpiel, stepped": f"openspiel/{game} step"}
            | ({"pgx, batch": f"pgx/{game} batch"} if game in BATCH else {}),
        )
        for game in TITLES
    ]


BUILD = [
    Row("Compiling the whole engine, wall time on two CPUs", "build/wall", {}, "s", most=60),
    Row("Compiling the whole engine, CPU time", "build/CPU", {}, "s"),
]
PICK = [Row("Python's pick alone, part of every stepped row", "ours/pick", {}, "ns")]

# The yardstick in Rust: no game in common, so no ratio here is a goal.
RUST = [
    Row("Blob, `step`", "ours/blob step", {"essence-wars": "essence_wars/step"}),
    Row(
        "Blob, `step`, tensor + mask", "ours/blob step numbers", {"essence-wars": "essence_wars/step numbers"}
    ),
    Row(
        "Blob, batch of 256, tensor + mask",
        "ours/blob batch",
        {
            "essence-wars": "essence_wars/batch numbers",
            "`VectorizedEssenceWars`": "essence_wars/vectorized",
        },
    ),
    Row("Blob, `clone` beside `fork`", "ours/blob clone", {"essence-wars": "essence_wars/fork"}, "ns"),
    Row(
        "Blob, `observe_into` beside `observe`",
        "ours/blob observe",
        {"essence-wars": "essence_wars/observe"},
        "ns",
    ),
    Row(
        "Blob, `mask_into` beside `action_mask`",
        "ours/blob mask",
        {"essence-wars": "essence_wars/action_mask"},
        "ns",
    ),
]

TABLES: dict[str, list[Row]] = {
    "": [
        *(row for game in TITLES for row in stepped(game)),
        *PICK,
        *batches(),
        *searches(),
        *dressed(),
        *clones(),
        *playouts(),
        *BUILD,
    ],
    "Beside an engine in Rust, with no game in common:": RUST,
}
