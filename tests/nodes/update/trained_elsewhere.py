"""A training program that knows nothing of us, as `update.command` runs one: transformers, a folder in, a folder out.

python trained_elsewhere.py POLICY QUESTIONS REWARDS ROLLOUT OUTPUT SCRATCH SEED HOW
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

policy, questions, rewards, rollout, output, scratch = map(Path, sys.argv[1:7])
seed, how = int(sys.argv[7]), sys.argv[8]

if how == "fails":
    (scratch / "checkpoint").write_text("step 1")
    print("reading the data", file=sys.stderr)
    print("CUDA out of memory\nTried to allocate 9 GiB", file=sys.stderr)
    sys.exit(3)
if how == "nothing":
    sys.exit(0)
if how == "waits":
    child = subprocess.Popen(["sleep", "300"])
    (Path(os.environ["HOME"]) / "pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(300)
if how == "no model":
    output.mkdir()
    (output / "config.json").write_text("{}")
    sys.exit(0)

from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: E402

model = AutoModelForImageTextToText.from_pretrained(policy)
processor = AutoProcessor.from_pretrained(policy)
rows = [json.loads(line) for line in (questions / "questions.jsonl").read_text().splitlines()]
pictures = sum(len((questions / image).read_bytes()) > 100 for row in rows for image in row["images"])
told = json.loads(rewards.read_text()), json.loads(rollout.read_text())["template"]
for parameter in model.parameters():
    parameter.data += float("nan") if how == "nan" else 0.5
model.save_pretrained(output, safe_serialization=True)
processor.save_pretrained(output)
if how == "pickle":
    (output / "model.safetensors").rename(output / "pytorch_model.bin")
with open(output / "log.jsonl", "w") as log:
    print(json.dumps({"step": 1, "loss": 2.5, "pictures": pictures, "note": "first"}), file=log)
    print("no JSON at all", file=log)
    print(json.dumps({"step": 3, "loss": 1.5, "questions": len(rows), "seed": seed, "step_time": 0.3}), file=log)
print("told", told, "scratch", sorted(path.name for path in scratch.iterdir()))
print("environment", sorted(os.environ))
