"""The record of a run: `DIR/record.db`, one SQLite file that any tool can open."""
