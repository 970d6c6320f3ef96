"""How moves are spoken of beside their notation, one file per game, found by the game's name.

A file sets `SAYS`, a regular expression (tried before the notation, in its own case), and `meant(said, legal)`: the
notations that such words may stand for, whether those moves are legal or not; none where they stand for nothing.
It may set `NOTATION`, where the look of a game's moves cannot be told from a few of them. A game of another
platform has its file under its own name: `openspiel:chess` is `chess`.
"""
