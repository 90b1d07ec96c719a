"""A writer that is killed at any moment leaves nothing that reads as half an artifact."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from store.errors import Missing
from store.open import open_store

WRITER = """
import sys
import numpy as np
from store.artifact import Artifact
from store.open import open_store

class Big(Artifact):
    type = "big/1"
    def __init__(self, n): self.n = n
    def write(self, w):
        for i in range(40):
            w.array(f"a{i}", np.random.default_rng([self.n, i]).random(4000), ("x",))

store = open_store(sys.argv[1])
for n in range(100_000):
    print(store.put(Big(n)), flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.037])
def test_kill_9_leaves_nothing_half_readable(tmp_path, delay):
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    )
    told = [writer.stdout.readline().strip()]
    time.sleep(delay)
    writer.send_signal(signal.SIGKILL)
    told += [line for line in writer.communicate()[0].split("\n") if len(line) == 64]
    store = open_store(str(tmp_path))
    stored = [path.name for path in (tmp_path / "manifests").rglob("*") if path.is_file()]
    assert set(told) <= set(stored)
    for name in stored:  # a manifest is there: so are all its blobs, whole
        reader = store.reader(name)
        assert len([reader.array(f"a{i}") for i in range(40)]) == 40
    blobs = [path for path in (tmp_path / "cas").rglob("*") if path.is_file()]
    assert all(store.blobs.get(path.name.removesuffix(".zst"), 32_000) for path in blobs)
    with pytest.raises(Missing):
        store.reader("0" * 64)
