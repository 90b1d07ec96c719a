"""A harness for tests: it answers every question of the task folder with its first option, and writes what lmms-eval
writes. It knows nothing of us."""

import json
import sys
from pathlib import Path

import datasets

policy, questions, output, how = sys.argv[1:]
assert (Path(policy) / "config.json").is_file() and (Path(policy) / "model.safetensors").is_file()
if how == "fails":
    print("loading the model", file=sys.stderr)
    print("CUDA out of memory", file=sys.stderr)
    sys.exit(3)
folder = Path(output) / "policy__model"
folder.mkdir(parents=True)
if how == "measures":
    rows = datasets.load_from_disk(f"{questions}/questions")["test"]
    right = [float(row["options"][0] == row["answer"]) for row in rows]
    mean = sum(right) / len(right)
    told = {
        "alias": "x",
        "accuracy,none": mean,
        "accuracy_stderr,none": "N/A",
        "accuracy_stderr_clt,none": 0.0625,
        "accuracy,strip": mean / 2,
        "sure,none": True,
    }
    old = {"results": {"dataflow_questions": {"accuracy,none": 9.0}}}
    (folder / "20261128_021557_results.json").write_text(json.dumps(old))
    (folder / "20261128_021558_results.json").write_text(json.dumps({"results": {"dataflow_questions": told}}))
    samples = [{"doc_id": n, "filtered_resps": [[row["options"][0]]]} for n, row in enumerate(rows)]
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (folder / "20261128_021558_samples_dataflow_questions.jsonl").write_text(lines)
elif how == "torn":
    (folder / "20261128_021558_results.json").write_text('{"results": {"a": ')
