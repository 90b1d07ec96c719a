"""Checkpoints, and what a round adds: put and verified get beside safetensors, zarr and a copy; bytes newly written.

    python -m tests.bench.checkpoint --work /tmp --repeats 9

All ways are timed in turn in one process on one file system, the order turned round from repeat to repeat. Nobody calls
fsync: what is written ends in the page cache, and what is read comes from it, into memory that is new every time. What
counts is the fastest repeat, since other work on the machine can only add; a ratio is theirs / ours, above 1 is slower
than ours. `CPU` is the time of all threads: it says more than the wall where the cores are shared. MB = 10^6 bytes.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import zarr
from safetensors.torch import load_file, save_file

from nodes.policy.policy import Policy
from nodes.policy.tensors import stored_array
from nodes.questions.question import Question, Questions
from store.artifact import Artifact, Reader, Writer
from store.bfloat16 import bfloat16
from store.checkpoint import read_tensors, write_tensors
from store.collection import Collection
from store.open import Store, open_store
from store.zarr_bfloat16 import BFloat16

SETS = {
    "400 MB, float32": (50, (2000, 1000), torch.float32),
    "40 MB, float32": (40, (250, 1000), torch.float32),
    "400 MB, bfloat16": (50, (4000, 1000), torch.bfloat16),
}
M_MMAP_THRESHOLD = -3
WRITES = ("put", "save_file", "shutil.copyfile", "zarr write")
READS = (
    "get",
    "load_file, read into memory",
    "load_file, mapped, every byte used once",
    "load_file, mapped, nothing read yet",
    "zarr read",
)
SCENES, QUESTIONS, CHANGED = 200, 24, 10


class Adapted(Artifact):
    """What a round of LoRA leaves: the base by its digest, and the adapter's tensors."""

    type = "bench adapted/1"

    def __init__(self, base: Policy, adapter: dict[str, np.ndarray]) -> None:
        self.base, self.adapter = base, adapter

    def write(self, w: Writer) -> None:
        w.artifact("base", self.base)
        write_tensors(w, "adapter", self.adapter)

    @classmethod
    def open(cls, r: Reader) -> Adapted:
        return cls(r.artifact("base", Policy), read_tensors(r, "adapter"))


