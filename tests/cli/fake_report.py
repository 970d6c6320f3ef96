"""Sections of every kind of part with every unit, as ratings, money and forecasts would say them, and worse.

Names are hostile: whoever draws them must escape them.
"""

from __future__ import annotations

import math

from orchestrator.report.section import (
    Axis,
    Column,
    Estimated,
    Heatmap,
    Intervals,
    Plot,
    Point,
    Section,
    Series,
    Table,
)

HOSTILE = '<script>alert("x")</script> & $a_1$ [b](c) | \u202eevil'
PLAYERS = (
    "claude-opus-5",
    "gpt-6-mini?effort=low",
    "gemini-4-flash",
    "bot:mcts:400",
    "bot:greedy",
    "bot:random",
)
ELO = (
    Estimated(212.0, 261.4, 313.0),
    Estimated(180.0, 240.2, 299.0),
    Estimated(121.0, 160.0, 203.0),
    Estimated(98.0, 150.9, 201.0),
    Estimated(-31.0, 12.0, 44.0),
    Estimated(0.0, 0.0, 0.0),
)
GROUPS = (1, 1, 2, 2, 3, 3)


def sections() -> list[Section]:
    return [results(), ratings(), quality(), money(), forecasts(), odd()]


def results() -> Section:
    rows = [
        [
            name,
            120 + 7 * k,
            f"{80 - 9 * k}/{k}/{40 + 9 * k}",
            Estimated(0.6 - 0.08 * k, 0.68 - 0.08 * k, 0.75 - 0.08 * k),
            k,
        ]
        for k, name in enumerate(PLAYERS)
    ]
    heads = [
        Column("player"),
        Column("matches", "count"),
        Column("W/D/L"),
        Column("score", "share"),
        Column("forfeits", "count"),
    ]
    values = [
        [None if i == j else 1 / (1 + 10 ** ((ELO[j].value - ELO[i].value) / 400)) for j in range(6)]
        for i in range(6)
    ]
    values[0][5] = values[5][0] = None
    return Section(
        "results",
        "Results",
        [
            "claude-opus-5 is ahead of all but gpt-6-mini: +101 Elo over gemini-4-flash [+32, +170], 95 %.",
            "Between claude-opus-5 and gpt-6-mini the games do not tell who is stronger.",
        ],
        [
            Table(
                "standings",
                "Who won how often",
                heads,
                rows,
                ["Draws count half.", "Six pairs repeat another move by move."],
            )
        ],
        [
            Heatmap(
                "head-to-head",
                "Score of the row against the column",
                PLAYERS,
                PLAYERS,
                values,
                counts=[[0 if i == j else 40 for j in range(6)] for i in range(6)],
                says="Small: of how many matches; the best by rating on top.",
            )
        ],
    )


def ratings() -> Section:
    heads = [
        Column("#"),
        Column("player"),
        Column("Elo", "elo"),
        Column("clean", "elo"),
        Column("stronger than next", "share"),
        Column("pairs", "count"),
        Column("spread", "number"),
    ]
    rows = [
        [
            f"{2 * g - 1}–{2 * g}",
            name,
            elo,
            Estimated(elo.low + 9, elo.value + 14, elo.high + 20),
            0.993 - 0.1 * k if k < 5 else None,
            61 - k,
            12.3456 * k,
        ]
        for k, (name, elo, g) in enumerate(zip(PLAYERS, ELO, GROUPS, strict=True))
    ]
    history = [
        Series(
            name,
            [
                Point(k, 1000 + ELO[n].value * (1 - math.exp(-k / 60)) / 2 + 12 * math.sin(k * (n + 2) / 9))
                for k in range(0, 240, 2)
            ],
            "line",
        )
        for n, name in enumerate(PLAYERS)
    ]
    return Section(
        "ratings",
        "Ratings",
        ["Three groups can be told apart; within a group the order may be chance."],
        [
            Table(
                "elo",
                "Ratings, bot:random at 0",
                heads,
                rows,
                ["Clean: of matches without a forfeit or fallback alone."],
                groups=GROUPS,
            )
        ],
        [
            Intervals(
                "intervals",
                "Elo with 95 % intervals",
                Axis("Elo", "elo"),
                list(zip(PLAYERS, ELO, strict=True)),
                GROUPS,
                "Ratings from 261 down to 0. On one ground: players that cannot be told apart.",
            ),
            Plot(
                "history",
                "Elo as the matches came in",
                Axis("matches", "count"),
                Axis("Elo, K = 32", "number"),
                history,
                says="All begin at 1000; the order settles after some 150 matches.",
            ),
        ],
    )


