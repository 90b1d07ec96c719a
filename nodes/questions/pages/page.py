"""The page of a pool: a sample of its questions in one HTML file, with frames, a map, program and answer.

Everything that a question or a scene says is text on the page and never markup: the template escapes, and the page's
own policy lets no other script run than its own. Pictures are embedded once, small. Scenes are found among what the
pool was made from; where one is gone, the rest is drawn and the page says so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from msgspec import Struct

from nodes.questions.pages.floor_map import FloorMap, colour_of, draw_map, named_labels
from nodes.questions.question import Question, Questions, count_by_task
from nodes.scenes.frames import Frames
from nodes.scenes.scene import Scene
from store.artifact import Artifact
from store.digest import digest
from store.errors import StoreError, one_line

TEMPLATE = Path(__file__).with_name("page.html.j2")
PICTURE_PX = (128, 320)  # longest edge of an embedded picture, smaller where there are many
FULL_PICTURES = 120  # as many are embedded at full size
QUALITY = 82
MOST_PICTURES = 16  # frames drawn of one question, evenly chosen; the text says how many it shows
MOST_BYTES = 4_000_000  # of pictures on one page, as base64

Find = Callable[[type[Artifact]], Mapping[str, Artifact]]


class Mark(Struct, frozen=True):
    """Where a named object is in a picture: a rectangle in shares of its width and height."""

    label: str
    colour: int
    x: float
    y: float
    width: float
    height: float


class Picture(Struct, frozen=True):
    """One shown frame: `name` of the embedded picture, and what the caption says."""

    number: int
    name: str
    caption: str
    marks: list[Mark]


class Card(Struct, frozen=True):
    """One question as it is drawn. `said` is what is missing, in words."""

    question: Question
    words: list[tuple[str, int]]
    options: list[tuple[str, bool]]
    pictures: list[Picture]
    map: FloorMap | None
    named: list[tuple[str, int]]
    said: list[str]


def draw_pool(pools: Mapping[str, Questions], find: Find, n: int, title: str) -> str:
    """Return the page.

    Args:
        pools: the questions of each scene, by place.
        find: returns what the pool was made from, by type.
        n: questions shown at most, evenly by task.
    """
    rows = {place: pools[place].rows for place in pools}
    total = count_by_task(row for questions in rows.values() for row in questions)
    drawn = sample(rows, n)
    album = Album(pools, picture_px(question for _, question in drawn))
    scenes = Scenes(find)
    cards = [card_of(place, question, scenes, album) for place, question in drawn]
    terms = sorted({card.question.terms for card in cards if card.question.terms})
    return _render(title=title, total=total, cards=cards, pictures=album.embedded, terms=terms)


def sample(rows: Mapping[str, Sequence[Question]], n: int) -> list[tuple[str, Question]]:
    """Return at most n questions with their places: of every task as many, of each over all scenes, drawn by id.

    They stand by task, then by scene.
    """
    by_task: dict[str, dict[str, list[tuple[str, Question]]]] = {}
    for place, questions in rows.items():
        for row in questions:
            by_task.setdefault(row.task, {}).setdefault(place, []).append((place, row))
    turns = [
        _turns(sorted(group, key=_lot) for _, group in sorted(scenes.items())) for _, scenes in sorted(by_task.items())
    ]
    chosen = list(_turns(turns))[:n]
    return sorted(chosen, key=lambda item: (item[1].task, item[1].scene, item[1].id))


def _turns(groups: Iterable[Iterable[Any]]) -> Iterator[Any]:
    for turn in zip_longest(*groups):
        yield from (item for item in turn if item is not None)


def _lot(item: tuple[str, Question]) -> str:
    return digest(item[1].id.encode())


class Scenes:
    """The scenes of questions, by id; None for one that is gone."""

    def __init__(self, find: Find) -> None:
        self._found = find(Scene)
        self._opened: dict[str, Scene | None] = {}

    def of(self, question: Question) -> Scene | None:
        """Return the scene that a question is about."""
        if question.scene not in self._opened:
            self._opened[question.scene] = self._open(question.scene)
        return self._opened[question.scene]

    def _open(self, name: str) -> Scene | None:
        try:
            for key in (name, ""):  # a pool of one scene was made from that scene, which stands in no collection
                scene = self._found.get(key)
                if isinstance(scene, Scene) and scene.id == name:
                    draw_map(scene, [], [])  # what is read late is read here
                    return scene
        except StoreError:
            pass
        return None


class Album:
    """The pictures of a page, each embedded once, small; `embedded` is name -> (data URI, width, height).

    `prefix` begins the names, where a page has several albums.
    """

    def __init__(self, pools: Mapping[str, Questions], edge_px: int, prefix: str = "p") -> None:
        self._edge_px, self._prefix = edge_px, prefix
        self.embedded: dict[str, tuple[str, int, int]] = {}
        self._pools = pools
        self._frames: dict[tuple[str, str], Frames | str] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._bytes = 0

    def frames(self, place: str, question: Question) -> Frames | str:
        """Return a question's frames, or what is wrong with them in words."""
        key = (place, question.frames_digest)
        if key not in self._frames:
            try:
                self._frames[key] = self._pools[place].frames(question.frames_digest)
            except (StoreError, ValueError) as error:
                self._frames[key] = f"its pictures are not here: {one_line(str(error))}"
        return self._frames[key]

    def picture(self, question: Question, frames: Frames, index: int) -> str:
        """Return the name of an embedded picture; "" once the page holds as many as it may.

        Raises:
            StoreError, IndexError: it is gone, or there is none of that index.
        """
        key = (question.frames_digest, index)
        if key not in self._names:
            data, width, height = small_jpeg(frames, index, self._edge_px)
            text = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
            if self._bytes + len(text) > MOST_BYTES:
                return ""
            self._bytes += len(text)
            self._names[key] = f"{self._prefix}{len(self._names)}"
            self.embedded[self._names[key]] = (text, width, height)
        return self._names[key]


