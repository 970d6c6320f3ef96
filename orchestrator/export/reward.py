"""What an answer to a question is worth, as one file that goes with the data and needs nothing but Python.

`reward_source.py` is that file: it is shipped as it stands, and imported here so that it is tested as what it is. It
reads an answer as `prompts.parse` does, of which it holds what is needed, because a file that goes with data can
import nothing of ours; that both agree is what its tests are about.
"""

from __future__ import annotations

from pathlib import Path


def reward_module() -> str:
    """`reward.py`: for TRL, with its columns; for whoever calls `worth`."""
    return (Path(__file__).parent / "reward_source.py").read_text("utf-8")


def grader_module() -> str:
    """`grader.py`: the same file; OpenAI's grader calls its `grade`."""
    return reward_module()
