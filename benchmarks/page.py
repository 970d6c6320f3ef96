"""docs/results.md: every benchmark keeps its table between marks of its own."""

from __future__ import annotations

from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "results.md"


def keep(section: str, text: str, page: Path = RESULTS) -> None:
    """Put a text between `<!-- section -->` and `<!-- /section -->`, which the page must have."""
    start, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    before, found, rest = page.read_text().partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} has no {start} ... {end} to write between")
    page.write_text(f"{before}{start}\n{text.strip()}\n{end}{after}")
