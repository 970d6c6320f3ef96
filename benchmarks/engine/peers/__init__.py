"""One file and one list of pinned requirements per peer."""
