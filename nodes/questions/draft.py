"""Drafts: questions that may be asked. Choosing among them balances answers, positions and frames.

A draft is cheap; only chosen ones become questions. Choice is greedy and knows counts alone: the least used answer
first, then the least used frame, then a seeded order, so a longer list begins with the shorter one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from nodes.questions.features import difficulty
from nodes.questions.question import Kind, Question
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.view import SceneView

LETTERS = "ABCD"
ID_DIGITS = 12  # 48 bits: two of a million questions on one scene meet once in 500 scenes


class Draft(Struct):
    """A question without its place in the pool.

    `options` begin with the right one if `lettered`; else they stay as they are. `balance` names the group of answers
    that should be equally frequent. `objects` are the indices of those it names, from which difficulty features follow;
    `features` are the task's own. A draft of higher `reserve` is asked once its task has none of a lower: 1 the same
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
    objects: tuple[int, ...] = ()
    features: dict[str, float] = {}


class Chooser:
    """Draws the drafts of one task of one scene, remembering which answers and frames were used.

    Args:
        drafts: all that may be asked.
        frame_rank: by the first frame of a draft, as a tuple of it alone; of equally used frames the lowest goes first.
        rng: draws the order in which the groups of answers, and the positions of right options, take turns.
    """

    def __init__(
        self, drafts: Sequence[Draft], frame_rank: Mapping[tuple[int, ...], int], rng: np.random.Generator
    ) -> None:
        groups = sorted({draft.balance for draft in drafts})
        self._rank = dict(zip(groups, rng.permutation(len(groups)).tolist(), strict=True))
        self._frame_rank = frame_rank
        self._rng = rng
        self._turn = int(rng.integers(len(LETTERS)))
        self._answers: Counter[str] = Counter()
        self._frames: Counter[tuple[int, ...]] = Counter()
        # By place in the list, which settles ties: of a template, and of a template on the same frames. Who draws on
        # every frame of a long video would else look at every draft for each.
        self._left: dict[tuple[str, tuple[int, ...] | None], dict[int, Draft]] = {}
        for place, draft in enumerate(drafts):
            for key in _keys(draft):
                self._left.setdefault(key, {})[place] = draft

    def templates(self) -> list[str]:
        """Return the templates that there are drafts of, in the order in which they were listed."""
        firsts = {template: min(left) for (template, frames), left in self._left.items() if frames is None and left}
        return sorted(firsts, key=firsts.__getitem__)

    def draw(self, template: str, n: int, frame: int | None = None) -> list[Draft]:
        """Remove and return n drafts of a template, fewer if there are no more; on one frame alone if it is given."""
        pool = dict(self._of(template, frame))
        drawn: list[Draft] = []
        while pool and len(drawn) < n:
            place = min(pool, key=lambda place: self._order(pool[place]))
            best = pool.pop(place)
            for key in _keys(best):
                del self._left[key][place]
            self._answers[best.balance] += 1
            self._frames[best.frames] += 1
            drawn.append(best)
        return drawn

    def count(self, template: str, frame: int | None, reserve: int) -> int:
        """Return how many drafts of a template are left, of one frame if it is given, up to that reserve."""
        return sum(draft.reserve <= reserve for draft in self._of(template, frame).values())

    def question(self, draft: Draft, view: SceneView, frames_digest: str) -> Question:
        """Make a question of a draft, its right option one position after that of the question before."""
        scene = view.scene
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
            features=difficulty(view, draft),
        )

    def _of(self, template: str, frame: int | None) -> Mapping[int, Draft]:
        return self._left.get((template, None if frame is None else (frame,)), {})

    def _order(self, draft: Draft) -> tuple[int, int, int, int, int]:
        return (
            draft.reserve,
            self._answers[draft.balance],
            self._rank[draft.balance],
            self._frames[draft.frames],
            self._frame_rank.get(draft.frames[:1], 0),
        )

    def _letter(self, draft: Draft) -> tuple[str, tuple[str, ...]]:
        right, *wrong = draft.options
        wrong = [wrong[i] for i in self._rng.permutation(len(wrong))]
        place = self._turn % len(draft.options)
        self._turn += 1
        texts = [*wrong[:place], right, *wrong[place:]]
        return LETTERS[place], tuple(f"{letter}. {text}" for letter, text in zip(LETTERS, texts, strict=False))


def _keys(draft: Draft) -> tuple[tuple[str, tuple[int, ...] | None], ...]:
    return (draft.template, None), (draft.template, draft.frames)


def _name(draft: Draft) -> str:
    # Of what is asked, not of how options lie: the same question has one id whatever else was asked with it.
    shown = ",".join(map(str, draft.frames))
    return digest(f"{draft.program}\n{draft.prompt}\n{shown}".encode())[:ID_DIGITS]
