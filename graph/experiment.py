"""An experiment from Python, for notebooks: the words of the command line as methods.

evolve = Experiment("specs/evolve.toml", set={"nodes.selected.params.high": 0.8})
evolve.plan()
result = evolve.run()
result["curve"].summary()
result["qa", 2].pandas("questions")
result["scenes"]["scene0011_00"].xarray()
result["update"]["weights"].export("model")
"""

from __future__ import annotations

import builtins
import datetime
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.asked import find_asked, one_variant
from graph.classes import find_class, kinds_of
from graph.errors import NotFoundError
from graph.exchange import export_artifact
from graph.kinds import Kind
from graph.plan import Plan, make_plan
from graph.progress import LiveTable, PlainLines, make_progress
from graph.run import run
from graph.runs import Runs
from graph.settings import open_stores
from graph.show import describe, find_entry
from graph.spec import Spec, load_spec
from store.artifact import Artifact
from store.collection import PREFIX
from store.open import Store

if TYPE_CHECKING:
    import pandas
    import xarray
    import zarr


class Experiment:
    """A spec with settings, and the store that it runs in.

    Args:
        spec: the TOML file.
        set: key -> value, in place of what the file says; paths are relative to the working folder.
        store: a URL or path; by default where the command line would look.
        offline: leave the shared stores alone.
    Raises:
        SpecError: every mistake in the spec.
    """

    def __init__(
        self,
        spec: str | Path,
        set: Mapping[str, Any] | None = None,
        store: str | None = None,
        offline: bool = False,
    ) -> None:
        self.path = Path(spec)
        self.settings = [f"{key}={toml_text(value)}" for key, value in (set or {}).items()]
        self.store = open_stores(store, self._read(), offline)

    def plan(self, until: str | None = None) -> Plan:
        """Return what a run would find, compute, and why."""
        return make_plan(self._read(), self.store, until)

    def run(self, until: str | None = None) -> Outputs:
        """Run the spec to the end, telling how far it is. Raises RunError where nodes failed."""
        spec = self._read()
        with _make_progress() as progress:
            result = run(spec, self.store, self.settings, until, (progress,))
        return Outputs(self.store, result.run, result.outputs, kinds_of(spec))

    def latest(self) -> Outputs:
        """Return what the experiment's newest run gave, with whatever settings. Raises NotFoundError: there is none."""
        runs = Runs(self.store)
        spec = self._read()
        newest = runs.find(None, spec.experiment.name)
        given = {label: event.output for label, event in runs.outcomes(newest).items() if event.output}
        return Outputs(self.store, newest, given, kinds_of(spec))

    def _read(self) -> Spec:
        """Read the spec anew: it and the code that it names may have been edited in the meantime."""
        return load_spec(self.path, self.settings)


class Outputs(Mapping[str, "Output"]):
    """What a run gave, by label: `["curve"]`, `["qa[2]"]`, `["qa", 2]`; without a round, the last one."""

    def __init__(self, store: Store, run: str, digests: dict[str, str], kinds: Sequence[Kind]) -> None:
        self.run = run
        self._store = store
        self._digests = digests
        self._kinds = kinds

    def __getitem__(self, asked: str | tuple[str, int]) -> Output:
        name, round = (asked, None) if isinstance(asked, str) else asked
        where = f"run {self.run}"
        try:
            labels, entry = find_asked(name, self._digests, round, where)
            label = one_variant(labels, where)[-1]
        except NotFoundError as error:
            raise KeyError(str(error)) from None  # what a mapping promises
        output = Output(self._store, label, self._digests[label], self._kinds)
        return output[entry] if entry else output

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)

    def __repr__(self) -> str:
        return f"run {self.run}: {', '.join(self)}"


class Output:
    """One artifact of a store: what a node gave, or an entry of it. Prints as `dataflow show` does."""

    def __init__(self, store: Store, label: str, digest: str, kinds: Sequence[Kind]) -> None:
        self.label = label
        self.digest = digest
        self._store = store
        self._kinds = kinds
        self._reader = store.reader(digest)

    @property
    def type(self) -> str:
        """The type's name: `questions/1`."""
        return self._reader.type

    def __repr__(self) -> str:
        return describe(self._store, self.label, self.digest, self._class()).text()

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of what stands inside: scene ids of a collection."""
        return iter(self._reader.artifacts())

    def summary(self) -> dict[str, Any]:
        """Return the facts that its type tells."""
        return describe(self._store, self.label, self.digest, self._class()).facts

    def open(self) -> Artifact:
        """Return it as the kinds that read it get it. Raises NotFoundError: no kind of the spec knows its type."""
        cls = self._class()
        if cls is None:
            raise NotFoundError(f"{self.label} is {self.type}, which no kind of the spec takes or gives")
        return self._store.open(self.digest, cls)

    def keys(self) -> list[str]:
        """Return the keys of the artifacts that stand inside."""
        return list(self._reader.artifacts())

    def __getitem__(self, entry: str) -> Output:
        digest = find_entry(self._store, self.label, self.digest, entry)
        return Output(self._store, f"{self.label}.{entry}", digest, self._kinds)

    def zarr(self) -> zarr.Group:
        """Open it as a read-only zarr group."""
        return self._reader.zarr()

    def xarray(self, group: str | None = None) -> xarray.Dataset:
        """Open it, or a group in it, as a lazy Dataset."""
        return self._reader.xarray(group)

    def pandas(self, table: str) -> pandas.DataFrame:
        """Return a table; of a collection those of all entries, under each other, with the entry's key as index."""
        import pandas

        if self.type.startswith(PREFIX):
            entries = {key: self[key] for key in self.keys()}
            for entry in entries.values():
                if PREFIX + entry.type != self.type:
                    raise NotFoundError(f"{entry.label} is {entry.type}, in a {self.type}")
            return pandas.concat({key: own.pandas(table) for key, own in entries.items()}, names=["entry", "row"])
        columns = [key.split("/")[1] for key in self._reader.keys() if key.startswith(f"{table}/")]
        columns = [name for name in dict.fromkeys(columns) if name != "zarr.json"]
        if not columns:
            raise NotFoundError(f"{self.label} is {self.type} and has no table {table!r}")
        return pandas.DataFrame({name: self._reader.array(f"{table}/{name}") for name in columns})

    def export(self, folder: str | Path, plain: bool = False, form: str = "") -> Path:
        """Write it to a folder that other tools open and `dataflow import` reads back; with `plain`, what is for people
        alone, or the plain `form` of that name. Return the folder. Raises ExportError: there is something in it."""
        return export_artifact(self._store, self.label, self.digest, self._kinds, Path(folder), plain, form)

    def _class(self) -> builtins.type[Artifact] | None:
        return find_class(self.type, self._kinds)


def _make_progress() -> LiveTable | PlainLines:
    """Return the live table in a notebook that can show one, elsewhere what the command line would."""
    is_live = "ipykernel" in sys.modules and importlib.util.find_spec("ipywidgets") is not None
    return LiveTable() if is_live else make_progress()


def toml_text(value: Any) -> str:
    """Return a value as a spec writes it. Raises TypeError: TOML has no such value."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{toml_text(str(key))} = {toml_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(float(value) if isinstance(value, float) else int(value))  # numpy's say their type
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    raise TypeError(f"{value!r}: TOML has no {type(value).__name__}")
