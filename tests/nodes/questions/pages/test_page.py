"""The page of a pool: what it draws, that it needs nothing else, and that what it shows is never run."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nodes.questions.pages.floor_map import draw_map, named_labels, outline
from nodes.questions.pages.page import coloured, draw_pool, is_right, sample
from nodes.questions.question import Questions, pool_rows
from nodes.scenes.frames import Frames
from nodes.scenes.scene import Scene
from store.errors import Missing

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'--></style></svg>{{ 7 * 7 }}"
VOID = {"meta", "link", "br", "img", "input", "hr", "image", "use", "rect", "path", "line", "circle", "polygon"}


class Tags(HTMLParser):
    """Collects tags and text; every tag that opens must close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.found)


@pytest.fixture
def ask(some_question):
    """A question on the room made by hand: frame 0 shows its red and its blue box."""

    def make(**facts):
        given = {
            "scene": "hand",
            "frames": (0,),
            "frames_digest": "",
            "prompt": "Which is closer, the red box or the blue box?",
            "options": ("red", "blue"),
            "answer": "red",
            "program": 'closer("red box", "blue box", frame=0)',
        }
        return replace(some_question, **{**given, **facts})

    return make


def finds(*scenes):
    return lambda cls: {scene.id: scene for scene in scenes} if cls is Scene else {}


def draw(scene, *questions, find=None):
    pools = {"hand": Questions(list(questions), scene.frames)}
    return draw_pool(pools, finds(scene) if find is None else find, 40, "qa")


def test_page_shows_frame_map_question_program_and_answer(three_boxes, ask):
    page = Tags(draw(three_boxes, ask()))
    text = " ".join(" ".join(page.text).split())
    assert 'closer("red box", "blue box", frame=0)' in text and "Answer: red" in text and "red ✓" in text
    pictures = [attrs for tag, attrs in page.found if tag == "image"]
    assert len(pictures) == 1 and str(pictures[0]["href"]).startswith("data:image/jpeg;base64,")
    classes = [str(attrs.get("class")) for tag, attrs in page.found if tag == "polygon"]
    assert classes == ["room", "thing", "thing n1", "thing n2"]  # what is named lies on top
    assert page.count("rect") == 2  # where the two named ones are in the frame


def test_page_refers_to_nothing_outside_and_runs_its_own_script_alone(three_boxes, ask):
    text = draw(three_boxes, ask())
    page = Tags(text)
    for tag, attrs in page.found:
        for name in ("href", "src", "action", "data"):
            assert str(attrs.get(name, "#")).startswith(("#", "data:image/jpeg;base64,")), (tag, attrs)
    assert "://" not in text and "@import" not in text and "url(" not in text.replace("url(#tip)", "")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'" in text


def test_what_texts_hold_is_shown_and_not_markup(scene_of, ask):
    scene = scene_of([HOSTILE, "bed"], [(1, 1, 0.5), (3, 1, 0.5)], [(1, 1, 1)] * 2)
    plain = scene_of(["chair", "bed"], [(1, 1, 0.5), (3, 1, 0.5)], [(1, 1, 1)] * 2)
    texts = ("id", "prompt", "answer", "unit", "program", "template", "terms", "task", "split", "trace")
    facts = {name: HOSTILE for name in texts}
    hostile = ask(**facts, options=(HOSTILE, "b"), features={HOSTILE: 1.0})
    page, calm = Tags(draw(scene, hostile)), Tags(draw(plain, ask(options=("a", "red"))))
    assert page.count("script") == 1 and page.count("img") == 0 and page.count("style") == 1
    assert not [name for _, attrs in page.found for name in attrs if name.startswith("on")]
    assert "".join(page.text).count(HOSTILE) >= len(texts) - 1
    assert page.count("article") == calm.count("article") == 1


def test_gone_scene_and_gone_pictures_are_said(three_boxes, ask):
    def gone(name):
        raise Missing("manifest", "d" * 64)

    text = draw(three_boxes, ask(), find=lambda cls: {})
    assert "scene hand is not among what this was made from: no map" in text
    assert Tags(text).count("image") == 1 and Tags(text).count("polygon") == 0
    pool = Questions([ask(), ask(id="other", frames=(99,))])
    pool.frames = gone
    text = draw_pool({"hand": pool}, finds(three_boxes), 40, "qa")
    assert "its pictures are not here" in text and Tags(text).count("polygon") > 0
    text = draw(three_boxes, ask(frames=(0, 99)))
    assert "frame 99 is not here" in text and Tags(text).count("image") == 1