class Took(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


def main() -> None:
    """Print a table for each set of tensors, and one of the bytes that rounds add."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    # glibc would hand out freed memory again, at no cost: whoever reads in the same pieces as before would seem fast.
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 16)
    work = Path(tempfile.mkdtemp(prefix="checkpoint-", dir=options.work))
    try:
        for title, (count, shape, dtype) in SETS.items():
            tensors = draw(count, shape, dtype)
            mb = sum(tensor.nbytes for tensor in tensors.values()) / 1e6
            arrays = {name: stored_array(tensor) for name, tensor in tensors.items()}
            taken: dict[str, list[Took]] = {}
            for repeat in range(options.repeats):
                for name, took in one_repeat(work, tensors, arrays, repeat):
                    taken.setdefault(name, []).append(took)
            print_table(title, mb, {name: taken[name] for name in (*WRITES, *READS)})
        print_rounds(work, options.repeats)
    finally:
        shutil.rmtree(work)


def draw(count: int, shape: tuple[int, int], dtype: torch.dtype, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return `count` tensors of normal numbers, as weights are."""
    source = torch.Generator().manual_seed(seed)
    return {f"layers.{n}.weight": (torch.randn(shape, generator=source) * 0.02).to(dtype) for n in range(count)}


def one_repeat(
    work: Path, tensors: dict[str, torch.Tensor], arrays: dict[str, np.ndarray], repeat: int
) -> Iterator[tuple[str, Took]]:
    """Write in every way, then read in every way; the order is turned by one every repeat."""
    store, policy = open_store(str(work / "store")), Policy("bench", arrays, {})
    digest = open_store(str(work / "first")).put(policy)
    saved, copied, group = work / "saved", work / "copied", work / "zarr"
    shutil.rmtree(work / "first")
    save_file(tensors, work / "original")
    bodies: dict[str, Callable[[], Any]] = {
        "put": lambda: store.put(policy),
        "save_file": lambda: save_file(tensors, saved),
        "shutil.copyfile": lambda: shutil.copyfile(work / "original", copied),
        "zarr write": lambda: write_zarr(group, arrays),
        "get": lambda: store.open(digest, Policy).tensors(),
        "load_file, read into memory": lambda: load_file(saved, backend="pread"),
        "load_file, mapped, every byte used once": lambda: use(load_file(saved)),
        "load_file, mapped, nothing read yet": lambda: load_file(saved),
        "zarr read": lambda: {name: array[...] for name, array in zarr.open_group(group, mode="r").arrays()},
    }
    for names in (WRITES, READS):
        turn = repeat % len(names)
        for name in (*names[turn:], *names[:turn]):
            yield name, timed(bodies[name])
    found = store.open(digest, Policy).tensors()
    assert all(found[name].tobytes() == values.tobytes() for name, values in arrays.items())
    for path in (saved, copied, work / "original"):
        path.unlink()
    shutil.rmtree(group), shutil.rmtree(work / "store")


def timed(body: Callable[[], Any]) -> Took:
    """Run it; what it returns is dropped after the clock has stopped."""
    wall, cpu = time.perf_counter(), time.process_time()
    held = body()
    took = Took(time.perf_counter() - wall, time.process_time() - cpu)
    del held
    return took


def use(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copy them all into one place, as a model that is filled does: the mapped pages have to be there."""
    place = torch.empty(max(tensor.nbytes for tensor in tensors.values()), dtype=torch.uint8)
    for tensor in tensors.values():
        place.copy_(tensor.view(torch.uint8).reshape(-1))
    return tensors


def write_zarr(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write one uncompressed chunk a tensor through zarr's own LocalStore."""
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    for name, values in arrays.items():
        dtype = BFloat16() if values.dtype == bfloat16() else values.dtype
        options = {"shape": values.shape, "chunks": values.shape, "compressors": None, "filters": None}
        group.create_array(name, dtype=dtype, **options)[...] = values


def print_table(title: str, mb: float, taken: dict[str, list[Took]]) -> None:
    """Print a row a way, each beside `put` or `get`."""
    print(f"\n| {title} | MB/s | MB per CPU s | wall / ours | CPU / ours |\n|{'---|' * 5}")
    ours = Took(0, 0)
    for name, times in taken.items():
        best = Took(min(took.wall for took in times), max(1e-6, min(took.cpu for took in times)))
        is_ours = name in ("put", "get")
        ours = best if is_ours else ours
        speeds = f"{mb / best.wall:,.0f} | {mb / best.cpu:,.0f}"
        ratios = f"{best.wall / ours.wall:.2f} | {best.cpu / ours.cpu:.2f}"
        print(f"| {f'**{name}**' if is_ours else name} | {speeds} | {ratios} |")


def print_rounds(work: Path, repeats: int) -> None:
    """Print what is newly written when little has changed, and the fastest of the first and the second put."""
    print(f"\n| round | first, bytes | newly written, bytes | first, ms | second, ms |\n|{'---|' * 5}")
    base = {name: stored_array(tensor) for name, tensor in draw(25, (1000, 1000), torch.float32).items()}
    adapter = draw(32, (8, 1000), torch.float32, seed=1)
    adapter_arrays = {f"lora.{name}": stored_array(tensor) for name, tensor in adapter.items()}
    policy, merged = Policy("bench", base, {}), Policy("bench", {**base, **adapter_arrays}, {})
    print_round(
        "LoRA, base inside by digest",
        *two_puts(work, repeats, policy, lambda store, first: Adapted(store.open(first, Policy), adapter_arrays)),
    )
    print_round("LoRA, a policy of all tensors", *two_puts(work, repeats, policy, lambda store, first: merged))
    print_round(
        f"{CHANGED} of {SCENES} scenes, {QUESTIONS} questions each",
        *two_puts(work, repeats, pool(changed=0), lambda store, first: pool(changed=CHANGED)),
    )


def two_puts(
    work: Path, repeats: int, first: Artifact, second: Callable[[Store, str], Artifact]
) -> tuple[int, int, float, float]:
    """Return the bytes that each put adds to the files of a new store, and the fastest seconds of each."""
    walls: list[tuple[float, float]] = []
    for _ in range(repeats):
        store = open_store(str(work / "rounds"))
        digests: list[str] = []
        wall = timed(lambda: digests.append(store.put(first))).wall  # noqa: B023 - called at once
        whole, changed = stored_bytes(work / "rounds"), second(store, digests[0])
        walls.append((wall, timed(lambda: store.put(changed)).wall))  # noqa: B023
        written = stored_bytes(work / "rounds") - whole
        shutil.rmtree(work / "rounds")
    return whole, written, min(one for one, _ in walls), min(two for _, two in walls)


def stored_bytes(folder: Path) -> int:
    """Return the size of all files together."""
    return sum(os.path.getsize(f"{at}/{name}") for at, _, names in os.walk(folder) for name in names)


def print_round(name: str, whole: int, written: int, first: float, second: float) -> None:
    """Print one row."""
    print(f"| {name} | {whole:,} | {written:,} | {first * 1e3:.1f} | {second * 1e3:.1f} |")


def pool(changed: int) -> Collection[Questions]:
    """Return a pool in which the first scenes have other answers than with `changed` = 0."""
    scenes = {}
    for scene in range(SCENES):
        draws = np.random.default_rng([scene, scene < changed]).integers(1, 90, size=(QUESTIONS, 2)).tolist()
        name = f"scene{scene:04d}_00"
        scenes[name] = Questions([question(name, number, *drawn) for number, drawn in enumerate(draws)])
    return Collection(Questions, scenes)


def question(scene: str, number: int, metres: int, other: int) -> Question:
    """Return a question on a distance, as `qa.synthesize` words them."""
    return Question(
        id=f"{scene}-{number:02d}-{metres * 90 + other:04x}",
        scene=scene,
        place=scene[:9],
        split="train",
        frames_digest=f"{int(scene[5:9]):064x}",
        frames=(number % 8,),
        task="distance",
        template="distance.0",
        prompt=f"Measuring from the closest points, how far is object {other} from object {metres}, in metres?",
        options=(),
        answer=f"{metres / 10:.1f}",
        kind="number",
        unit="m",
        program=f"distance(object({other}), object({metres}))",
        margin=metres / 100,
        chance=0.0,
        terms="open",
    )


if __name__ == "__main__":
    main()
