"""Whether a record's money adds up, however one asks: by call, by decision, by match, by player, in all.

Every test that closes a record runs this on it, and it costs nothing to run it on one's own.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from orchestrator.record.reading import Standing, reading, run_result
from orchestrator.record.tables import OVER, of_decision
from orchestrator.record.tallies import tallies

NEGATIVE = """
SELECT 'call ' || id FROM call WHERE cost_pico < 0
UNION ALL SELECT 'decision ' || id FROM decision WHERE cost_pico < 0
"""

UNPAID = f"""
SELECT d.id, d.cost_pico, coalesce(sum(c.cost_pico), 0) AS called
FROM decision d LEFT JOIN call c ON c.kind = 'ok' AND NOT c.possibly_billed AND {of_decision("c.id", "d.id")}
GROUP BY d.id HAVING called != d.cost_pico
"""

BY_PLAYER = "SELECT player, sum(cost_pico) FROM call GROUP BY player"


def check_money(path: Path) -> list[str]:
    """What does not add up in a run's record; nothing, where all is well. Raises RecordError.

    No cost is negative; a decision cost what its answered calls cost; the tallies of matches that are over say
    what their decisions and calls say; and the players' bills, of which every summary is made, are the sum of
    all calls.
    """
    standings = run_result(path).standings
    with reading(path) as session:
        db = session.connection()
        wrong = [f"{what} has a negative cost" for (what,) in db.exec_driver_sql(NEGATIVE)]
        wrong += [
            f"decision {id} says {said} pico-dollars, its answered calls {called}"
            for id, said, called in db.exec_driver_sql(UNPAID)
        ]
        return wrong + _bills(db, standings) + _stale(db)


def _bills(db: Connection, standings: list[Standing]) -> list[str]:
    spent = {player: cost for player, cost in db.exec_driver_sql(BY_PLAYER) if cost}
    billed = {s.player.id: s.cost_pico + s.possibly_pico for s in standings if s.cost_pico + s.possibly_pico}
    return [] if spent == billed else [f"the calls cost {spent} by player, the standings say {billed}"]


def _stale(db: Connection) -> list[str]:
    """Matches that are over whose tallies are not, or no longer, what they should be."""
    marks = ", ".join("?" * len(OVER))
    over = [match for (match,) in db.exec_driver_sql(f"SELECT id FROM match WHERE status IN ({marks})", OVER)]
    wrong = []
    for match in over:
        for counted in tallies(db.connection.driver_connection, match):  # type: ignore[arg-type]
            names = [name for name in counted if name not in ("match", "player", "reported")]
            query = f"SELECT {', '.join(names)} FROM tally WHERE match = ? AND player = ?"
            kept = db.exec_driver_sql(query, (match, counted["player"])).fetchone()
            if kept is None or tuple(kept) != tuple(counted[name] for name in names):
                wrong.append(f"the tally of player {counted['player']} in {match} is not what its rows say")
    return wrong
