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
from msgspec.structs import replace

from nodes.scenes.frames import Frames
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

if TYPE_CHECKING:
    import numpy as np

Kind: TypeAlias = Literal["choice", "number"]
GENERAL = "general"  # the key under which questions of no scene stand in a pool


class Question(Struct, frozen=True):
    """One question with the answer that its program derives.

    `scene`, `place` and `frames_digest` are empty for a question of no scene. `answer` is the text that the policy
    should say: a word of the prompt or a digit (image tasks), an option's letter or a number (VSI-Bench tasks).
    `options` are shown for lettered questions ("A. left"), else they are the words that count as answers; empty for
    numbers and free words. `frames` are the indices shown, in order. `margin` is how far the measured value is from
    where the answer would be another, in `unit`. `chance` is the expected accuracy of a guess: 1/k for k options, else
    0: for numbers it is a property of their cell. `features` say what may make it hard, by name. `trace` is a whole
    text that ends in the answer, thought and map included, where there is one: what SFT lets the policy say, and where
    rewards on maps find the true one.
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
    features: dict[str, float]
    trace: str = ""


def cell_of(task: str, template: str) -> str:
    """Return the name of a cell, the unit of difficulty statistics: the task's where it has but one template."""
    return task if template == task else f"{task}/{template}"


class Refused(Struct, frozen=True):
    """What somebody proposed and nobody will be asked: `reason` is a word to count by, `detail` what was seen, `text`
    what was written."""

    reason: str
    detail: str
    text: str


class Questions(Artifact):
    """The questions on one scene, in the order in which they were made.

    `dropped` says why tasks were not asked, by name, or questions not kept, by id, "reason: detail"; `ambiguous` how
    many candidates, an object in its frames, a task passed over because their label names several objects there;
    `refused` holds proposals that were not taken. Pictures that came with questions from elsewhere are no scene's:
    `held` frames stand inside, and questions that show frames of no digest mean these; once stored, they name them by
    digest like any other.
    """

    type: ClassVar[str] = "questions/3"
    plain: ClassVar[str] = "nodes.plain:write_rows"
    forms: ClassVar[dict[str, str]] = {
        "jsonl": "nodes.questions.files.formats:write_jsonl",
        "parquet": "nodes.questions.files.formats:write_parquet",
        "hf": "nodes.questions.files.formats:write_dataset",
        "lmms_eval": "nodes.questions.files.lmms_eval:write_lmms_eval",
        "sr91k": "nodes.questions.files.formats:write_sr91k",
    }
    page: ClassVar[str] = "nodes.questions.pages.page:draw_pool"
    parts: ClassVar = {"frames": Frames}

    def __init__(
        self,
        rows: Sequence[Question],
        frames: Frames | None = None,
        dropped: Mapping[str, str] | None = None,
        ambiguous: Mapping[str, int] | None = None,
        refused: Sequence[Refused] = (),
        held: Frames | None = None,
    ) -> None:
        """Keep the rows; `frames` serves pictures in memory, opened questions find theirs in their store."""
        self.rows = list(rows)
        self.dropped = dict(dropped or {})
        self.ambiguous = dict(ambiguous or {})
        self.refused = list(refused)
        self._frames = frames if frames is not None else held
        self._held = held
        self._reader: Reader | None = None

    def write(self, w: Writer) -> None:
        w.attrs = {
            "dropped": dict(sorted(self.dropped.items())),
            "ambiguous": dict(sorted(self.ambiguous.items())),
        }
        rows = self.rows
        if self._held is not None:
            own = w.artifact("frames", self._held)
            rows = [row if row.frames_digest or not row.frames else replace(row, frames_digest=own) for row in rows]
            w.attrs["terms"] = sorted({row.terms for row in rows if row.terms})
        w.table("questions", rows, Question)
        if self.refused:
            w.table("refused", self.refused, Refused)

    @classmethod
    def open(cls, r: Reader) -> Self:
        refused = r.table("refused", Refused) if r.has("refused/zarr.json") else ()
        told = {name: r.attrs[name] for name in ("dropped", "ambiguous")}
        questions = cls(r.table("questions", Question), **told, refused=refused)
        questions._reader = r
        return questions

    def with_rows(self, rows: Sequence[Question], dropped: Mapping[str, str] | None = None) -> Questions:
        """Return these questions with other rows; `dropped` adds to what was not asked."""
        told = {**self.dropped, **(dropped or {})}
        made = Questions(rows, self._frames, told, self.ambiguous, self.refused, self._held)
        made._reader = self._reader
        return made

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
        return self._reader.elsewhere(digest, Frames)

    def summary(self) -> dict[str, Any]:
        told = {"dropped": self.dropped, "ambiguous": self.ambiguous}
        given = {name: facts for name, facts in told.items() if facts}
        return {**count_by_task(self.rows), **given, **count_refused(self.refused)}

    @classmethod
    def summarise(cls, entries: Mapping[str, Questions]) -> dict[str, Any]:
        scenes = list(entries.values())
        dropped = Counter(_dropped(name, why) for questions in scenes for name, why in questions.dropped.items())
        told: dict[str, Any] = {"dropped": dict(sorted(dropped.items()))} if dropped else {}
        ambiguous: Counter[str] = sum((Counter(questions.ambiguous) for questions in scenes), Counter())
        if ambiguous:
            told["ambiguous"] = {task: f"{n} candidates" for task, n in sorted(ambiguous.items())}
        refused = count_refused(row for questions in scenes for row in questions.refused)
        return {**count_by_task(row for questions in scenes for row in questions.rows), **told, **refused}


