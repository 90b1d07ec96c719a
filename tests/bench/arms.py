"""What each arm of an experiment took, and what sharing saved: seconds of the bodies, by the records of its last run,
and bytes of their outputs.

    python -m tests.bench.arms specs/efficiency.toml --store ~/store

An instance that several variants share counts whole for each arm that needs it and once in the total. Evaluations and
reports are left out of an arm's seconds, since no arm needs them to learn.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
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
    once = {label: _seconds(past, label) for label in shared.instances}
    arms: dict[str, list[dict[str, float]]] = defaultdict(list)
    held: dict[str, int] = {}  # blob -> bytes
    sizes = {label: _bytes(store, past.output(label), held) for label in shared.instances}
    n_apart, apart, apart_bytes = 0, 0.0, 0
    for variant, labels in shared.labels.items():
        by_node: dict[str, float] = defaultdict(float)
        for label in labels.values():
            n_apart, apart, apart_bytes = n_apart + 1, apart + once[label], apart_bytes + sizes[label]
            instance = shared.instances[label]
            kind = instance.node.kind
            if instance.round is not None and kind and not LEFT_OUT.match(kind.name):
                by_node[split_label(label)[0]] += once[label]
        arms[variant.partition(",")[0]].append(by_node)
    for arm, runs in arms.items():
        of = {
            name: sum(run.get(name, 0.0) for run in runs) / len(runs) for name in {key for run in runs for key in run}
        }
        largest = sorted(of.items(), key=lambda pair: -pair[1])[:4]
        print(f"{arm:16}{sum(of.values()):8.0f} s  {', '.join(f'{name} {took:.0f}' for name, took in largest)}")
    print(
        f"{len(once)} instances, {sum(once.values()):.0f} s, {sum(held.values()) / 1e9:.2f} GB;"
        f" apart {n_apart}, {apart:.0f} s, {apart_bytes / 1e9:.2f} GB"
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
