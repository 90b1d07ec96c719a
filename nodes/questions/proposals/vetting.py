"""Proposals put to the test on their scene: what of them can be asked, and why the rest cannot.

In turn: the program runs in the sandbox; its value is of the kind that was announced; every label that it or the
question names is seen whole in the shown frames, and "the chair" is the only one; the answer stands when every box is
moved by a few centimetres, in a few directions that are the scene's own; nothing before it in the scene asks the same.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nodes.questions.filters.duplicates import content_words, program_shape
from nodes.questions.programs.facts import facts_of
from nodes.questions.programs.program import Outcome, answer_text, run_programs
from nodes.questions.proposals.completion import Proposal, plain, refuse
from nodes.questions.question import Refused
from nodes.questions.view import SceneView
from nodes.questions.vocabulary import plural, shape_name
from nodes.rewards.accuracy import mra, parse_number
from nodes.scenes.sample import Sample
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECIMALS = 2
LONGEST_ANSWER = 12  # characters of a number
COUNTED = ("frames", "objects", "times")


class Steady(NamedTuple):
    """How far boxes are moved, how often, and the least MRA of a number that is measured anew."""

    move_m: float
    moves: int
    mra: float


class Vetted(NamedTuple):
    """A proposal that can be asked: its answer as text, the objects that it names, the worst MRA of what was moved."""

    proposal: Proposal
    answer: str
    objects: tuple[int, ...]
    steady: float


def vet(proposals: Sequence[Proposal], view: SceneView, steady: Steady) -> list[Vetted | Refused]:
    """Return what each proposal comes to, in their order."""
    answers = [_answer(proposal, found) for proposal, found in zip(proposals, _run(view, proposals), strict=True)]
    alive = [k for k, answer in enumerate(answers) if not isinstance(answer, Refused)]
    again: dict[int, list[Outcome]] = {k: [] for k in alive}
    for moved in moved_views(view, steady):
        outcomes = _run(moved, [proposals[k] for k in alive])
        for k, outcome in zip(alive, outcomes, strict=True):
            again[k].append(outcome)
    seen: dict[tuple, str] = {}
    found: list[Vetted | Refused] = []
    for k, (proposal, answer) in enumerate(zip(proposals, answers, strict=True)):
        if isinstance(answer, Refused):
            found.append(answer)
        else:
            found.append(_vet_one(proposal, answer, view, again[k], steady, seen))
    return found


def moved_views(view: SceneView, steady: Steady) -> Iterator[SceneView]:
    """Yield the scene with every box moved by `move_m`, each time in other directions; these follow from its id."""
    import numpy as np

    n = len(view.labels)
    for k in range(steady.moves):
        number = int(digest(f"moved/{view.scene.id}/{k}".encode())[:15], 16)
        way: NDArray[np.float64] = np.random.Generator(np.random.PCG64(number)).normal(size=(n, 3))
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        moved = SceneView(view.scene, view.thresholds, Sample(view.scene.id, "", view.shown), view.rule)
        moved.centre = view.centre + steady.move_m * way
        yield moved


def _run(view: SceneView, proposals: Sequence[Proposal]) -> list[Outcome]:
    programs = [proposal.program for proposal in proposals]
    return run_programs(facts_of(view, programs), programs) if programs else []


def _answer(proposal: Proposal, outcome: Outcome) -> str | Refused:
    """Return the answer that a program gives, in the form in which it will be asked for."""
    if outcome.reason:
        return refuse(f"program_{outcome.reason}", outcome.detail, proposal.text)
    value = outcome.value
    assert value is not None
    if proposal.kind == "choice":
        try:
            said = answer_text(value)
        except ValueError as error:
            return refuse("type", str(error), proposal.text)
        # to the letter, but for yes and no: an option in other words than the rest would give itself away
        if said not in (plain(option) if isinstance(value, bool) else option for option in proposal.options):
            return refuse("type", f"{value!r} is none of the options {list(proposal.options)}", proposal.text)
        return said
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        return refuse("type", f"{value!r}: expected a finite number", proposal.text)
    if abs(value - round(value, DECIMALS)) > 1e-9:
        return refuse("type", f"{value!r}: expected at most {DECIMALS} decimals", proposal.text)
    if value == 0 and proposal.unit not in COUNTED:
        return refuse("zero", f"0 {proposal.unit}: only exactly 0 would be right, expected a measure", proposal.text)
    text = answer_text(value)
    if len(text) > LONGEST_ANSWER or parse_number(text) is None:
        return refuse("type", f"{text}: expected a number in digits, at most {LONGEST_ANSWER}", proposal.text)
    return text


def _vet_one(
    proposal: Proposal, answer: str, view: SceneView, again: Sequence[Outcome], steady: Steady, seen: dict[tuple, str]
) -> Vetted | Refused:
    objects = named_objects(proposal, view)
    if unseen := sorted({view.labels[i] for i in objects if not view.seen_shown[i]}):
        return refuse("unseen", f"{', '.join(unseen)}: not seen whole in the shown frames", proposal.text)
    if doubtful := ambiguous_labels(proposal, view):
        told = ", ".join(f"the {label} of {len(view.instances[label])}" for label in doubtful)
        return refuse("ambiguous", f"{told}: expected labels that one object bears", proposal.text)
    worst = 1.0
    for outcome in again:
        score, told = _agreement(proposal, answer, outcome)
        worst = min(worst, score)
        if score < (1.0 if proposal.kind == "choice" else steady.mra):
            detail = f"{answer}, but {told} with boxes moved by {steady.move_m * 100:g} cm"
            return refuse("margin", detail, proposal.text)
    keys: list[tuple] = [
        ("words", content_words(proposal.question), tuple(sorted(map(plain, proposal.options)))),
        ("program", proposal.kind, program_shape(proposal.program)),
    ]
    for key in keys:
        if key in seen:
            return refuse("duplicate", f"same {key[0]} as {seen[key]!r}", proposal.text)
    seen.update((key, proposal.question[:100]) for key in keys)
    return Vetted(proposal, answer, objects, worst)


def _agreement(proposal: Proposal, answer: str, outcome: Outcome) -> tuple[float, str]:
    """Return how right an answer is for what was moved, 0..1, and what is said there."""
    if outcome.reason or outcome.value is None:
        return 0.0, outcome.detail or outcome.reason
    try:
        text = answer_text(outcome.value)
    except ValueError as error:
        return 0.0, str(error)
    if proposal.kind == "choice":
        return float(text == answer), text
    moved = parse_number(text)
    return (0.0 if moved is None else mra(moved, float(answer))), text


def named_objects(proposal: Proposal, view: SceneView) -> tuple[int, ...]:
    """Return the objects whose labels the program names, or the question or an option says."""
    said = f" {plain(' '.join((proposal.question, *proposal.options)))} "
    literals = _texts(proposal.program)
    names = {name for label in view.instances for name in (label, shape_name(label))}
    found = {
        name for name in names if name in literals or any(f" {plain(form)} " in said for form in (name, plural(name)))
    }
    return tuple(i for i, label in enumerate(view.labels) if label in found or shape_name(label) in found)


def ambiguous_labels(proposal: Proposal, view: SceneView) -> list[str]:
    """Return the labels of several objects of which the question speaks as of one: "the chair".

    Not where it speaks of one frame: there the program's own functions want a label that one object bears.
    """
    said = f" {plain(proposal.question)} "
    if re.search(r" frame \d", said):
        return []
    return [label for label, group in view.instances.items() if len(group) > 1 and f" the {plain(label)} " in said]


def _texts(program: str) -> set[str]:
    """Return the texts that a program that ran holds."""
    return {
        node.value
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Constant) and type(node.value) is str
    }
