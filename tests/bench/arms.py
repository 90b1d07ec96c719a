"""What each arm of an experiment took, and what sharing saved: seconds of the bodies, by the records of its last run,
and bytes of their outputs.

    python -m tests.bench.arms specs/efficiency.toml --store ~/store

An instance that several variants share counts whole for each arm that needs it and once in the total. Evaluations and
reports are left out of an arm's seconds, since no arm needs them to learn.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from pathlib import Path

from graph.history import Past
from graph.labels import split_label
from graph.rounds import unroll_variants
from graph.runs import Runs
from graph.spec import load_spec
from store.manifest import decode
from store.open import Store, open_store

LEFT_OUT = re.compile(r"eval|report")


def main(spec_path: str, url: str) -> None:
    """Print a line an arm, mean over its seeds, and the totals."""
    spec, store = load_spec(Path(spec_path), []), open_store(url)
    past = Past(store, Runs(store).find(None, spec.experiment.name))
    shared = unroll_variants(spec)
    seconds = {label: _seconds(past, label) for label in shared.instances}
    held: dict[str, int] = {}  # blob -> bytes
    sizes = {label: _bytes(store, past.output(label), held) for label in shared.instances}
    arms: dict[str, dict[str, float]] = defaultdict(
        lambda: defaultdict(float)
    )  # arm -> node -> seconds, of all its seeds
    for variant, labels in shared.labels.items():
        for label in labels.values():
            node = shared.instances[label].node
            if split_label(label)[2] is not None and node.kind and not LEFT_OUT.match(node.kind.name):
                arms[variant.partition(",")[0]][node.name] += seconds[label]
    n_seeds = len(shared.labels) // len(arms)
    for arm, of in arms.items():
        largest = ", ".join(
            f"{name} {took / n_seeds:.0f}" for name, took in sorted(of.items(), key=lambda one: -one[1])[:4]
        )
        print(f"{arm:16}{sum(of.values()) / n_seeds:8.0f} s  {largest}")
    uses = Counter(label for labels in shared.labels.values() for label in labels.values())
    apart = sum(n * seconds[label] for label, n in uses.items()), sum(n * sizes[label] for label, n in uses.items())
    print(
        f"{len(seconds)} instances, {sum(seconds.values()):.0f} s, {sum(held.values()) / 1e9:.2f} GB;"
        f" apart {uses.total()}, {apart[0]:.0f} s, {apart[1] / 1e9:.2f} GB"
    )


def _seconds(past: Past, label: str) -> float:
    record = past.record(label)
    return float(record.ran.get("seconds", 0.0)) if record is not None else 0.0


def _bytes(store: Store, artifact: str | None, held: dict[str, int]) -> int:
    """Return the bytes of an artifact and what it is made of, and put its blobs down."""
    total = 0
    for entry in decode(store.manifests.read(artifact)).entries if artifact else ():
        if entry.kind in ("artifact", "part"):
            total += _bytes(store, entry.digest, held)
        else:
            total += held.setdefault(f"{entry.kind}{entry.digest}", entry.size)
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("--store", required=True)
    asked = parser.parse_args()
    main(asked.spec, asked.store)
