"""The engine against OpenSpiel, in one run: `python -m benchmarks.engine`.

Both play the same games on one CPU, each in its own process, by turns, timed in CPU seconds. Nothing is timed
but the compiled engine. Ratios travel between machines; the rates beside them do not.
"""
