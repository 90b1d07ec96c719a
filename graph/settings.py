"""Where artifacts lie and where nodes run: what the command line, a spec, the environment and the user file say of it.

None of it enters a key. The user file is `~/.config/dataflow/config.toml` (XDG_CONFIG_HOME is honoured) with tables
`[store]` and `[compute]` as in a spec; what a spec says itself goes before it, so a shared spec needs no editing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from graph.document import Document
from graph.errors import SpecError, nearest
from graph.params import Mistakes, read_params

PLACE = {"executor", "address"}
Amount = Annotated[float, msgspec.Meta(gt=0)]


class Compute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[compute]`: where nodes run. Never part of a key."""

    executor: Annotated[
        Literal["inline", "local", "remote"],
        msgspec.Meta(description="this process | Dask workers on this machine | a Dask cluster that is there"),
    ] = "inline"
    workers: Annotated[int, msgspec.Meta(ge=1, description="local workers")] = 2
    address: Annotated[str, msgspec.Meta(description="of the Dask scheduler: tcp://host:8786")] = ""
    resources: Annotated[dict[str, Amount], msgspec.Meta(description="what each local worker has: { GPU = 1 }")] = {}


def store_url(command_line: str | None, spec: str | None) -> str:
    """Return the store's URL: `--store`, the spec's `[store] url`, DATAFLOW_STORE, the user file, the default.

    The default is `~/.local/share/dataflow` (XDG_DATA_HOME). One store serves all projects: it is addressed by content.
    """
    return command_line or spec or os.environ.get("DATAFLOW_STORE") or _user_store() or str(_data_home() / "dataflow")


def read_compute(document: Document, mistakes: Mistakes) -> Compute:
    """Return where the nodes of a spec run.

    `executor` and `address` go together: the command line, the spec, DATAFLOW_ADDRESS, the user file; whoever says one
    of them first decides both. An address alone means a remote cluster.
    """
    table = document.tables.get("compute", {})
    if not isinstance(table, dict):
        mistakes.add("compute", "", "expected a table")
        return Compute()
    if fixed := {key for key in PLACE if f"compute.{key}" in document.fixed}:
        table = {key: value for key, value in table.items() if key in fixed or key not in PLACE}
    default = _user_compute(mistakes)
    if address := os.environ.get("DATAFLOW_ADDRESS"):
        default = {**default, "executor": "remote", "address": address}
    if PLACE & table.keys():
        default = {key: value for key, value in default.items() if key not in PLACE}
    table = {**default, **table}
    table = {"executor": "remote", **table} if table.get("address") else table
    compute = read_params(Compute, table, mistakes, "compute", Path()) or Compute()
    if compute.executor == "remote" and not compute.address:
        mistakes.add("compute", "executor = 'remote'", "expected an address as well, here or in DATAFLOW_ADDRESS")
    if compute.executor != "remote" and compute.address:
        expected = f"executor = {compute.executor!r} starts its own workers: expected executor = 'remote', or none"
        mistakes.add("compute", f"address = {compute.address!r}", expected)
    return compute


def check_resources(node: str, resources: dict[str, float], compute: Compute, mistakes: Mistakes) -> None:
    """Note what no local worker has: Dask would wait for it for ever. A remote cluster is asked when the run begins."""
    for name, amount in resources.items() if compute.executor == "local" else ():
        if compute.resources.get(name, 0) < amount:
            has = f"{compute.resources[name]:g}" if name in compute.resources else "none"
            near = "" if name in compute.resources else nearest(name, compute.resources)
            expected = f"a worker has {has}: expected it in [compute] resources{near}"
            mistakes.add(f"nodes.{node}", f"resources.{name} = {amount:g}", expected)


def _user_store() -> str | None:
    path, tables = _read_user_file()
    try:
        url = tables.get("store", {}).get("url")
    except AttributeError as error:
        raise SpecError([f"{path}: expected [store] url: {error}"]) from None
    return url


def _user_compute(mistakes: Mistakes) -> dict[str, Any]:
    path, tables = _read_user_file()
    table = tables.get("compute", {})
    if not isinstance(table, dict):
        raise SpecError([f"{path}: compute = {table!r}: expected a table"])
    mistakes.origins.update({f"compute.{key}": str(path) for key in table})
    return table


def _read_user_file() -> tuple[Path, dict[str, Any]]:
    import tomli

    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    path = home / "dataflow" / "config.toml"
    try:
        return path, tomli.loads(path.read_text())
    except FileNotFoundError:
        return path, {}
    except (tomli.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise SpecError([f"{path}: expected TOML: {error}"]) from None


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
