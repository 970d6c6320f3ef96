"""Games of other platforms, found by the part before the colon of their name: `openspiel:chess`.

A bridge is a file engine/bridges/<prefix>.py with

    make(recipe) -> Game    the game, in no position yet, whose name is `<prefix>:` and what follows the
                            colon; all its parameters stand in that name. ValueError, close names included.
    titles() -> list[dict]  every game that it can make, for `orchestrator games <prefix>`. ValueError where
                            the platform is not installed.
    missing() -> str        how to install the platform; empty where it is there. Imports nothing.

and imports its platform only once a game of it is asked for.
"""
