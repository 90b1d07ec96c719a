"""Questions: one struct a question, one artifact a scene, one collection a pool.

A question refers to frames by (digest, index) and holds no picture, so a pool made from licensed rooms carries none of
their data. Pictures are fetched through the store that the pool was opened from.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias
from weakref import WeakKeyDictionary

from msgspec import Struct

from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

if TYPE_CHECKING:
    import numpy as np

    from nodes.scenes.frames import Frames

Kind: TypeAlias = Literal["choice", "number"]


class Question(Struct, frozen=True):
    """One question with the answer that its program derives.

    `answer` is the text that the policy should say: a word of the prompt or a digit (image tasks), an option's letter
    or a number (VSI-Bench tasks). `options` are shown for lettered questions ("A. left"), else they are the words that
    count as answers; empty for numbers. `frames` are the indices shown, in order. `margin` is how far the measured
    value is from where the answer would be another, in `unit`. `chance` is the expected accuracy of a guess: 1/k for k
    options, 0 for numbers, whose chance is a property of their cell.
    """

    id: str
    scene: str
    place: str
    split: str
    frames_digest: str
    frames: tuple[int, ...]
    task: str
    template: str
    prompt: str
    options: tuple[str, ...]
    answer: str
    kind: Kind
    unit: str
    program: str
    margin: float
    chance: float
    terms: str


class Questions(Artifact):
    """The questions on one scene, in the order in which they were made."""

    type: ClassVar[str] = "questions/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[Question], frames: Frames | None = None) -> None:
        """Keep the rows; `frames` serves pictures in memory, opened questions find theirs in their store."""
        self.rows = list(rows)
        self._frames = frames
        self._reader: Reader | None = None

    def write(self, w: Writer) -> None:
        w.table("questions", self.rows, Question)

    @classmethod
    def open(cls, r: Reader) -> Self:
        questions = cls(r.table("questions", Question))
        questions._reader = r
        return questions

    def frames(self, digest: str) -> Frames:
        """Return the frames that a question of this scene refers to.

        Raises:
            ValueError: these questions are in memory and were given no frames.
        """
        if self._frames is not None:
            return self._frames
        if self._reader is None:
            raise ValueError(
                f"questions in memory: frames {digest[:12]!r} need a store or frames given beside the rows"
            )
        from nodes.scenes.frames import Frames

        return self._reader.elsewhere(digest, Frames)

    def summary(self) -> dict[str, Any]:
        return count_by_task(self.rows)

    @classmethod
    def summarise(cls, entries: Mapping[str, Questions]) -> dict[str, Any]:
        return count_by_task(row for questions in entries.values() for row in questions.rows)


def count_by_task(rows: Iterable[Question]) -> dict[str, Any]:
    """Return how many questions there are, in all and by task."""
    by_task = Counter(row.task for row in rows)
    return {"questions": by_task.total(), "by_task": dict(sorted(by_task.items()))}


QuestionPool: TypeAlias = Collection[Questions]


def pool_rows(pool: QuestionPool) -> list[Question]:
    """Return all questions of a pool, by scene id, then in the order in which they were made."""
    return [row for scene in pool for row in pool[scene].rows]


def question_images(pool: QuestionPool, question: Question) -> list[np.ndarray]:
    """Return the frames that a question shows.

    Args:
        pool: a pool that holds questions on the question's scene.
    Returns:
        One (H, W, 3) uint8 array a frame, in the order of `question.frames`. Do not write to them: they are shared.
    Raises:
        ValueError: the pool knows no such scene.
    """
    pictures = _PICTURES.get(pool)
    if pictures is None:
        pictures = _PICTURES[pool] = Pictures(pool)
    return pictures.images(question)


class Pictures:
    """The pictures of a pool, read when asked for; keeps the last used, at most `limit_bytes` of them."""

    def __init__(self, pool: QuestionPool, limit_bytes: int = 64 << 20, limit_scenes: int = 64) -> None:
        self._pool = pool
        self._limit_bytes = limit_bytes
        self._limit_scenes = limit_scenes
        self._bytes = 0
        self._frames: OrderedDict[tuple[str, str], Frames] = OrderedDict()
        self._images: OrderedDict[tuple[str, str, int], np.ndarray] = OrderedDict()

    def images(self, question: Question) -> list[np.ndarray]:
        """Return the frames of a question, as `question_images` does."""
        return [self._image(question, index) for index in question.frames]

    def _image(self, question: Question, index: int) -> np.ndarray:
        key = (question.scene, question.frames_digest, index)
        if key in self._images:
            self._images.move_to_end(key)
            return self._images[key]
        image = self._open(question).rgb(index)
        if image.base is not None:
            image = image.copy()  # a view would keep the whole chunk of frames alive
        self._images[key] = image
        self._bytes += image.nbytes
        while self._bytes > self._limit_bytes and len(self._images) > 1:
            self._bytes -= self._images.popitem(last=False)[1].nbytes
        return image

    def _open(self, question: Question) -> Frames:
        key = (question.scene, question.frames_digest)
        if key not in self._frames:
            if question.scene not in self._pool:
                raise ValueError(
                    f"question {question.id}: scene {question.scene!r} is not in the pool of {len(self._pool)} scenes"
                )
            self._frames[key] = self._pool[question.scene].frames(question.frames_digest)
            if len(self._frames) > self._limit_scenes:
                self._frames.popitem(last=False)
        self._frames.move_to_end(key)
        return self._frames[key]


_PICTURES: WeakKeyDictionary[QuestionPool, Pictures] = WeakKeyDictionary()
