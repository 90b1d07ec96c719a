"""`update.command`: a policy trained by a program that is not ours: verl, EasyR1, a script that waits for Slurm.

The program is given folders and files, and writes a folder:

    {policy}     a Hugging Face model folder, as `dataflow export --plain` writes it
    {questions}  a folder of questions.jsonl, a question a line with `images`, the paths of its pictures in there
    {rewards}    a JSON list of `{"name", "target"}`, the rewards that it is asked for by where their code is
    {rollout}    a JSON table, how questions are put and answers drawn
    {seed}       a number to seed it with
    {files}      the file or folder that `files` names: its content is in the key, where it lies is not
    {scratch}    a folder that a killed run finds again, for checkpoints
    {output}     where it writes the new model, complete, in safetensors; and `log.jsonl`, a step a line, if it likes:
                 `{"step": 1, "loss": 0.5}`

They stand in the command's arguments, which go to it as they are: there is no shell. It need not do the same twice, so
its first result stands. What it wrote is checked as `policy.load` checks a folder: no pickle is read and no code in it
is run. Its optimiser is its own business: the trainer of what this returns is empty.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from graph.node import External, node
from nodes.plain import write_models
from nodes.policy.load import check_folder, read_folder
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout, check_frames
from nodes.program import check_command, fill, run_program
from nodes.questions.files.formats import write_jsonl
from nodes.questions.question import Question, QuestionPool, pool_rows, question_images
from nodes.rewards.reward import ACCURACY, Rewards
from nodes.update.log_file import read_log
from nodes.update.trainer import unchanged
from nodes.update.update import Update

PLACES = ("policy", "questions", "rewards", "rollout", "seed", "files", "scratch", "output")


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `update.command`."""

    command: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="the program and its arguments, with {policy} {questions} {rewards} {output}"),
    ]
    files: Annotated[External, Meta(description="its script, or a folder of them: {files} in the command")] | None = (
        None
    )
    rollout: Rollout = Rollout()
    rewards: Annotated[Rewards, Meta(min_length=1, description="by name, summed")] = (ACCURACY,)

    def __post_init__(self) -> None:
        check_command(self.command, PLACES, "the new policy", self.files is not None)


@node(
    "update.command",
    version=1,
    packages=("torch", "transformers", "tokenizers", "safetensors", "pillow"),
    external=True,
)
def command(policy: Policy, questions: QuestionPool, *, params: Command, seed: int, scratch: Path) -> Update:
    """Return the policy that the command makes of a policy and questions; without any it goes on as it is.

    Raises:
        ValueError: the command failed (with its last lines), or what it wrote is no sound model.
    """
    rows = pool_rows(questions)
    if not rows:
        return unchanged("update.command", policy, None, False)
    if not policy.tensors():
        raise ValueError(f"update.command: a policy of family {policy.family!r} has no weights, expected a model")
    check_frames(rows, params.rollout)
    folder = scratch / "files"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    (scratch / "kept").mkdir(exist_ok=True)
    try:
        places = _export(policy, questions, rows, params, folder)
        places |= {"seed": str(seed % 2**31), "scratch": str(scratch / "kept")}
        run_program([fill(argument, places) for argument in params.command], folder)
        trained = _read_output(folder / "output")
        log = read_log(folder / "output" / "log.jsonl")
    except ValueError as error:
        raise ValueError(f"update.command: {str(error).replace(str(folder / 'output'), '{output}')}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    known = {*policy.trained_places, *(name for row in rows for name in (row.place, row.scene) if name)}
    trained.trained_places = tuple(sorted(known))
    return Update(trained, log)


def _export(
    policy: Policy, questions: QuestionPool, rows: Sequence[Question], params: Command, folder: Path
) -> dict[str, str]:
    """Write what the command is given; return where each of it is. `output` is not there yet."""
    write_models({"": policy}, folder / "policy")
    write_jsonl({key: questions[key] for key in questions}, folder / "questions")
    _check_pictures(folder / "questions" / "questions.jsonl", questions, rows)
    rewards = [{"name": named.name, "target": named.target} for named in params.rewards]
    (folder / "rewards.json").write_bytes(msgspec.json.encode(rewards))
    (folder / "rollout.json").write_bytes(msgspec.json.encode(params.rollout))
    names = {"rewards": "rewards.json", "rollout": "rollout.json"}
    places = {name: str(folder / names.get(name, name)) for name in ("policy", "questions", "output", *names)}
    return {**places, "files": str(params.files.path)} if params.files is not None else places


def _check_pictures(written: Path, questions: QuestionPool, rows: Sequence[Question]) -> None:
    """Raise what the store says of the first picture that could not be written: an export goes on without it."""

    class Shown(Struct):
        images: list[str]

    with open(written, "rb") as lines:
        for line, row in zip(lines, rows, strict=True):
            if len(msgspec.json.decode(line, type=Shown).images) < len(row.frames):
                question_images(questions, row)
                raise ValueError(f"question {row.id!r}: its {len(row.frames)} frames cannot be written as files")


def _read_output(folder: Path) -> Policy:
    """Return the policy in a folder. Raises ValueError: it is not there, no model, or holds what is no number."""
    from nodes.policy.tensors import torch_tensor

    if not folder.is_dir():
        raise ValueError(f"the command ended well and wrote no folder {folder}")
    check_folder(folder)
    policy = read_folder(folder)
    for name, values in policy.tensors().items():
        if not torch_tensor(values).isfinite().all():
            raise ValueError(f"policy folder {folder}: tensor {name} holds NaN or infinity, expected finite numbers")
    return policy
