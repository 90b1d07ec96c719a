"""Where things are when a spec does not say: the store's place, by command line, spec, environment, user file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from graph.errors import SpecError


def store_url(command_line: str | None, spec: str | None) -> str:
    """Return the store's URL: `--store`, the spec's `[store] url`, DATAFLOW_STORE, the user file, the default.

    The user file is `~/.config/dataflow/config.toml` (XDG_CONFIG_HOME is honoured) with a table `[store]`; the default
    is `~/.local/share/dataflow` (XDG_DATA_HOME). One store serves all projects: it is addressed by content.
    """
    return command_line or spec or os.environ.get("DATAFLOW_STORE") or _user_file() or str(_data_home() / "dataflow")


def _user_file() -> str | None:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = home / "dataflow" / "config.toml"
    try:
        return tomllib.loads(path.read_text())["store"]["url"]
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, OSError) as error:
        raise SpecError([f"{path}: expected TOML with [store] url: {error}"]) from None


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