def quality() -> Section:
    plies = [
        Series(
            name,
            [
                Point(k, Estimated(max(0, v - 0.02), v, v + 0.025))
                for k in range(20)
                if (v := 0.05 + 0.02 * n + 0.06 * math.exp(-((k - 11) ** 2) / 22))
            ],
            "line",
        )
        for n, name in enumerate(PLAYERS[:3])
    ]
    heads = [
        Column("player"),
        Column("accuracy", "share"),
        Column("regret", "number"),
        Column("change", "signed"),
        Column("moves", "count"),
    ]
    rows = [
        [
            name,
            Estimated(0.9 - k / 20, 0.92 - k / 20, 0.94 - k / 20),
            Estimated(0.01, 0.031 * (k + 1), 0.3),
            0.02 - 0.03 * k,
            123456 * (k + 1),
        ]
        for k, name in enumerate(PLAYERS)
    ]
    return Section(
        "quality",
        "Move quality",
        ["gemini-4-flash gives most away in the middle game."],
        [Table("grades", "How well each chose", heads, rows)],
        [
            Plot(
                "by-ply",
                "Regret by ply",
                Axis("ply", "count"),
                Axis("regret", "number", low=0.0),
                plies,
                says="Regret is highest about ply 11 for all three.",
            )
        ],
    )


def money() -> Section:
    cost = (0.31, 0.022, 0.0071, 0.0004, 0.0003, 0.0002)
    heads = [
        Column("player"),
        Column("per match", "usd"),
        Column("per win", "usd"),
        Column("p50", "seconds"),
        Column("p95", "seconds"),
        Column("tokens", "count"),
    ]
    rows = [
        [name, c, None if k > 2 else c * 1.7, 2.31 / (k + 1), 61.0 / (k + 1), 1_234_567 // (k + 1)]
        for k, (name, c) in enumerate(zip(PLAYERS, cost, strict=True))
    ]
    players = [
        Point(c, e, name, w)
        for c, e, name, w in zip(cost, ELO, PLAYERS, (120, 90, 60, 30, 20, 10), strict=True)
    ]
    edge = [Point(c, e.value) for c, e in sorted(zip(cost, ELO, strict=True))]
    return Section(
        "money",
        "Strength and price",
        ["Per dollar gpt-6-mini is strongest: $0.022 a match."],
        [Table("bill", "What it cost", heads, rows)],
        [
            Plot(
                "frontier",
                "Strength over price",
                Axis("dollars a match", "usd", log=True),
                Axis("Elo", "elo"),
                [Series("players", players), Series("frontier", edge, "steps")],
                says="The frontier goes from bot:random over gpt-6-mini to claude-opus-5.",
            )
        ],
    )


def forecasts() -> Section:
    def points(bend: float) -> list[Point]:
        return [
            Point(
                x / 10 + 0.05,
                Estimated(max(0.0, y - 0.08), y, min(1.0, y + 0.08)),
                weight=10 + 9 * abs(5 - x),
            )
            for x in range(10)
            if 0 <= (y := 0.5 + (x / 10 - 0.45) * bend) <= 1
        ]

    return Section(
        "forecasts",
        "Forecasts",
        ["claude-opus-5 is well calibrated; gemini-4-flash is over-confident."],
        [],
        [
            Plot(
                "calibration",
                "Calibration of forecasts",
                Axis("forecast", "share", low=0.0, high=1.0),
                Axis("won", "share", low=0.0, high=1.0),
                [Series(PLAYERS[0], points(1.0), "line"), Series(PLAYERS[2], points(0.4), "line")],
                True,
                "On the dashed line forecasts come true as often as they say.",
            )
        ],
    )


def odd() -> Section:
    """What no well-meaning section would say."""
    return Section(
        "odd",
        HOSTILE,
        [HOSTILE, "A second sentence."],
        [
            Table(
                "odd",
                HOSTILE,
                [Column("player"), Column(HOSTILE), Column("x", "number")],
                [[HOSTILE, HOSTILE, None], ["=1+1", "-", Estimated(None, 1e-9, 12.0)]],
                [HOSTILE],
            ),
            Table("odd", "No rows", [Column("player"), Column("n", "count")], []),
        ],
        [
            Intervals(
                "open",
                "Bounds that nobody knows",
                Axis("score", "share"),
                [(HOSTILE, Estimated(None, 0.4, 0.9)), ("b", Estimated(0.1, 0.3, None))],
            ),
            Plot(
                "open",
                HOSTILE,
                Axis(HOSTILE, "seconds", log=True),
                Axis("y", "signed"),
                [Series(HOSTILE, [Point(0.1, -1, HOSTILE), Point(10, 2, "b")])],
            ),
            Plot("empty", "Nothing", Axis("x"), Axis("y"), []),
            Heatmap(
                "map", HOSTILE, [HOSTILE, "b"], ["c", HOSTILE], [[None, -3.0], [2.0, 0.0]], "signed", 0.0
            ),
            Intervals("nobody", "Nobody", Axis("Elo", "elo"), []),
        ],
    )
