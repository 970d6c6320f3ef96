"""An export on the Hugging Face Hub: its folder as one commit of a dataset repository, private where nothing is said.

The library is asked for everything (`huggingface_hub`, of the extra `hub`, imported here only). The token is read
from the environment alone, HF_TOKEN, as that library reads it, and goes nowhere but to the Hub: not into messages.
HF_ENDPOINT names another Hub.
"""

from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MISSING = "pushing to a hub needs huggingface_hub: pip install 'duelist[hub]'"
TOKEN = "HF_TOKEN"


class HubError(Exception):
    """What keeps a folder from the Hub, and what to do about it."""


def check(repo: str) -> None:
    """Before anything is exported: whether it could be pushed at all. Raises HubError."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise HubError(f"{repo!r} is no repository: expected OWNER/NAME")
    if find_spec("huggingface_hub") is None:
        raise HubError(MISSING)
    _token()


def push(folder: Path, repo: str, public: bool = False) -> str:
    """Commit a whole export; the address of the commit. Raises HubError.

    What was public before stays so: into such a repository nothing is put unless `public` says that it may.
    """
    check(repo)
    if not (folder / "manifest.json").is_file():
        raise HubError(f"{folder} holds no manifest.json: the export is not whole")
    from huggingface_hub import HfApi

    command = json.loads((folder / "manifest.json").read_text("utf-8"))["command"]
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=_token())
    try:
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.dataset_info(repo).private:
            raise HubError(f"{repo} exists and is public: --public puts it there all the same")
        made: Any = api.upload_folder(
            repo_id=repo, repo_type="dataset", folder_path=folder, commit_message=command[:200]
        )
    except HubError:
        raise
    except Exception as error:  # the library lets those of its transport through, whichever that is today
        raise HubError(f"{repo}: {without_token(str(error))}") from None
    return str(made.commit_url)


def without_token(text: str) -> str:
    """A message that cannot hold the token, whoever wrote it."""
    token = os.environ.get(TOKEN, "").strip()
    return text.replace(token, "***") if token else text


def _token() -> str:
    """Without the line end that a file leaves in it. Raises HubError for what no header can carry.

    A transport's complaint of that would quote it, escaped, so that it could not be found there.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise HubError(f"{TOKEN} is not set: it must hold a token of the Hub that may write")
    if not re.fullmatch(r"[!-~]+", token):
        raise HubError(f"{TOKEN} holds a space or another character that no token has: copy it anew")
    return token
