"""The `think` template and traces, as the word-level policy reads and says them."""

from __future__ import annotations

from statistics import median

import pytest

from nodes.policy.policy import Policy, load_model
from nodes.policy.rollout import prompt_messages, prompt_text
from nodes.policy.tokenizer import UNKNOWN, word_tokenizer
from nodes.questions.question import Question
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.traces import traces
from nodes.questions.verify import Verify
from nodes.questions.vocabulary import TAGS, split_words, words
from nodes.rewards.answer import answer_of
from nodes.rewards.maps import map_of, true_map
from nodes.rewards.think_format import thinks
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms
from tests.nodes.questions.programs.rooms import DATA, real_rooms
from tests.nodes.questions.tasks import TASKS, named
from tests.nodes.rewards.batches import choice, number

SHOWN = ("exists", "count", "closer", "taller", "further_left", *(name for name in TASKS if name.startswith("object_")))


def traced(rooms: list, tasks: tuple[str, ...], per_scene: int) -> list[Question]:
    rows = []
    for room in rooms:
        asked = synthesize(room, None, None, params=Synthesize(tasks=named(*tasks), per_scene=per_scene), seed=1)
        rows += traces(asked, room, params=Verify()).rows
    return rows


@pytest.fixture(scope="module")
def rooms() -> list:
    listed = list_rooms(params=ListRooms(style="new", count=8))
    return [extract(listed[key], params=Extract(frames=8, size_px=48)) for key in listed]


def test_traces_are_said_as_they_are_written_and_mean_the_same(rooms: list) -> None:
    tokenizer = word_tokenizer(words(), "idefics3")
    rows = traced(rooms, SHOWN, 60)
    lengths = []
    for row in rows:
        tokens = tokenizer(row.trace)["input_ids"]
        said = tokenizer.decode(tokens, skip_special_tokens=True)
        assert said == row.trace.replace("\n", " ")
        assert thinks(said) and answer_of(said) == row.answer and (map_of(said) or {}) == true_map(row)
        lengths.append(len(tokens))
    print(f"{len(rows)} traces of {min(lengths)}..{max(lengths)} tokens, median {median(lengths)}")
    assert len(rows) >= 200 and sum(bool(true_map(row)) for row in rows) >= 200
    assert {row.task for row in rows} == set(SHOWN) - {"object_rel_distance"} and max(lengths) < 128


def test_a_trace_in_pieces_still_parses() -> None:
    # a policy says one token at a time, and spaces are the decoder's: tokens joined by spaces mean the same
    text = '<think><map>{"red box": [[1, 2]], "tv": [[0, 9]]}</map> So.</think> <answer>front-left</answer>'
    loose = " ".join(split_words(text))
    assert map_of(loose) == map_of(text) == {"red box": [(1, 2)], "tv": [(0, 9)]}
    assert answer_of(loose) == "front - left"
    tokenizer = word_tokenizer(words(), "idefics3")
    assert tokenizer.decode(tokenizer(loose)["input_ids"], skip_special_tokens=True) == text


def test_every_trace_is_made_of_known_words(rooms: list) -> None:
    rows = traced(rooms, TASKS, 200)
    if DATA.is_dir():
        rows += traced([room for name in ("scannet", "arkitscenes") for room in real_rooms(name, 8, 8)], TASKS, 200)
    # generated rooms are too plain for some tasks
    assert {row.task for row in rows} >= (set(TASKS) if DATA.is_dir() else set(SHOWN) - {"object_rel_distance"})
    known = set(words())
    for row in rows:
        assert not set(split_words(row.trace)) - known, row.trace


def test_the_think_template_asks_for_a_thought_a_map_and_an_answer() -> None:
    question = choice("A", "A. left", "B. right")
    direct, think = prompt_text(question), prompt_text(question, "think")
    assert direct == "?\nA. left\nB. right" and think.startswith(f"{direct}\nFirst think, in <think> </think>.")
    assert all(tag in think for tag in TAGS) and '{"bed": [[2, 7]]}' in think
    assert prompt_messages(number("4"), None, "think")[0]["content"] == [
        {"type": "text", "text": prompt_text(number("4"), "think")}
    ]


def test_a_policy_reads_thoughts_without_an_unknown_word(small_policy: Policy, rooms: list) -> None:
    _, processor = load_model(small_policy)  # written and read again, tags are still words
    row = next(row for row in traced(rooms[:1], SHOWN, 20) if true_map(row))
    said = {"role": "assistant", "content": [{"type": "text", "text": row.trace}]}
    text = processor.apply_chat_template([*prompt_messages(row, None, "think"), said], tokenize=False)
    tokens = processor.tokenizer(text)["input_ids"]
    assert UNKNOWN not in processor.tokenizer.convert_ids_to_tokens(tokens)
    assert row.trace.replace("\n", " ") in processor.tokenizer.decode(tokens, skip_special_tokens=True)
