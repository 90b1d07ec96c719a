"""qa.propose: a frozen policy writes questions on a scene, each with the program that derives its answer.

What it writes is parsed (completion.py), run and tried on the scene (vetting.py), and put before the proposer again,
which accepts or rejects; nothing is taken on its word. Every piece that is refused is kept with its reason and text.

Source: Ouroboros-Spatial (arXiv:2606.11719): a proposer whose context alone changes; code that fails drops the
question; the proposer rejects what language alone answers and what noise made wrong. Departs: every answer must also
stand when boxes are moved, labels must be seen in the shown frames, and the form is JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.policy.policy import Policy
from nodes.policy.server import Server
from nodes.policy.writing import Request, Sampling, Writer, open_writer
from nodes.questions.draft import LETTERS, Draft
from nodes.questions.features import difficulty
from nodes.questions.proposals.briefing import judge_text, proposal_text
from nodes.questions.proposals.completion import Proposal, plain, read_completion, refuse
from nodes.questions.proposals.labelled import Labelled
from nodes.questions.proposals.vetting import Steady, Vetted, vet
from nodes.questions.question import Question, Questions, Refused
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import Rule, SceneView
from nodes.scenes.sample import Sample
from nodes.scenes.scene import Scene
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np

TEMPLATE = "proposed"
YES_NO = {"yes", "no"}
VERDICT_TOKENS = 16
ACCEPTS = ("accept", "accepted", "yes")
REJECTS = {
    "language": "judged_language",
    "noise": "judged_noise",
    "reject": "judged",
    "rejected": "judged",
    "no": "judged",
}


class Propose(Struct, frozen=True, forbid_unknown_fields=True):
    """What a proposer is asked for, and what its questions must withstand."""

    per_scene: Annotated[int, Meta(ge=1, le=64, description="asked for in one text", extra={"unit": "questions"})] = 8
    n: Annotated[int, Meta(ge=1, le=64, description="texts a scene", extra={"unit": "texts"})] = 1
    sampling: Sampling = Sampling()
    server: Server | None = None
    """Writes in place of the policy."""
    judge: Annotated[bool, Meta(description="the proposer accepts or rejects what is left")] = True
    move_m: Annotated[float, Meta(ge=0, le=1, description="every box is moved by it (ours)", extra={"unit": "m"})] = (
        0.03
    )
    moves: Annotated[int, Meta(ge=0, le=32, description="each in other directions (ours)")] = 4
    steady_mra: Annotated[float, Meta(ge=0, le=1, description="of a number that is measured anew (ours)")] = 0.8
    distance: Annotated[Rule, Meta(description="between boxes: exact, or as VSI-Bench samples them")] = "exact"
    thresholds: Thresholds = Thresholds()


@node(
    "qa.propose",
    version=1,
    each="scenes",
    packages=("numpy", "scipy", "torch", "transformers", "tokenizers", "pydantic-monty"),
    depends=["../programs/api/*.py"],
    external="server",
)
def propose(
    scenes: Scene,
    sample: Sample | None,
    policy: Policy | None,
    feedback: Labelled | None,
    *,
    params: Propose,
    seed: int,
    progress: Progress | None = None,
) -> Questions:
    """Let a policy write questions on one scene.

    Args:
        scenes: the scene.
        sample: the frames that are shown; all where there is none.
        policy: the proposer; or else `params.server`.
        feedback: last round's questions on this scene, labelled.
    Raises:
        ValueError: a policy and a server, or neither; the sample is of another scene.
        ServerError: the server gives no answer.
    """
    view = SceneView(scenes, params.thresholds, sample, params.distance)
    writer = open_writer(policy, params.server, params.sampling)
    images = tuple(scenes.frames.rgb(frame) for frame in view.shown)
    text = proposal_text(view, params.per_scene, feedback)
    request = Request(text, images, "propose", scenes.id, tuple(view.whole_labels))
    written = writer.write([request], params.sampling, params.n, seed)[0]
    if progress is not None:
        progress(1, 2)
    read = [found for completion in written for found in read_completion(completion, text)]
    refused = [found for found in read if isinstance(found, Refused)]
    proposals = [found for found in read if isinstance(found, Proposal)]
    tried = vet(proposals, view, Steady(params.move_m, params.moves, params.steady_mra))
    refused += [found for found in tried if isinstance(found, Refused)]
    asked = _ask(view, [found for found in tried if isinstance(found, Vetted)], params.move_m, seed)
    if params.judge:
        rejected = _judge(writer, asked, images, scenes.id, params.sampling, seed)
        refused += rejected.values()
        asked = [pair for pair in asked if pair[0].id not in rejected]
    return Questions([row for row, _ in asked], scenes.frames if scenes.has_frames else None, refused=refused)


def _ask(view: SceneView, vetted: Sequence[Vetted], move_m: float, seed: int) -> list[tuple[Question, Vetted]]:
    """Make questions of what was vetted; right options take turns at the positions that there are."""
    import numpy as np

    rng = np.random.Generator(np.random.PCG64([seed, *b"letters"]))
    turn = int(rng.integers(len(LETTERS)))
    asked = []
    for found in vetted:
        options, answer = _options(found, turn, rng)
        turn += found.proposal.kind == "choice"
        asked.append((_question(view, found, options, answer, move_m), found))
    return asked


def _options(found: Vetted, turn: int, rng: np.random.Generator) -> tuple[tuple[str, ...], str]:
    """Return the options with their letters, the right one at its turn, and the answer; yes and no stay words."""
    if found.proposal.kind == "number":
        return (), found.answer
    if {plain(option) for option in found.proposal.options} == YES_NO:
        return ("yes", "no"), plain(found.answer)
    wrong = [option for option in found.proposal.options if plain(option) != plain(found.answer)]
    wrong = [wrong[i] for i in rng.permutation(len(wrong))]
    place = turn % (len(wrong) + 1)
    texts = [*wrong[:place], found.answer, *wrong[place:]]
    return tuple(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False)), LETTERS[place]


def _question(view: SceneView, found: Vetted, options: tuple[str, ...], answer: str, move_m: float) -> Question:
    """Return the question; a choice's margin is by how much boxes were moved, a number's half of its last digit."""
    proposal, scene = found.proposal, view.scene
    is_choice = proposal.kind == "choice"
    decimals = len(answer.partition(".")[2])
    draft = Draft(
        task=proposal.task,
        template=TEMPLATE,
        frames=view.shown,
        prompt=proposal.question,
        answer=answer,
        options=options,
        unit="m" if is_choice else proposal.unit,
        program=proposal.program,
        margin=move_m if is_choice else 0.5 * 10.0**-decimals,
        kind="choice" if is_choice else "number",
        objects=found.objects,
        features={"steady": found.steady},
    )
    name = digest(f"{draft.program}\n{draft.prompt}\n{','.join(map(str, view.shown))}".encode())[:12]
    return Question(
        id=f"{scene.id}-{proposal.task}-{name}",
        scene=scene.id,
        place=scene.place,
        split=scene.split,
        frames_digest=(scene.frames.digest or "") if scene.has_frames else "",
        frames=draft.frames,
        task=draft.task,
        template=draft.template,
        prompt=draft.prompt,
        options=options,
        answer=answer,
        kind=draft.kind,
        unit=draft.unit,
        program=draft.program,
        margin=draft.margin,
        chance=1 / len(options) if is_choice else 0.0,
        terms=scene.terms,
        features=difficulty(view, draft),
    )


def _judge(
    writer: Writer,
    asked: Sequence[tuple[Question, Vetted]],
    images: Sequence[np.ndarray],
    scene: str,
    sampling: Sampling,
    seed: int,
) -> dict[str, Refused]:
    """Return what the proposer rejects of its own questions, by id."""
    how = Sampling(temperature=0, top_p=1, max_tokens=min(VERDICT_TOKENS, sampling.max_tokens))
    requests = [Request(judge_text(row, found.answer), images, "judge", scene) for row, found in asked]
    rejected = {}
    for (row, found), texts in zip(asked, writer.write(requests, how, 1, seed), strict=True):
        words = plain(texts[0]).split()
        first = next((word for word in words if word in ACCEPTS or word in REJECTS), "")
        if first not in ACCEPTS:
            reason = REJECTS.get(first, "judged_unclear")
            rejected[row.id] = refuse(reason, f"answer {found.answer}; it said {texts[0][:100]!r}", found.proposal.text)
    return rejected
