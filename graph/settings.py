"""Where artifacts lie and where nodes run: what the command line, a spec, the environment and the user file say of it.

None of it enters a key. The user file is `~/.config/dataflow/config.toml` (XDG_CONFIG_HOME is honoured) with tables
`[store]` and `[compute]` as in a spec; what a spec says itself goes before it, so a shared spec needs no editing.
Whom to believe in a shared store, and what may go there, is the user's to say and never a spec's:

    [store]
    shared = ["s3://team/cache", { url = "s3://lab/cache", trust = "own", push = false, allow = ["ScanNet"] }]
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from graph.document import Document
from graph.errors import SpecError, nearest
from graph.params import Mistakes, read_params
from store.open import Store, open_store
from store.shared import SharedStore

if TYPE_CHECKING:
    from graph.spec import Spec

PLACE = {"executor", "address"}
Amount = Annotated[float, msgspec.Meta(gt=0)]


class Stores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[store]` of the user file."""

    url: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    shared: list[Annotated[str, msgspec.Meta(min_length=1)] | SharedStore] = []


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
    named = command_line or spec or os.environ.get("DATAFLOW_STORE")
    if named:
        return named
    path, stores = _user_stores()
    return place_of(stores.url, path.parent) if stores.url else str(_data_home() / "dataflow")


def place_of(url: str, folder: Path) -> str:
    """Return a store's URL in the one form in which it is compared: a path is below `folder` unless it says where."""
    protocol, separator, rest = url.partition("://")
    if separator and protocol != "file":
        return f"{protocol}://{rest.rstrip('/')}"
    return os.path.abspath(folder / Path(rest if separator else url).expanduser())


def open_stores(command_line: str | None, spec: Spec | None = None, is_offline: bool = False) -> Store:
    """Open the store of a command with the shared ones behind it.

    Args:
        command_line: what `--store` says.
        spec: the spec that the command reads, if any; the stores that it names go before the user file's.
        is_offline: leave the shared stores alone.
    Raises:
        SpecError: the user file cannot be read, or says what it cannot mean.
        StoreError: see `open_store`.
    """
    url = store_url(command_line, spec.store if spec is not None else None)
    users = {one.url: one for one in _user_shared()}
    named = spec.shared if spec is not None else None
    # Somebody else's spec must not send what is made here to wherever it likes.
    unlisted = {one: SharedStore(one, push=False) for one in named or ()}
    shared = list(users.values()) if named is None else [{**unlisted, **users}[one] for one in named]
    if not shared and not keys_folder().exists():
        return open_store(url)
    from store.trust import Keyring

    return open_store(url, shared, Keyring.load(keys_folder()), is_offline)


def keys_folder() -> Path:
    """Return where the user's keys lie: `keys` beside the user file."""
    return _config_folder() / "keys"


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


def _user_shared() -> list[SharedStore]:
    path, stores = _user_stores()
    shared: dict[str, SharedStore] = {}
    for one in stores.shared:
        said = SharedStore(one) if isinstance(one, str) else one
        said = msgspec.structs.replace(said, url=place_of(said.url, path.parent))
        if said.url in shared:
            raise SpecError([f"{path}: [store] shared: {said.url!r} is there twice, expected every store once"])
        shared[said.url] = said
    return list(shared.values())


def _user_stores() -> tuple[Path, Stores]:
    path, tables = _read_user_file()
    table = tables.get("store", {})
    try:
        return path, msgspec.convert(table, Stores)
    except msgspec.ValidationError as error:
        given = ", ".join(f"{key} = {value!r}" for key, value in table.items()) if isinstance(table, dict) else table
        expected = "expected url, and shared: a list of URLs, or of tables with url, trust, push, allow"
        raise SpecError([f"{path}: [store] {given}: {expected}: {error}"]) from None


def _user_compute(mistakes: Mistakes) -> dict[str, Any]:
    path, tables = _read_user_file()
    table = tables.get("compute", {})
    if not isinstance(table, dict):
        raise SpecError([f"{path}: compute = {table!r}: expected a table"])
    mistakes.origins.update({f"compute.{key}": str(path) for key in table})
    return table


def _read_user_file() -> tuple[Path, dict[str, Any]]:
    import tomli

    path = _config_folder() / "config.toml"
    try:
        return path, tomli.loads(path.read_text())
    except FileNotFoundError:
        return path, {}
    except (tomli.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise SpecError([f"{path}: expected TOML: {error}"]) from None


def _config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dataflow"


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