def picture_px(questions: Iterable[Question]) -> int:
    """Return the longest edge of embedded pictures, so that their area in sum is bounded."""
    shown = {(row.frames_digest, index) for row in questions for index in row.frames[:MOST_PICTURES]}
    low, high = PICTURE_PX
    return max(low, min(high, int(high * (FULL_PICTURES / max(len(shown), 1)) ** 0.5)))


def small_jpeg(frames: Frames, index: int, edge_px: int) -> tuple[bytes, int, int]:
    """Return a frame as JPEG of at most `edge_px` an edge, with its width and height."""
    import io

    from PIL import Image

    coded = frames.jpeg(index)
    if coded is None:
        image = Image.fromarray(frames.rgb(index))
    else:
        opened = Image.open(io.BytesIO(coded), formats=("JPEG",))
        opened.draft("RGB", (edge_px, edge_px))  # decodes no more of it than that needs
        image = opened.convert("RGB")
    image.thumbnail((edge_px, edge_px))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), image.width, image.height


def card_of(place: str, question: Question, scenes: Scenes, album: Album) -> Card:
    """Return a question as it is drawn."""
    scene = scenes.of(question) if question.scene else None
    said = (
        [f"scene {question.scene} is not among what this was made from: no map"] if question.scene and not scene else []
    )
    named = named_labels(question, scene.labels if scene else [])
    pictures: list[Picture] = []
    if question.frames:
        pictures, missing = _pictures(place, question, scene, named, album)
        said += missing
    return Card(
        question=question,
        words=coloured(question.prompt, named),
        options=[(option, is_right(option, question)) for option in question.options],
        pictures=pictures,
        map=draw_map(scene, named, question.frames) if scene else None,
        named=[(label, colour) for colour, label in enumerate(named, 1)],
        said=said,
    )


def is_right(option: str, question: Question) -> bool:
    """Tell whether an option, lettered or a word, is the answer."""
    return option == question.answer or (option[1:2] == "." and option[:1] == question.answer)


def coloured(prompt: str, named: Sequence[str]) -> list[tuple[str, int]]:
    """Cut a prompt into pieces, each with the number of the label that it is, 0 for what is none.

    Example:
        >>> coloured("the bed or the box?", ["box", "bed"])
        [('the ', 0), ('bed', 2), (' or the ', 0), ('box', 1), ('?', 0)]
    """
    import re

    if not named:
        return [(prompt, 0)]
    longest = sorted(named, key=len, reverse=True)
    pieces = re.split(rf"\b({'|'.join(map(re.escape, longest))})\b", prompt)
    return [(piece, colour_of(piece, named) if n % 2 else 0) for n, piece in enumerate(pieces) if piece]


def _pictures(
    place: str, question: Question, scene: Scene | None, named: Sequence[str], album: Album
) -> tuple[list[Picture], list[str]]:
    """Return the pictures of a question that are there, and what is missing in words."""
    frames = album.frames(place, question)
    if isinstance(frames, str):
        return [], [frames]
    pictures: list[Picture] = []
    said: list[str] = []
    numbers = range(1, len(question.frames) + 1)
    step = -(-len(numbers) // MOST_PICTURES)
    if step > 1:
        said.append(f"every {step}th of {len(numbers)} shown frames is drawn")
    for number in numbers[::step]:
        index = question.frames[number - 1]
        try:
            name = album.picture(question, frames, index)
            caption = f"frame {index}, {float(frames.time_s[index]):.1f} s"
            if name:
                pictures.append(Picture(number, name, caption, _marks(scene, frames, question, named, index)))
            else:
                said.append(f"frame {index} is left out: the page holds as many pictures as it may")
        except (StoreError, IndexError, OSError) as error:
            said.append(f"frame {index} is not here: {one_line(str(error))}")
    return pictures, said


def _marks(scene: Scene | None, frames: Frames, question: Question, named: Sequence[str], index: int) -> list[Mark]:
    """Return where named objects have pixels in a frame, where ids of the scene's own frames tell."""
    import numpy as np

    if scene is None or not named or not scene.has_frames or (scene.frames.digest or "") != question.frames_digest:
        return []
    if not frames.has("instance"):
        return []
    ids = frames.instance(index)
    height, width = ids.shape
    marks = []
    for n, label in enumerate(scene.labels):
        colour = colour_of(label, named)
        rows, columns = np.nonzero(ids == n + 1) if colour else ((), ())
        if len(rows):
            x, y = int(min(columns)) / width, int(min(rows)) / height
            right, bottom = (int(max(columns)) + 1) / width, (int(max(rows)) + 1) / height
            marks.append(Mark(label, colour, round(x, 4), round(y, 4), round(right - x, 4), round(bottom - y, 4)))
    return marks


def _render(**content: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = TEMPLATE.read_text(encoding="utf-8")
    start = source.index("<script>") + len("<script>")
    script = source[start : source.index("</script>")]
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(TEMPLATE.name).render(script_hash=script_hash, **content)