def _dropped(name: str, why: str) -> str:
    """Return what to count: a task and why it was not asked; of a question of that id, the reason's first word."""
    reason, is_question, _ = why.partition(": ")
    return reason if is_question else f"{name}: {why}"


def count_by_task(rows: Iterable[Question]) -> dict[str, Any]:
    """Return how many questions there are, in all and by task."""
    by_task = Counter(row.task for row in rows)
    return {"questions": by_task.total(), "by_task": dict(sorted(by_task.items()))}


def count_refused(rows: Iterable[Refused]) -> dict[str, Any]:
    """Return how many proposals were refused, by reason; nothing where there are none."""
    by_reason = Counter(row.reason for row in rows)
    return {"refused": dict(sorted(by_reason.items()))} if by_reason else {}


QuestionPool: TypeAlias = Collection[Questions]


def key_of(question: Question) -> str:
    """Return the key under which a question stands in a pool: its scene, or GENERAL."""
    return question.scene or GENERAL


def pool_of(rows: Iterable[Question]) -> QuestionPool:
    """Return the pool of some questions, which find their frames in the store that it will be put into."""
    by_key: dict[str, list[Question]] = {}
    for row in rows:
        by_key.setdefault(key_of(row), []).append(row)
    return Collection(Questions, {key: Questions(kept) for key, kept in by_key.items()})


def is_lettered(options: Sequence[str]) -> bool:
    """Tell whether options are shown with letters ("A. left"), in place of being words of the prompt."""
    return bool(options) and all(option[1:2] == "." for option in options)


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

    def sizes(self, question: Question) -> list[tuple[int, int]]:
        """Return (width, height) of each frame of a question, without decoding any."""
        return [self._open(question).size(index) for index in question.frames]

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
            place = key_of(question)
            if place not in self._pool:
                raise ValueError(
                    f"question {question.id}: scene {place!r} is not in the pool of {len(self._pool)} scenes"
                )
            self._frames[key] = self._pool[place].frames(question.frames_digest)
            if len(self._frames) > self._limit_scenes:
                self._frames.popitem(last=False)
        self._frames.move_to_end(key)
        return self._frames[key]


_PICTURES: WeakKeyDictionary[QuestionPool, Pictures] = WeakKeyDictionary()
