"""The Hugging Face hub: a repository at a pinned commit, from the hub's cache here or downloaded into it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

Repository: TypeAlias = Literal["model", "dataset"]
Commit: TypeAlias = Annotated[str, Meta(description="commit on the hub, 40 hex digits: a branch can move")]
COMMIT = re.compile(r"[0-9a-f]{40}")
TIMEOUT_S = 10.0


def check_source(named: object, name: str, hub: str, revision: str) -> None:
    """Raise ValueError unless exactly one of a path and a hub repository with its commit is given.

    Args:
        named: the path, None where there is none.
        name: of the param that holds it.
    """
    if (named is None) == (not hub):
        raise ValueError(f"{name}, hub: need exactly one of the two")
    if hub and not COMMIT.fullmatch(revision):
        raise ValueError(f"revision = {revision!r}: need the commit of {hub!r}, 40 hex digits")


def download(kind: Repository, name: str, commit: str, patterns: Sequence[str], param: str) -> tuple[Path, bool]:
    """Return the folder of a repository, downloaded as far as it is not here, and whether the hub said what belongs to
    it: where it cannot be reached, its cache here may hold a part.

    Args:
        patterns: of the files that are wanted.
        param: that names a folder in its place, for who has no network.
    Raises:
        ValueError: the hub does not give it; one line.
    """
    from huggingface_hub import snapshot_download

    told = f"hub {kind} {name!r} at {commit[:12]}"
    try:
        problem = _unreachable(kind, name, commit)
    except Exception as error:  # the hub's own answer: no such repository, no such commit, not for us
        raise ValueError(f"{told}: {first_line(error)}") from error
    try:
        folder = snapshot_download(
            name, repo_type=kind, revision=commit, allow_patterns=list(patterns), local_files_only=bool(problem)
        )
        return Path(folder), not problem
    except Exception as error:
        raise ValueError(
            f"{told}: {problem or first_line(error)}, and it is not in the hub's cache here; download it where there"
            f" is a network and name its folder as params.{param}"
        ) from error


def _unreachable(kind: Repository, name: str, commit: str) -> str:
    """Return why the hub cannot be reached, "" if it can. One question: a download alone would ask for minutes."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        HfApi().repo_info(name, repo_type=kind, revision=commit, timeout=TIMEOUT_S)
    except (HfHubHTTPError, HFValidationError):
        raise
    except Exception as error:  # no route, no name, no time, or HF_HUB_OFFLINE
        return first_line(error)
    return ""


def first_line(error: Exception) -> str:
    """Return an error as one line: its type, and the first line of what it says."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0].rstrip('.')}" if said else type(error).__name__
