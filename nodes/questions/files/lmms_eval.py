"""Question pools as tasks of lmms-eval: `dataflow export qa DIR --format lmms_eval`, then

    lmms-eval eval --include_path DIR/plain --tasks dataflow_questions --model qwen2_5_vl --model_args pretrained=...

The folder is complete: `dataflow_questions.yaml`, the code that it names, and the questions with their pictures. It may
be moved.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nodes.policy.rollout import prompt_text
from nodes.questions.files import lmms_eval_task
from nodes.questions.files.formats import save_dataset
from nodes.questions.files.pictures import PictureFiles
from nodes.questions.question import Questions

TASK = "dataflow_questions"
MAX_TOKENS = 16  # of an answer, as VSI-Bench's own
FIELDS = ("id", "scene", "task", "template", "answer", "kind", "options", "terms")


def write_lmms_eval(pools: Mapping[str, Questions], folder: Path) -> None:
    """Write a folder for `--include_path`. Raises ValueError: no questions, or pictures of one are gone."""
    import datasets

    pictures = PictureFiles(pools, folder)
    questions = [(place, question) for place, pool in pools.items() for question in pool.rows]
    if not questions:
        raise ValueError("0 questions, expected at least 1")

    def rows() -> Iterator[dict[str, Any]]:
        for place, question in questions:
            images = pictures.data(place, question)
            if len(images) < len(question.frames):
                raise ValueError(f"question {question.id!r}: its {len(question.frames)} frames are not all there")
            told = {name: getattr(question, name) for name in FIELDS}
            yield {**told, "words": prompt_text(question), "images": images}

    text = datasets.Value("string")
    features = datasets.Features({**dict.fromkeys([*FIELDS, "words"], text), "options": datasets.List(text)})
    folder.mkdir(parents=True, exist_ok=True)
    save_dataset(rows, folder / "questions", features, "test")
    (folder / f"{TASK}_code.py").write_text(inspect.getsource(lmms_eval_task))
    (folder / f"{TASK}.yaml").write_text(_task(sorted({question.task for _, question in questions})))


def _task(tasks: list[str]) -> str:
    """Return the task's YAML, in which JSON is a value like any other."""
    code = f"!function {TASK}_code"
    metrics = "".join(
        f"  - metric: {json.dumps(name)}\n    aggregation: {code}.mean\n    higher_is_better: true\n"
        for name in ("accuracy", *(f"accuracy_{task}" for task in tasks))
    )
    return f"""task: {TASK}
dataset_path: {code}.folder
dataset_kwargs:
  load_from_disk: true
test_split: test
output_type: generate_until
doc_to_visual: {code}.pictures
doc_to_text: {code}.words
doc_to_messages: {code}.messages
doc_to_target: answer
generation_kwargs:
  max_new_tokens: {MAX_TOKENS}
  temperature: 0
  do_sample: false
process_results: {code}.marks
metric_list:
{metrics}metadata:
  - version: 1
"""
