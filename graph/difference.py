"""The difference of two runs: what was asked otherwise, which outputs differ and why, how long it took."""

from __future__ import annotations

import difflib
import itertools
from pathlib import Path

import msgspec

from graph.change import listed
from graph.errors import NotFoundError
from graph.estimate import seconds_text
from graph.history import Past
from graph.runs import Runs
from graph.spec import load_spec
from graph.table import text_table
from graph.why import Comparison
from store.open import Store


class Asked(msgspec.Struct, frozen=True):
    """One of the two runs: how it was asked and how it ended."""

    run: str
    experiment: str
    started: str
    settings: list[str]
    status: str
    seconds: float


class Differing(msgspec.Struct, frozen=True):
    """An instance whose output differs: what first changed on the way to it, and the seconds it took then and now."""

    node: str
    before: str
    after: str
    cause: str
    seconds: tuple[float, float]


class Difference(msgspec.Struct, frozen=True):
    """Two runs: the spec's changed lines, instances of one alone, outputs that differ, and how many are equal."""

    before: Asked
    after: Asked
    spec: list[str]
    only_before: list[str]
    only_after: list[str]
    differing: list[Differing]
    equal: int

    def json(self) -> str:
        """Return it for programs."""
        return msgspec.json.encode(self).decode()

    def text(self) -> str:
        """Return it for people."""
        rows = [(one.run, one.started, one.status, seconds_text(one.seconds)) for one in (self.before, self.after)]
        lines = [text_table(("run", "started", "ended", "time"), rows)]
        for sign, one, other in (("-", self.before, self.after), ("+", self.after, self.before)):
            lines += [f"{sign} --set {setting}" for setting in one.settings if setting not in other.settings]
        lines += self.spec
        lines += [f"only then: {', '.join(self.only_before)}"] if self.only_before else []
        lines += [f"only now: {', '.join(self.only_after)}"] if self.only_after else []
        if self.differing:
            cells = [(one.node, *map(seconds_text, one.seconds), one.cause) for one in self.differing]
            lines += ["", text_table(("node", "then", "now", "first cause"), cells)]
        return "\n".join([*lines, f"{self.equal} outputs are equal, {len(self.differing)} differ"])


def compare_runs(store: Store, before: str, after: str) -> Difference:
    """Compare two runs by their ids."""
    was, now = Past(store, before), Past(store, after)
    both = [label for label in now.outcomes if label in was.outcomes]
    differing = [label for label in both if was.output(label) != now.output(label)]
    comparison = Comparison(store, was, now, now.outcomes)
    old, new = (Runs(store).root(run).text.splitlines() for run in (before, after))
    return Difference(
        before=_asked(store, before),
        after=_asked(store, after),
        spec=[line for line in difflib.unified_diff(old, new, lineterm="", n=0) if line[:3] not in ("---", "+++")],
        only_before=[label for label in was.outcomes if label not in now.outcomes],
        only_after=[label for label in now.outcomes if label not in was.outcomes],
        differing=[_differing(comparison, was, now, label) for label in differing],
        equal=len(both) - len(differing),
    )


def _asked(store: Store, run: str) -> Asked:
    root, end = Runs(store).root(run), Runs(store).end(run)
    status, seconds = (end.status, end.seconds) if end is not None else ("not ended", 0.0)
    return Asked(run, root.experiment, root.started, root.settings, status, seconds)


def _differing(comparison: Comparison, was: Past, now: Past, label: str) -> Differing:
    """Tell the root that is furthest upstream; what gave nothing says so itself."""
    ended = now.outcomes[label]
    if not ended.output:
        cause = f"{ended.state}: {ended.error}" if ended.error else ended.state
    elif not was.output(label):
        cause = f"{was.outcomes[label].state} then"
    else:
        cause = listed([*comparison.roots(label), *comparison.cause(label).roots()], 1)
    return Differing(label, was.output(label) or "", ended.output, cause, (_seconds(was, label), _seconds(now, label)))


def _seconds(past: Past, label: str) -> float:
    """Return what making an output took, whichever run it was made in."""
    record = past.record(label)
    return record.ran.get("seconds", 0.0) if record is not None else past.outcomes[label].seconds


def find_two(store: Store, operands: list[str]) -> tuple[str, str]:
    """Return two run ids, the earlier one first where they are not both named.

    Args:
        operands: ids, unique beginnings of ids, or specs, whose experiments' newest runs are meant. For one spec, and
            for none, the newest run and the one before it; for one run, that and its experiment's newest.
    Raises:
        NotFoundError: there are no such runs.
    """
    runs = Runs(store)
    if len(operands) == 2:
        return _find_run(runs, operands[0]), _find_run(runs, operands[1])
    newest = _find_run(runs, operands[0] if operands else None)
    experiment = runs.root(newest).experiment
    same = list(itertools.islice(runs.ids(experiment), 2))
    if operands and not operands[0].endswith(".toml"):
        return newest, same[0]
    if len(same) < 2:
        raise NotFoundError(f"experiment {experiment!r} has one run only: there is nothing to compare it with")
    return same[1], same[0]


def _find_run(runs: Runs, operand: str | None) -> str:
    if operand is None:
        return runs.find(None, None)
    if operand.endswith(".toml"):
        return runs.find(None, load_spec(Path(operand), []).experiment.name)
    found = [run for run in runs.store.objects.list("runs") if run.startswith(operand)]
    if len(found) > 1:
        raise NotFoundError(f"{len(found)} runs begin with {operand!r}: {listed(sorted(found), 3)}")
    return found[0] if found else runs.find(operand, None)
