"""The plan: what is there, what will run and why, what may run. Nothing is executed.

An instance whose inputs are all known is a hit, or will run. One that reads something yet to be made may run: an equal
output could stop the change before it. Reasons compare the parts of the key with those of the nearest earlier action
of the same instance.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, Literal

import msgspec

from graph.lookup import Lookup, Work, item_name, put_collection
from graph.rounds import Instance, unroll
from graph.run import select_until
from graph.runs import Runs
from graph.spec import Spec
from store.manifest import Entry
from store.open import Store

LOOK_BACK = 20  # runs that are searched for an instance's earlier key


class Planned(msgspec.Struct, frozen=True):
    """One instance: `elements` of a map, of which `missing` would run."""

    label: str
    state: Literal["hit", "will run", "may run"]
    reason: str
    elements: int = 0
    missing: int = 0


def make_plan(spec: Spec, store: Store, until: str | None = None) -> list[Planned]:
    """Return what a run would do, instance by instance. Raises what `run` raises before anything runs."""
    instances = select_until(unroll(spec), until)
    lookup = Lookup(spec, store, instances)
    earlier = Earlier(store, spec.experiment.name)
    return [_plan_one(instance, lookup, earlier) for instance in lookup.instances.values()]


def _plan_one(instance: Instance, lookup: Lookup, earlier: Earlier) -> Planned:
    unknown = [label for label in instance.upstream() if label not in lookup.outputs]
    if unknown:
        return Planned(instance.label, "may run", f"reads {', '.join(sorted(unknown))}")
    if instance.node.kind is None:
        return Planned(instance.label, "hit", "")
    work = lookup.work(instance)
    record = lookup.find(work)
    if record is not None:
        lookup.outputs[instance.label] = record.output
        return Planned(instance.label, "hit", "", record.ran.get("elements", 0))
    reason = earlier.reason(instance.label, work)
    if not work.action.is_map:
        return Planned(instance.label, "will run", reason)
    records = [(piece, lookup.find(piece)) for piece in work.pieces]
    entries = [Entry(piece.element or "", "artifact", held.output, held.size) for piece, held in records if held]
    missing = len(work.pieces) - len(entries)
    if not missing:  # other elements of earlier maps, put together anew: nothing is executed
        lookup.outputs[instance.label] = put_collection(lookup.store, item_name(instance.node.kind), entries)[0]
        return Planned(instance.label, "hit", "", len(work.pieces))
    return Planned(instance.label, "will run", reason, len(work.pieces), missing)


class Earlier:
    """The keys that the newest runs of an experiment gave its instances."""

    def __init__(self, store: Store, experiment: str) -> None:
        self.store = store
        self._runs = Runs(store)
        self._experiment = experiment

    @functools.cached_property
    def _keys(self) -> dict[str, list[str]]:
        """The distinct keys of every instance, newest first; "" where it failed."""
        keys: dict[str, list[str]] = {}
        for run in itertools.islice(self._runs.ids(self._experiment), LOOK_BACK):
            for label, event in self._runs.outcomes(run).items():
                if (event.key or event.state == "failed") and event.key not in keys.setdefault(label, []):
                    keys[label].append(event.key)
        return keys

    def reason(self, label: str, work: Work) -> str:
        """Return which parts of the key differ from the earlier one that it is nearest to."""
        keys = self._keys.get(label)
        if not keys:
            return "never run"
        if not keys[0]:
            return "failed in its last run"
        records = [record for record in map(self.store.records.find, filter(None, keys)) if record is not None]
        if not records:
            return "its record is gone"
        described = work.action.described()
        changes = min((differences(record.action, described) for record in records), key=len)
        return "; ".join(changes) or "its output is gone or damaged"


def differences(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the changed parts of two described actions: `params.low 0.1 -> 0.2`, `code`, `input questions`."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name == "code":
            changes.append("project code changed")
        elif name in ("params", "packages") or (isinstance(old, dict) and isinstance(new, dict) and prefix):
            changes += differences(old or {}, new or {}, "package " if name == "packages" else f"{prefix}{name}.")
        elif name == "inputs":
            inputs = (old or {}, new or {})
            changed = [key for key in inputs[1] if inputs[0].get(key) != inputs[1][key]]
            changes += [f"input {key} changed" for key in changed]
        else:
            changes.append(f"{prefix}{name} {_text(old)} -> {_text(new)}")
    return changes


def _text(value: Any) -> str:
    return "absent" if value is None else msgspec.json.encode(value).decode()
