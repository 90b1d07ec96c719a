"""Threads: libraries are held to a number of them, loaded already or not, and let go."""

from __future__ import annotations

import os
import sys

from threadpoolctl import threadpool_info, threadpool_limits

from graph.threads import Threads


def pools():
    return {pool["num_threads"] for pool in threadpool_info()}


def test_loaded_libraries_and_variables_are_held_and_put_back(monkeypatch):
    import numpy as np

    assert "numpy" in sys.modules and np.ones(2).sum() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with threadpool_limits(2):
        threads = Threads()
        threads.hold(1)
        assert pools() == {1} and os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
        threads.hold(3)
        assert pools() == {3} and os.environ["OMP_NUM_THREADS"] == "3"
        threads.release()
        assert pools() == {2} and os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ


def test_threads_that_a_body_asked_torch_for_are_not_the_next_ones(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "import torch\nfrom graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def __init__(self, n): self.n = n\n"
        "    def write(self, w): w.attrs['n'] = self.n\n"
        "    @classmethod\n    def open(cls, r): return cls(r.attrs['n'])\n"
        "@node('toy.ask', version=1)\ndef ask(before: Box | None) -> Box:\n"
        "    found = torch.get_num_threads()\n    torch.set_num_threads(7)\n    return Box(found)\n"
    )
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:ask"\nthreads = 2\n'
    text += '[nodes.b]\nkind = "kinds.py:ask"\nthreads = 2\ninputs = { before = "a" }\n'
    for executor in ("inline", "local"):
        result = lab.run(text, f"compute.executor={executor}", "compute.workers=1", force=("a", "b"))
        assert [lab.store.reader(result.outputs[name]).attrs["n"] for name in ("a", "b")] == [2, 2]
