"""A spec whose questions and answers are markup and script, and whatever else a page may stumble over."""

from __future__ import annotations

import json
from pathlib import Path

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = "<img src=x onerror='window.hacked = 2'>"
ASKED = [
    {"id": "q0", "prompt": SCRIPT, "answer": "yes", "options": ["yes", "no"], "task": IMAGE},
    {"id": "q1", "prompt": "</script></style></article>", "answer": "no", "options": ["yes", "no"], "task": "plain"},
    {"id": "q2", "prompt": "{{ 7 * 7 }} \u202e ${x}", "answer": SCRIPT, "options": [SCRIPT, "no"], "task": "plain"},
    {"id": "q3", "prompt": "long " * 2000, "answer": "3", "program": IMAGE, "task": "number"},
]
SPEC = """
[experiment]
name = "hostile"
rounds = 2
[nodes.asked]
kind = "qa.load"
params = { path = "asked.jsonl", pictures = "none" }
every_round = true
[nodes.policy]
kind = "KINDS:policy"
params = { rates = { plain = 0.5 } }
[nodes.rollouts]
kind = "rollouts.draw"
inputs = { policy = "policy", questions = "asked" }
params = { samples = 4 }
[nodes.probe]
kind = "probe.confidence"
inputs = { rollouts = "rollouts", questions = "asked" }
[nodes.anchors]
kind = "rollouts.draw"
inputs = { policy = "policy", questions = "asked" }
params = { samples = 1 }
[nodes.anchor_probe]
kind = "probe.confidence"
inputs = { rollouts = "anchors", questions = "asked" }
[nodes.update]
kind = "KINDS:improve"
inputs = { policy = "update[-1] | policy", questions = "asked" }
[nodes.eval]
kind = "eval.questions"
inputs = { policy = "update", questions = "asked" }
"""


def write_spec(folder: Path) -> Path:
    """Write the spec and its questions into a folder."""
    kinds = Path(__file__).parents[2] / "scripted_kinds.py"
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ASKED))
    path = folder / "hostile.toml"
    path.write_text(SPEC.replace("KINDS", str(kinds)))
    return path
