"""The engine against others of its kind, in one run: `python -m benchmarks.engine`.

`rows.py` says what is compared and what the goals are, as data; `sides.py` who takes part. A side is a small file
of named measures that runs in a process of its own: `ours.py` and its like here, one file per peer in `peers/`,
each in an environment of its own, because peers do not agree with each other on what they need. All sides take
turns on one CPU and are timed in CPU seconds of all their threads. Nothing of ours is timed but the compiled
engine. Ratios travel between machines; the rates beside them do not.
"""