def test_general_question_is_drawn_without_scene_and_frames(three_boxes, ask):
    text = draw(three_boxes, ask(scene="", frames=(), program=""))
    assert "no scene" in text and "not among" not in text and Tags(text).count("image") == 0


def test_picture_that_many_questions_show_is_embedded_once(three_boxes, ask):
    page = Tags(draw(three_boxes, *(ask(id=str(n)) for n in range(9))))
    assert page.count("image") == 1 and page.count("use") == 9


def test_large_pictures_stay_within_what_a_page_may_hold(three_boxes, ask, monkeypatch):
    monkeypatch.setattr("nodes.questions.pages.page.MOST_BYTES", 30_000)
    noise = np.random.default_rng(1).integers(0, 255, (4, 480, 640, 3), dtype=np.uint8)
    pool = Questions([ask(frames=(0, 1, 2, 3))], Frames({"rgb": noise, "time_s": np.arange(4.0)}))
    text = draw_pool({"hand": pool}, finds(three_boxes), 40, "qa")
    assert len(text) < 60_000 and "the page holds as many pictures as it may" in text


def test_sample_is_even_over_tasks_then_scenes(ask):
    rows = {
        scene: [ask(id=f"{scene}{task}{n}", scene=scene, task=task) for task in "xy" for n in range(20)]
        for scene in "ab"
    }
    rows["a"].append(ask(id="rare", scene="a", task="z"))
    drawn = [row for _, row in sample(rows, 9)]
    assert [sum(row.task == task for row in drawn) for task in "xyz"] == [4, 4, 1]
    assert [sum(row.scene == scene and row.task == "x" for row in drawn) for scene in "ab"] == [2, 2]
    assert drawn == [row for _, row in sample(rows, 9)]


def test_named_are_the_labels_that_the_program_quotes(ask):
    labels = ["red box", "bed", "chair"]
    assert named_labels(ask(program="distance('chair', \"bed\")"), labels) == ["chair", "bed"]
    assert named_labels(ask(program='count("box")'), labels) == ["box"]
    assert named_labels(ask(program="", prompt="the bed or the chair"), labels) == ["bed", "chair"]
    assert named_labels(ask(program="room_size()"), labels) == []


def test_prompt_is_cut_at_what_is_named():
    assert coloured("the bed or the red box?", ["red box", "bed"]) == [
        ("the ", 0), ("bed", 2), (" or the ", 0), ("red box", 1), ("?", 0),
    ]  # fmt: skip
    assert coloured("embedded", ["bed"]) == [("embedded", 0)]


def test_right_option_is_found_by_letter_or_word(ask):
    assert is_right("B. left", ask(answer="B")) and is_right("red", ask(answer="red"))
    assert not is_right("Back", ask(answer="B"))


def test_map_is_to_scale_with_y_up(scene_of):
    scene = scene_of(["a", "b"], [(1, 1, 0.5), (4, 3, 0.5)], [(1, 1, 1)] * 2, cameras=(2.0, 2.0, 1.0))
    drawn = draw_map(scene, ["a"], (0,))
    a, b = (next(s for s in drawn.shapes if s.label == label) for label in "ab")
    assert b.x - a.x == pytest.approx(3 * drawn.metre, abs=0.2)  # 4 - 1
    assert a.y - b.y == pytest.approx(2 * drawn.metre, abs=0.2)  # 3 - 1, and up is less
    assert (a.colour, b.colour) == (1, 0)
    assert drawn.views[0].x - a.x == pytest.approx(drawn.metre, abs=0.2)  # 2 - 1


@settings(max_examples=50, deadline=None)
@given(st.floats(-math.pi, math.pi))
def test_outline_of_a_turned_box_keeps_its_area(angle):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    corners = np.array([[x, y] for x in (-1, 1) for y in (-2, 2)] * 2 + [[0.0, 0.0]]) @ turn.T
    x, y = outline(corners).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(8, abs=1e-4) and len(x) == 4  # 2 x 4


def test_pool_of_generated_rooms_is_drawn(small_pools):
    text = draw_pool({place: small_pools.test[place] for place in small_pools.test}, lambda cls: {}, 40, "test")
    assert Tags(text).count("article") == len(pool_rows(small_pools.test))
