"""Shared stores: what they cost, in seconds, requests and bytes, on real servers on loopback.

    python -m tests.bench.shared                             # everything, half an hour
    python -m tests.bench.shared team nodes --servers s3     # some of it

Servers are moto's S3, a Python process, and Azurite (`AZURITE` names the program where it is not found); `folder` is a
folder, for what is left where a request costs nothing (its requests are as the client counts them). Runs are whole
processes of people with a store, settings and keys of their own, and go through a proxy that counts: requests as they
reach the server, bytes of their bodies. Proxy and server take milliseconds a request, more than a network in one
region would: counts say more than seconds. Ways that are compared take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from store.open import open_store
from tests import services
from tests.bench import bucket, large
from tests.bench.process import Usage, measure_well
from tests.bench.server import Server, start_server

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "specs" / "smoke.toml"
KINDS = Path(__file__).with_name("kinds.py")
LOW, MORE = "nodes.selected.params.low=0.3", "nodes.qa.params.per_scene=12"
WIDE, DEEP = 10, 100
ELEMENTS, EACH_S, TOTAL = 64, 0.2, 2080  # 0 + ... + 63, and 1 more each
TOGETHER = (1, 2, 4, 8)


class Person:
    """Somebody with a store, settings and keys of her own, who runs commands; `url` is her shared store."""

    def __init__(self, folder: Path, environment: dict[str, str], url: str = "") -> None:
        self.folder = folder
        config = folder / "config" / "dataflow"
        config.mkdir(parents=True)
        if url:
            (config / "config.toml").write_text(f'[store]\nshared = ["{url}"]\n')
        self.store, self.keys, self.count = folder / "store", config / "keys", folder / "count"
        self._environment = environment | {
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(config.parent),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "DATAFLOW_STORE": str(self.store),
            "BENCH_COUNT": str(self.count),
        }

    def __call__(self, *words: str) -> Usage:
        """Run a command to its end."""
        return measure_well([sys.executable, "-m", "graph.cli", *words], self.folder, **self._environment)

    def new_key(self) -> str:
        """Make her key, and return the public half."""
        return find("[0-9a-f]{64}", self("keys", "new", "--name", self.folder.name).text)


class Row(NamedTuple):
    """What one command took, and what the server saw of it."""

    computed: str
    wall: float
    cpu: float
    requests: int
    up: int
    down: int


def observe(proxy: services.Proxy, person: Person, *words: str) -> tuple[Row, Usage]:
    """Run a command and count at the server."""
    proxy.forget()
    used = person(*words)
    told = re.search(r"(\d+) computed, (\d+) found", used.text)
    computed, requests = f"{told[1]} / {told[2]}" if told else "", count_requests(proxy, used)
    return Row(computed, used.wall, used.cpu, requests, proxy.bytes_in, proxy.bytes_out), used


def count_requests(proxy: services.Proxy, used: Usage) -> int:
    """Return how many requests the server saw; before a folder, which has none, how many the client made."""
    told = re.search(r"(\d+) requests", used.text)
    return proxy.n or (int(told[1]) if told else 0)


def print_rows(title: str, rows: dict[str, list[Row]]) -> None:
    """Print a row a step: seconds of the fastest repeat, the others' medians."""
    print(
        f"\n| {title} | computed / found | wall s, min | median | CPU s | requests | kB up | kB down |\n|{'---|' * 8}"
    )
    for name, found in rows.items():
        computed = " or ".join(sorted({row.computed for row in found}))
        walls = [row.wall for row in found]
        requests, *sizes = (median(getattr(row, each) for row in found) for each in ("requests", "up", "down"))
        seconds = f"{min(walls):.2f} | {median(walls):.2f} | {min(row.cpu for row in found):.2f}"
        print(
            f"| {name} | {computed} | {seconds} | {requests:.0f} | {' | '.join(f'{one / 1e3:,.1f}' for one in sizes)} |"
        )


