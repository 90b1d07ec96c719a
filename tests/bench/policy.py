"""Loading a policy: from the store and from its folder, and what an adapter's round writes.

    python -m tests.bench.policy [--width 512] [--layers 24]

`from_pretrained` maps its file and reads what is touched; a store's tensors are read whole and every byte is verified.
So each is timed to the end of what follows: a forward pass reads all weights, a training step writes all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodes.policy.build import Build, build_tiny
from nodes.policy.folder import write_folder
from nodes.policy.lora import Lora, add_lora
from nodes.policy.policy import Policy, load_model, policy_from
from nodes.policy.processors import open_processor
from nodes.questions.vocabulary import words
from store.open import open_store

TIMES = 5


def main() -> None:
    """Print one line a way of loading, then the bytes of an adapter's round."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=24)
    asked = parser.parse_args()
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()
    for shape in (Build(), Build(width=asked.width, layers=asked.layers, vision_width=256)):
        with tempfile.TemporaryDirectory() as name:
            _measure(shape, Path(name))


def _measure(shape: Build, where: Path) -> None:
    from transformers import AutoModelForImageTextToText

    store = open_store(str(where / "store"))
    built = build_tiny(shape, words(), seed=1)
    size = sum(values.nbytes for values in built.tensors().values())
    digest = store.put(built)
    (where / "folder").mkdir()
    write_folder(built, where / "folder")

    def from_folder() -> Any:
        model = AutoModelForImageTextToText.from_pretrained(where / "folder", local_files_only=True)
        return model, open_processor(where / "folder", model.config.model_type)

    def from_store() -> Any:
        return load_model(store.open(digest, Policy))

    print(f"{size / 1e6:.1f} MB")
    for name, load in (("from_pretrained", from_folder), ("from the store", from_store)) * 2:
        times = min(_times(load) for _ in range(TIMES))
        print(f"  {name:16} written {times[0]:6.0f} ms | loaded {times[1]:6.0f} ms, read {times[2]:6.0f} ms")
    policy, before = store.open(digest, Policy), _bytes(where)
    for _ in range(2):
        model, processor = load_model(policy)
        began = time.perf_counter()
        adapted = policy_from(_changed(add_lora(model, Lora())), processor, (), policy)
        policy = store.open(store.put(adapted), Policy)
        after = _bytes(where)
        took = 1e3 * (time.perf_counter() - began)
        print(f"  an adapter's round writes {after - before:,} bytes in {took:.0f} ms")
        before = after


def _times(load: Callable[[], Any]) -> tuple[float, float, float]:
    """Return milliseconds until all weights are written, until it is loaded, until all weights are read."""
    import torch

    began = time.perf_counter()
    model, _ = load()
    loaded = time.perf_counter()
    with torch.no_grad():
        sum(float(parameter.sum()) for parameter in model.parameters())
        read = time.perf_counter()
        for parameter in model.parameters():
            parameter.mul_(1.0)
    written = time.perf_counter()
    return tuple(1e3 * (end - began) for end in (written, loaded, read))  # type: ignore[return-value]


def _changed(model: Any) -> Any:
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.01
    return model


def _bytes(where: Path) -> int:
    return sum(path.stat().st_size for path in (where / "store").rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
