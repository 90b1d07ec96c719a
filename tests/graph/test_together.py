"""Eight processes, each with a store of its own, on one spec and one bucket: every action is executed once."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter

from graph.cli import main
from tests.graph.conftest import ROOT

N = 8


def start(lab, name, url, spec):
    """Start a run as one of several people who share a key."""
    config = lab.folder / name / "config" / "dataflow"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f'[store]\nshared = ["{url}"]\n')
    os.symlink(lab.folder / "config" / "dataflow" / "keys", config / "keys")
    environment = {
        **lab.environment(),
        "XDG_CONFIG_HOME": str(config.parent),
        "DATAFLOW_STORE": str(lab.folder / name / "store"),
    }
    command = lab.line("run", spec)
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def run_together(lab, url, text, n=N):
    """Run a spec n times at once; return what each printed and said."""
    main(["keys", "new"])
    spec = lab.write(text)
    processes = [start(lab, f"p{number}", url, spec) for number in range(n)]
    printed = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * n, printed
    return printed


def test_each_action_is_executed_once_and_all_end_with_the_same_digests(lab, s3, loop):
    printed = run_together(lab, s3.url, loop)
    results = {re.search("^result (.*)$", out, re.MULTILINE)[1] for out, _ in printed}
    assert len(results) == 1, printed
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1}
    computed = Counter(int(re.search(r"(\d+) computed", out)[1]) for out, _ in printed)
    assert sum(number * times for number, times in computed.items()) == 8
    assert any(re.search(r"waits for \w+@", said) for _, said in printed)
