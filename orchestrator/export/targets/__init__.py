"""One file per target, found by name: the row that it takes, and its rules."""