def team(server: Server, work: Path, repeats: int) -> None:
    """A runs a spec cold, then B with nothing: again, with edits, brought whole, offline."""
    rows: dict[str, list[Row]] = {}
    for repeat in range(repeats):
        with two_people(server, work / f"team{repeat}") as (proxy, ann, ben, alone):

            def step(name: str, person: Person, *words: str) -> Usage:
                row, used = observe(proxy, person, *words)
                rows.setdefault(name, []).append(row)
                return used

            spec = str(SMOKE)
            step("cold, no shared store", alone, "run", spec)
            step(f"`{MORE}`, no shared store", alone, "run", spec, "--set", MORE)
            step("A: run, cold, pushing", ann, "run", spec)
            first = step("B: run, empty local store", ben, "run", spec).text
            step("B: run again", ben, "run", spec)
            step(f"B: `{LOW}`", ben, "run", spec, "--set", LOW)
            step(f"B: `{MORE}`", ben, "run", spec, "--set", MORE)
            run = find(r"run (\S+):", first)
            step("B: pull of the first run", ben, "pull", run)
            step("B: pull again", ben, "pull", run)
            step("B: offline", ben, "run", spec, "--offline")
            step("B: offline, the first edit", ben, "run", spec, "--set", LOW, "--offline")
            step("B: offline, the second edit", ben, "run", spec, "--set", MORE, "--offline")
    print_rows(f"smoke.toml, {server.name}", rows)


def nodes(server: Server, work: Path, repeats: int) -> None:
    """A thousand small nodes, pushed by A and found by B."""
    rows: dict[str, list[Row]] = {}
    for repeat in range(repeats):
        with two_people(server, work / f"nodes{repeat}") as (proxy, ann, ben, alone):
            spec = str(write_spec(work, "\n".join(grid())))
            steps: dict[str, tuple[Person, tuple[str, ...]]] = {
                "cold, no shared store": (alone, ("run", spec)),
                "A: run, cold, pushing": (ann, ("run", spec)),
                "B: run, empty local store": (ben, ("run", spec)),
                "B: run again": (ben, ("run", spec)),
                "B: run again, offline": (ben, ("run", spec, "--offline")),
            }
            for name, (person, words) in steps.items():
                rows.setdefault(name, []).append(observe(proxy, person, *words)[0])
    print_rows(f"{WIDE * DEEP:,} nodes, {WIDE} wide, {DEEP} deep, {server.name}", rows)


def grid() -> Iterator[str]:
    """Yield a table a node; each reads two of the layer above."""
    for layer in range(DEEP):
        for place in range(WIDE):
            above = {"left": place, "right": (place + 1) % WIDE} if layer else {}
            inputs = ", ".join(f'{name} = "n{layer - 1}_{at}"' for name, at in above.items())
            params = f"params = {{ value = {layer * WIDE + place} }}"
            yield f'[nodes.n{layer}_{place}]\nkind = "{KINDS}:combine"\ninputs = {{ {inputs} }}\n{params}\n'


class Together(NamedTuple):
    """What several processes took, and what came of it: `totals` where the bytes are."""

    wall: float
    executed: int
    results: set[str]
    totals: set[int]
    requests: list[int]


def together(server: Server, work: Path, repeats: int) -> None:
    """Several processes, each with a store of its own, on one map in one bucket."""
    spec = write_spec(
        work,
        f'[nodes.numbers]\nkind = "{KINDS}:numbers"\nparams = {{ count = {ELEMENTS} }}\n'
        f'[nodes.next]\nkind = "{KINDS}:add_slowly"\ninputs = {{ number = "numbers" }}\n'
        f"params = {{ seconds = {EACH_S} }}\n"
        f'[nodes.total]\nkind = "{KINDS}:total"\ninputs = {{ numbers = "next" }}\n',
    )
    shapes = {"1, no shared store": (1, False)} | {f"{n}": (n, True) for n in TOGETHER}
    taken: dict[str, list[Together]] = {name: [] for name in shapes}
    for repeat in range(repeats):
        for number, (name, (n, is_shared)) in enumerate(shapes.items()):
            folder = work / f"together{repeat}-{number}"
            taken[name].append(run_together(server, folder, str(spec), n, is_shared))
    print(
        f"\n| processes on {ELEMENTS} elements of {EACH_S} s, {server.name} | wall s, min | median"
        f" | over {ELEMENTS * EACH_S:.1f} s / n | bodies executed, should be {ELEMENTS + 1} | results"
        f" | total, should be {TOTAL} | requests a process |\n|{'---|' * 8}"
    )
    for name, found in taken.items():
        walls, ideal = [one.wall for one in found], ELEMENTS * EACH_S / shapes[name][0]
        executed = " or ".join(str(n) for n in sorted({one.executed for one in found}))
        results, totals = set().union(*(one.results for one in found)), set().union(*(one.totals for one in found))
        requests = [n for one in found for n in one.requests]
        told = f"{len(results)} | {', '.join(map(str, totals))} | {min(requests)} to {max(requests)}"
        seconds = f"{min(walls):.2f} | {median(walls):.2f} | {min(walls) / ideal:.2f}"
        print(f"| {name} | {seconds} | {executed} | {told} |")


