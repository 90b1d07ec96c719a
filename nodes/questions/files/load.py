"""`qa.load`: questions that others wrote, or that `dataflow export --format` did, as a pool.

What is no question is dropped with its place in the file and the reason, and counted; `loaded.questions` is the pool.
Pictures are read from the folder that `path` names, whose whole content is in the key: a file alone has none beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct
from msgspec.structs import replace

from graph.node import External, node
from nodes.questions.files.films import film
from nodes.questions.files.given import Bytes, Given, Wrong, from_sr91k, make_question, read_given
from nodes.questions.files.pictures import FORMATS, BadPicture, Intake, read_picture
from nodes.questions.files.raw_rows import Format, Raw, find_data, read_rows
from nodes.questions.kept import Dropped, Kept
from nodes.questions.question import Question, Questions, key_of
from store.collection import Collection

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SHOWN = 3  # wrong rows told where no row is right
VIDEOS = {".mp4", ".mkv", ".mov", ".webm", ".avi"}
Pictures: TypeAlias = Literal["named", "own", "none"]


class Load(Struct, frozen=True, forbid_unknown_fields=True):
    """Where questions are, and how they are read."""

    path: Annotated[
        External,
        Meta(description="a file; a folder of one file and the pictures that it names; one of `save_to_disk`"),
    ]
    format: Annotated[Format, Meta(description="absent: by the file's name, which sr91k has none of")] | None = None
    pictures: Annotated[
        Pictures,
        Meta(description="named: rows that name frames of the store mean these; own: their own; none: no pictures"),
    ] = "named"
    ignore: Annotated[tuple[str, ...], Meta(description="fields of the file that are passed over")] = ()
    split: Annotated[str, Meta(description="of rows that name none")] = "train"
    terms: Annotated[str, Meta(description="of rows that name none: whose data it is, under which licence")] = ""


@node("qa.load", version=1, packages=("pillow", "pyarrow", "datasets"))
def load(*, params: Load) -> Kept:
    """Return the questions of a file, those of no scene under "general", and what was dropped.

    Raises:
        ValueError: the file is not of its format, or holds no question at all.
    """
    path, format = find_data(params.path.path, params.format)
    root = params.path.path if params.path.path.is_dir() else None

    def given(fields: Mapping[str, Any]) -> Given:
        ignored = params.ignore
        if format == "sr91k":
            fields, ignored = from_sr91k(fields, ignored), ()
        defaults = {name: getattr(params, name) for name in ("split", "terms") if not fields.get(name)}
        return read_given({**fields, **defaults}, ignored)

    return Reading(given, params.pictures, root).read(path, read_rows(path, format))


class Reading:
    """The rows taken so far, by scene, the pictures that came with them, and what was dropped.

    Args:
        given: makes of a row's fields what is asked, or raises Wrong.
        root: the folder of the pictures, if there is one.
        frames: as many of each video, evenly spaced; 0: videos are no pictures.
    """

    def __init__(
        self, given: Callable[[Mapping[str, Any]], Given], pictures: Pictures, root: Path | None, frames: int = 0
    ) -> None:
        self.rows: dict[str, list[Question]] = {}
        self.dropped: list[Dropped] = []
        self._given, self._shown, self._root, self._n_frames = given, pictures, root, frames
        self._pictures: dict[str, Intake] = {}
        self._places: dict[str, str] = {}
        self._videos: dict[tuple[str, str], tuple[int, ...]] = {}

    def read(self, path: Path, rows: Iterable[Raw]) -> Kept:
        """Take all rows, and return their pool with what was dropped. Raises ValueError: no row is a question."""
        for raw in rows:
            self.take(raw)
        if not self.rows:
            told = "; ".join(f"{row.detail} ({row.reason})" for row in self.dropped[:SHOWN]) or "no row"
            raise ValueError(f"{path}: no question among {len(self.dropped)} rows: {told}")
        pool = {key: Questions(rows, held=self._held(key)) for key, rows in self.rows.items()}
        return Kept(Collection(Questions, pool), self.dropped)

    def take(self, raw: Raw) -> None:
        """Take one row, or drop it."""
        try:
            if raw.error:
                raise Wrong("unreadable", raw.error)
            given = self._given(raw.fields)
            question = make_question(given)
            if question.id in self._places:
                raise Wrong("duplicate id", f"id {question.id!r} stands in {self._places[question.id]} already")
            question = self._with_pictures(question, given)
        except Wrong as wrong:
            known = {name: _short(raw.fields.get(name)) for name in ("scene", "task", "prompt", "answer")}
            name = _short(raw.fields.get("id", raw.fields.get("problem_id")))
            self.dropped.append(Dropped(name, reason=wrong.reason, detail=f"{raw.where}: {wrong}", **known))
            return
        self._places[question.id] = raw.where
        self.rows.setdefault(key_of(question), []).append(question)

    def _held(self, key: str) -> Any:
        """Return the frames that questions of a key brought, None if there are none."""
        return self._pictures[key].frames() if key in self._pictures else None

    def _with_pictures(self, question: Question, given: Given) -> Question:
        """Return a question that shows its own pictures, or those it names. Raises Wrong."""
        if self._shown == "none":
            return replace(question, frames_digest="", frames=())
        if question.frames_digest and self._shown == "named":
            return question
        images = given.images or ()
        if not images and question.frames:
            raise Wrong(
                "pictures", f'{len(question.frames)} frames and no pictures: `pictures = "none"` takes the text alone'
            )
        try:
            frames = self._take_pictures(key_of(question), images)
        except BadPicture as error:
            raise Wrong("pictures", str(error)) from None
        return replace(question, frames_digest="", frames=frames)

    def _take_pictures(self, key: str, images: Sequence[str | Bytes]) -> tuple[int, ...]:
        """Return the indices of a row's pictures, taken one after another: together they may be large."""
        if not images:
            return ()
        intake = self._pictures.setdefault(key, Intake())
        return tuple(index for image in images for index in self._taken(key, intake, image))

    def _taken(self, key: str, intake: Intake, image: str | Bytes) -> tuple[int, ...]:
        if self._n_frames and isinstance(image, str) and Path(image).suffix.lower() in VIDEOS:
            if (key, image) not in self._videos:  # many questions are on one
                frames = film(self._root, image, self._n_frames)
                self._videos[key, image] = tuple(intake.add(data) for data in frames)
            return self._videos[key, image]
        return tuple(intake.add(data) for data in self._files(image))

    def _files(self, image: str | Bytes) -> Iterator[bytes]:
        """Yield the files of one image: its own bytes, what its path leads to, or all in a folder, by name."""
        if isinstance(image, Bytes):
            if image.bytes is None:
                raise BadPicture(f"picture {image.path!r} is not in the dataset, only its path")
            yield image.bytes
            return
        if self._root is None:
            raise BadPicture(f"{image[:80]!r}: `path` is a file, expected the folder that holds it and its pictures")
        folder = self._root / image
        try:
            is_folder = ".." not in image and not image.startswith("/") and "\0" not in image and folder.is_dir()
            items = [*folder.iterdir()] if is_folder else []
        except OSError as error:
            raise BadPicture(f"{image[:80]!r}: {error.strerror or error}") from None
        if is_folder:
            names = sorted(item.name for item in items if item.suffix.lower() in SUFFIXES)
            if not names:
                raise BadPicture(f"{image[:80]!r} holds no picture ({', '.join(FORMATS)})")
            yield from (read_picture(self._root, f"{image}/{name}") for name in names)
        else:
            yield read_picture(self._root, image)


def _short(value: Any) -> str:
    return "" if value is None else str(value)[:80]
