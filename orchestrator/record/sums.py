"""The columns of `tally` that add up, over matches and over players.

Apart from the tables, so that whoever only looks at a run reads them without SQLModel, which takes most of a second.
"""

SUMMED = (
    "decisions",
    "illegal",
    "wrong_first",
    "fallbacks",
    "calls",
    "failed_calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_pico",
    "possibly_pico",
    "unpriced_calls",
)
