"""`eval.external`: a policy measured by a harness that is not ours, on the harness's own benchmarks: what it can do
beside what it was trained for, and what our own scorers are checked against.

The harness is given folders and writes one:

    {policy}     a Hugging Face model folder, as `dataflow export --plain` writes it
    {questions}  the pool of the input `questions` as a task of lmms-eval, for its --include_path: the task is named
                 `dataflow_questions`; it puts them in the words of the template direct, with pictures as they are and
                 answers of 16 tokens at most, however the policy was trained
    {files}      the file or folder that `files` names: its content is in the key, where it lies is not
    {output}     where it writes its results

They stand in the command's arguments, which go to it as they are: there is no shell. Harnesses need an environment of
their own, since they pin other versions of the same libraries: the command is that environment's program. What it
measured stands, and is not measured again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from graph.node import External, node
from nodes.evaluate.answers import overlap, trained_on
from nodes.evaluate.harnesses.lmms_eval import read_lmms_eval
from nodes.evaluate.harnesses.measured import Measure, Said
from nodes.evaluate.harnesses.vlmevalkit import read_vlmevalkit
from nodes.plain import write_models
from nodes.policy.policy import Policy
from nodes.program import check_command, fill, run_program
from nodes.questions.files.lmms_eval import write_lmms_eval
from nodes.questions.question import QuestionPool, pool_rows
from store.artifact import Artifact, Reader, Writer

PLACES = ("policy", "questions", "files", "output")
READERS = {"lmms-eval": read_lmms_eval, "vlmevalkit": read_vlmevalkit}


class Measures(Artifact):
    """What a harness measured of one policy, and what the policy said, where the harness tells."""

    type: ClassVar[str] = "measures/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[Measure], said: Sequence[Said], harness: str) -> None:
        self.rows, self.said, self.harness = list(rows), list(said), harness

    def write(self, w: Writer) -> None:
        w.attrs = {"harness": self.harness}
        w.table("measures", self.rows, Measure)
        w.table("said", self.said, Said)

    @classmethod
    def open(cls, r: Reader) -> Measures:
        return cls(r.table("measures", Measure), r.table("said", Said), r.attrs["harness"])

    def summary(self) -> dict[str, Any]:
        tasks: dict[str, dict[str, float]] = {}
        for row in self.rows:
            tasks.setdefault(row.task, {})[row.metric] = row.value
        return {"harness": self.harness, "tasks": tasks}


class Measuring(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `eval.external`."""

    command: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="the harness and its arguments, with {policy} {questions} {files} {output}"),
    ]
    reads: Annotated[Literal["lmms-eval", "vlmevalkit"], Meta(description="whose results it writes")] = "lmms-eval"
    files: Annotated[External, Meta(description="its script, or a folder of them: {files} in the command")] | None = (
        None
    )

    def __post_init__(self) -> None:
        check_command(self.command, PLACES, "its results", self.files is not None)
        if not any("{policy}" in argument for argument in self.command):
            raise ValueError("command: need {policy}, which is measured")


@node("eval.external", version=1, packages=("torch", "transformers", "tokenizers", "safetensors"), external=True)
def measure(policy: Policy, questions: QuestionPool | None, *, params: Measuring, scratch: Path) -> Measures:
    """Return what a harness measures of the policy.

    Raises:
        ValueError: {questions} without the input, or the input without it; places in the pool that trained the policy;
            the harness failed (with its last lines), or wrote no results.
    """
    if (questions is not None) != any("{questions}" in argument for argument in params.command):
        raise ValueError("eval.external: need both of the input `questions` and {questions} in the command, or neither")
    if questions is not None and (seen := trained_on(policy, pool_rows(questions))):
        raise ValueError(overlap("eval.external", seen))
    if not policy.tensors():
        raise ValueError(f"eval.external: a policy of family {policy.family!r} has no weights, expected a model")
    folder, done = scratch / "files", scratch / "done"
    places = {place: str(folder / place) for place in PLACES}
    if params.files is not None:
        places["files"] = str(params.files.path)
    try:
        if not done.exists():  # else only its results could not be read: hours of a GPU, maybe
            shutil.rmtree(folder, ignore_errors=True)  # of a killed run
            write_models({"": policy}, folder / "policy")
            if questions is not None:
                write_lmms_eval({key: questions[key] for key in questions}, folder / "questions")
            run_program([fill(argument, places) for argument in params.command], folder)
            done.touch()
        measures, said = READERS[params.reads](folder / "output")
    except ValueError as error:
        raise ValueError(f"eval.external: {str(error).replace(places['output'], '{output}')}") from error
    return Measures(measures, said, params.reads)
