"""Drafts: questions that may be asked. Choosing among them balances answers, positions and frames.

A draft is cheap; only chosen ones become questions. Choice is greedy and knows counts alone: the least used answer
first, then the least used frame, then a seeded order, so a longer list begins with the shorter one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from nodes.questions.question import Kind, Question
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np

    from nodes.scenes.scene import Scene

LETTERS = "ABCD"
ID_DIGITS = 12  # 48 bits: two of a million questions on one scene meet once in 500 scenes


class Draft(Struct):
    """A question without its place in the pool.

    `options` begin with the right one if `lettered`; else they stay as they are. `balance` names the group of answers
    that should be equally frequent. A draft of higher `reserve` is asked once its task has none of a lower: 1 the same
    objects in another order, 2 the same question in other words, and this only where no task has anything else.
    """

    task: str
    template: str
    frames: tuple[int, ...]
    prompt: str
    answer: str
    options: tuple[str, ...]
    unit: str
    program: str
    margin: float
    kind: Kind = "choice"
    lettered: bool = False
    balance: str = ""
    reserve: int = 0


class Chooser:
    """Draws the drafts of one task of one scene, remembering which answers and frames were used.

    Args:
        drafts: all that may be asked.
        frame_rank: (F,) int; of equally used frames the lowest goes first.
        rng: draws the order in which the groups of answers, and the positions of right options, take turns.
    """

    def __init__(self, drafts: Sequence[Draft], frame_rank: Sequence[int], rng: np.random.Generator) -> None:
        groups = sorted({draft.balance for draft in drafts})
        self._rank = dict(zip(groups, rng.permutation(len(groups)).tolist(), strict=True))
        self._frame_rank = frame_rank
        self._rng = rng
        self._turn = int(rng.integers(len(LETTERS)))
        self._answers: Counter[str] = Counter()
        self._frames: Counter[tuple[int, ...]] = Counter()
        self._left = list(drafts)

    def draw(self, n: int, frame: int | None = None) -> list[Draft]:
        """Remove and return n drafts, fewer if there are no more; on one frame alone if it is given."""
        pool = [draft for draft in self._left if frame is None or draft.frames == (frame,)]
        drawn: list[Draft] = []
        while pool and len(drawn) < n:
            best = min(pool, key=self._order)
            pool.remove(best)
            self._answers[best.balance] += 1
            self._frames[best.frames] += 1
            drawn.append(best)
        gone = {id(draft) for draft in drawn}
        self._left = [draft for draft in self._left if id(draft) not in gone]
        return drawn

    def count(self, frame: int | None, reserve: int) -> int:
        """Return how many drafts are left, of one frame if it is given, up to that reserve."""
        return sum((frame is None or draft.frames == (frame,)) and draft.reserve <= reserve for draft in self._left)

    def question(self, draft: Draft, scene: Scene, frames_digest: str) -> Question:
        """Make a question of a draft, its right option one position after that of the question before."""
        answer, options = draft.answer, draft.options
        if draft.lettered:
            answer, options = self._letter(draft)
        return Question(
            id=f"{scene.id}-{draft.task}-{_name(draft)}",
            scene=scene.id,
            place=scene.place,
            split=scene.split,
            frames_digest=frames_digest,
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
            chance=1 / len(options) if draft.kind == "choice" else 0.0,
            terms=scene.terms,
        )

    def _order(self, draft: Draft) -> tuple[int, int, int, int, int]:
        return (
            draft.reserve,
            self._answers[draft.balance],
            self._rank[draft.balance],
            self._frames[draft.frames],
            self._frame_rank[draft.frames[0]],
        )

    def _letter(self, draft: Draft) -> tuple[str, tuple[str, ...]]:
        right, *wrong = draft.options
        wrong = [wrong[i] for i in self._rng.permutation(len(wrong))]
        place = self._turn % len(draft.options)
        self._turn += 1
        texts = [*wrong[:place], right, *wrong[place:]]
        return LETTERS[place], tuple(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False))


def _name(draft: Draft) -> str:
    # Of what is asked, not of how options lie: the same question has one id whatever else was asked with it.
    shown = ",".join(map(str, draft.frames))
    return digest(f"{draft.program}\n{draft.prompt}\n{shown}".encode())[:ID_DIGITS]
