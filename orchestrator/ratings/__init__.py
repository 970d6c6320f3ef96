"""What can be said of results, with an interval on every figure. One file per family of statistics."""