def run_together(server: Server, folder: Path, spec: str, n: int, is_shared: bool) -> Together:
    """Run a spec n times at once, as people who share a key."""
    url = server.new_place() if is_shared else ""
    proxies = [services.Proxy(server.endpoint) for _ in range(n)]
    people = [
        Person(folder / f"p{number}", server.environment(proxy.endpoint), url) for number, proxy in enumerate(proxies)
    ]
    people[0].new_key()
    for person in people[1:]:
        person.keys.symlink_to(people[0].keys)
    with ThreadPoolExecutor(n) as pool:
        began = time.perf_counter()
        used = list(pool.map(lambda person: person("run", spec), people))
        wall = time.perf_counter() - began
    executed = sum(person.count.stat().st_size for person in people if person.count.exists())
    results = [find("(?m)^result (.*)$", one.text) for one in used]
    totals = {value_of(person, result, "total") for person, result in zip(people, results)}
    requests = [count_requests(proxy, one) for proxy, one in zip(proxies, used)]
    for proxy in proxies:
        proxy.close()
    return Together(wall, executed, set(results), {one for one in totals if one is not None}, requests)


def value_of(person: Person, result: str, label: str) -> int | None:
    """Return the number that a node gave; None where its bytes were never needed here."""
    store = open_store(str(person.store))
    digest = store.reader(result).entry(label).digest
    return store.reader(digest).attrs["value"] if store.manifests.has(digest) else None


@contextlib.contextmanager
def two_people(server: Server, folder: Path) -> Iterator[tuple[services.Proxy, Person, Person, Person]]:
    """Give a proxy before a new place, two people who share it, the second trusting the first, and one who does not."""
    proxy, url = services.Proxy(server.endpoint), server.new_place()
    environment = server.environment(proxy.endpoint)
    ann, ben = (Person(folder / name, environment, url) for name in ("ann", "ben"))
    key = ann.new_key()
    ben.new_key()
    ben("keys", "trust", key, "--name", "ann")
    yield proxy, ann, ben, Person(folder / "alone", environment)
    proxy.close()
    shutil.rmtree(folder)


def write_spec(work: Path, text: str) -> Path:
    """Write a spec of these nodes."""
    path = work / "spec.toml"
    path.write_text('[experiment]\nname = "bench"\n\n' + text)
    return path


def find(pattern: str, text: str) -> str:
    """Return what a pattern finds in a text: its group, or all of it."""
    found = re.search(pattern, text)
    assert found is not None, text
    return found[found.re.groups]


def main() -> None:
    """Print the tables of the pieces that are asked for."""
    pieces: dict[str, Callable[[Server, Path, int], None]] = {
        "team": team,
        "nodes": nodes,
        "small": bucket.small,
        "large": large.large,
        "together": together,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", nargs="*", help=f"of {', '.join(pieces)}; default: all")
    parser.add_argument("--servers", default="s3,azure")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="shared-", dir=options.work))
    try:
        for server_name in options.servers.split(","):
            place = work / server_name
            place.mkdir()
            with start_server(server_name) as server:
                for name in options.pieces or pieces:
                    before = os.getloadavg()[0]
                    pieces[name](server, place, options.repeats)
                    print(f"\nload: {before:.1f} before, {os.getloadavg()[0]:.1f} after", flush=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
