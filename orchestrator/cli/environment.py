"""Keys and base URLs from `.env` in the working directory; what the environment says already wins."""

from __future__ import annotations


def load() -> None:
    from dotenv import load_dotenv

    load_dotenv(".env")
