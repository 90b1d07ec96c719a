"""The explanation of one instance: all that `plan` has only a line for, diffs of edited code among it."""

from __future__ import annotations

from collections.abc import Iterator

from graph.asked import find_asked
from graph.change import listed, near_miss
from graph.errors import NotFoundError
from graph.estimate import seconds_text
from graph.plan import Planned, Planner
from graph.reasons import Reason
from graph.rounds import unroll
from graph.spec import Spec
from graph.why import Comparison
from store.open import Store

LISTED = 10  # elements of a map that are named


def explain(spec: Spec, store: Store, node: str, round: int | None) -> str:
    """Say why an instance would run, or what a run would find.

    Args:
        node: a node's name or an instance's label. Without `round`, of a node's instances the first that is no hit.
    Raises:
        NotFoundError: there is no such instance.
    """
    instances = unroll(spec)
    labels, entry = find_asked(node, instances, round, str(spec.path))
    if entry:
        raise NotFoundError(f"{node}: expected a node, not what stands in it")
    planner = Planner(spec, store, labels[0] if len(labels) == 1 else instances[labels[0]].node.name)
    planned = {label: planner.plan(instance) for label, instance in planner.lookup.instances.items()}
    label = next((label for label in labels if planned[label].state != "hit"), labels[-1])
    return "\n".join(_lines(planner, planned, label))


def _lines(planner: Planner, planned: dict[str, Planned], label: str) -> Iterator[str]:
    one = planned[label]
    if one.state == "hit":
        yield f"{label} is a hit"
        yield from _found(planner, label)
        return
    elements = f" {one.missing} of {one.elements} elements" if one.missing else ""
    time = f", about {seconds_text(one.seconds)}" if one.seconds is not None else ""
    yield f"{label} {one.state}{elements}{time}"
    if one.state == "may run":
        yield one.reason
        for upstream in _upstream(planner, label):
            if planned[upstream].state == "will run":
                yield f"  {upstream} will run: {planned[upstream].reason}"
        yield "an equal output there stops the change before it gets here"
        reason = planner.reasons.found[label]
        if reason.past is not None:
            yield from _diffs(planner.reasons.comparison(reason.past), label, label)
        return
    yield from _reason(planner, planner.reasons.found[label], label)


def _found(planner: Planner, label: str) -> Iterator[str]:
    work = planner.reasons.present.works.get(label)
    record = planner.lookup.find(work.key) if work is not None else None
    if record is not None:
        started = record.ran.get("started")
        yield f"action {record.key}"
        yield f"output {record.output}  {record.type}"
        if started:
            host = record.ran.get("host", "")
            yield f"made {started} in {seconds_text(record.ran.get('seconds', 0.0))} on {host}"


def _reason(planner: Planner, reason: Reason, label: str) -> Iterator[str]:
    if reason.past is None or not reason.changes:
        yield reason.text
        return
    then = "" if reason.then == label else f" {reason.then} in"
    yield f"compared with{then} run {reason.past.run}"
    if near_miss(reason.changes):
        yield near_miss(reason.changes)
    for why, names in reason.elements.items():
        yield f"{len(names)} {why}: {listed(names, LISTED)}"
    comparison = planner.reasons.comparison(reason.past)
    yield from _changes(comparison, label, "")
    if reason.then == label:
        for upstream in reversed(comparison.behind(label)):
            yield from _changes(comparison, upstream, f"{upstream}: ")
    yield from _diffs(comparison, label, reason.then)


def _changes(comparison: Comparison, label: str, prefix: str) -> Iterator[str]:
    cause = comparison.cause(label)
    if cause.note:
        yield f"  {prefix}{cause.note}"
    for change in cause.changes:
        because = cause.because.get(change.input)
        yield f"  {prefix}{change.text()}{f' ({listed(because, LISTED)})' if because else ''}"


def _diffs(comparison: Comparison, label: str, then: str) -> Iterator[str]:
    """Yield the diff of every edited piece of code, here and upstream, once."""
    told = set()
    for name in [label, *comparison.behind(label)]:
        if any(change.part == "code" for change in comparison.cause(name).changes):
            for edit in comparison.edits(name, then if name == label else None) or ():
                if edit not in told:
                    told.add(edit)
                    yield ""
                    yield edit.diff()


def _upstream(planner: Planner, label: str) -> list[str]:
    """Return all that an instance reads, itself or through others, in the graph's order."""
    found: set[str] = set()
    pending = [label]
    while pending:
        fresh = planner.lookup.instances[pending.pop()].upstream() - found
        found |= fresh
        pending += fresh
    return [name for name in planner.lookup.instances if name in found]
