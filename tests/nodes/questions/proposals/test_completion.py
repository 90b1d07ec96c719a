"""What policies write, good and hostile, read as proposals or refused by reason; never a traceback."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.questions.proposals.completion import LONGEST, MOST, Proposal, Refused, read_completion, strip_letters

GOOD: dict[str, Any] = {
    "question": "How many chairs are in this room?",
    "program": 'count("chair")',
    "kind": "number",
    "unit": "objects",
    "task": "counting",
}
CHOICE: dict[str, Any] = {
    **GOOD,
    "question": "Which is the closest to the bed?",
    "program": 'closest("bed", "lamp", "door")',
    "kind": "choice",
    "options": ["lamp", "door"],
}


def reasons(text: str, shown: str = "") -> list[str]:
    return ["" if isinstance(found, Proposal) else found.reason for found in read_completion(text, shown)]


def test_an_object_is_read_as_it_stands() -> None:
    (found,) = read_completion(json.dumps(CHOICE))
    assert found == Proposal(
        question="Which is the closest to the bed?",
        program='closest("bed", "lamp", "door")',
        kind="choice",
        options=("lamp", "door"),
        unit="",
        task="counting",
        text=json.dumps(CHOICE),
    )


@pytest.mark.parametrize(
    ("text", "n"),
    [
        (f"[{json.dumps(GOOD)}, {json.dumps(CHOICE)}]", 2),
        (f"```json\n{json.dumps(GOOD, indent=2)}\n```", 1),
        (f"Sure! Here [see below] it is:\n```\n[{json.dumps(GOOD)}]\n```\nHope that {{helps}}.", 1),
        (f"{json.dumps(GOOD)}\n{json.dumps(CHOICE)}\n", 2),
        (json.dumps({"questions": [GOOD, CHOICE], "n": 2}), 2),
        (f"<think>a {{ b</think>{json.dumps(GOOD)}", 1),
        (f'[1, 2] {{"label": "bed"}} {json.dumps(GOOD)}', 1),
    ],
)
def test_fences_lists_and_other_text_make_no_difference(text: str, n: int) -> None:
    assert reasons(text) == [""] * n


def test_what_was_cut_off_costs_its_last_object_alone() -> None:
    text = json.dumps([GOOD, CHOICE, GOOD])
    assert reasons(text[:-40]) == ["", "", "broken_json"]
    wrapped = json.dumps({"questions": [GOOD, CHOICE]})
    assert reasons(wrapped[:-30]) == ["broken_json", "", "broken_json"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"question": 5}, "question 5: expected text"),
        ({"question": {"a": {"b": 1}}}, "question a object of 1: expected text"),
        ({"question": "Why?"}, "question of 4 characters, expected 8 to 600"),
        ({"question": "How many \0 chairs are there?"}, "question holds the character"),
        ({"program": ""}, "program '': expected text"),
        ({"program": "1" * 2001}, "program of 2001 characters"),
        ({"program": None}, "program None"),
        ({"kind": "essay"}, "kind 'essay': expected 'choice' or 'number'"),
        ({"kind": ["number"]}, "kind a list of 1"),
        ({"unit": "parsec"}, "unit 'parsec': expected one of cm"),
        ({"unit": ["m"]}, "unit a list of 1"),
        ({"unit": None}, "unit ''"),
        ({"options": ["a", "b"]}, "options of a number"),
        ({"task": "Counting; rm -rf"}, "task 'Counting; rm -rf'"),
        ({"task": None}, "task None"),
        ({"kind": "choice", "options": "a, b"}, "options 'a, b': expected a list of texts"),
        ({"kind": "choice", "options": ["a"]}, "1 options, expected 2 to 4"),
        ({"kind": "choice", "options": list("abcde")}, "5 options"),
        ({"kind": "choice", "options": ["bed", "Bed."]}, "two options are the same"),
        ({"kind": "choice", "options": ["bed", "x" * 81]}, "option"),
        ({"kind": "choice", "options": ["bed", "a\nb"]}, "option"),
        ({"kind": "choice", "options": [1, 2]}, "options a list of 2"),
    ],
)
def test_another_form_is_refused_with_what_is_wrong(change: dict[str, Any], detail: str) -> None:
    (found,) = read_completion(json.dumps({**GOOD, **change}))
    assert isinstance(found, Refused) and found.reason == "schema"
    assert detail in found.detail


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_json"),
        ("I cannot help with that.", "no_json"),
        ("[]", "no_json"),
        ('{"label": "bed"}', "no_json"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 50_000, "nested"),
        ('{"question": ' + "[" * 50_000 + "]" * 50_000 + "}", "nested"),
        ("x" * 10_000_000, "long"),
        (json.dumps({**GOOD, "question": "¿Cuántas sillas hay?"}), "language"),
        (json.dumps({**GOOD, "question": "房间里一共有几把椅子？请回答。"}), "language"),
        (json.dumps({**GOOD, "question": "How many <b>chairs</b> are there?"}), "markup"),
        (json.dumps({**GOOD, "question": "Is it <script>alert(1)</script>?"}), "markup"),
        (json.dumps(GOOD).replace('"objects"', "NaN"), "broken_json"),
        ('{"question": ' + "9" * 10_000 + "}", "broken_json"),
        ('{"question": "How many', "broken_json"),
    ],
)
def test_hostile_texts_are_refused_by_reason_and_soon(text: str, reason: str) -> None:
    began = time.process_time()
    assert set(reasons(text)) == {reason}
    assert time.process_time() - began < 2


def test_a_text_that_never_ends_an_object_is_left_after_a_few_thousand_tries() -> None:
    began = time.process_time()
    assert reasons('{"a" ' * (LONGEST // 6))[-1] == "broken_json"
    assert reasons('["' * (LONGEST // 2))[-1] == "broken_json"
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    ["[" * 900 + "1," * 130_000, "[" * 900 + '"' + "x" * 260_000, "[" * 900 + "1," * 130_000 + "NaN"],
)
def test_a_text_is_read_a_few_times_in_vain_and_then_left(text: str) -> None:
    # each try reads 260 thousand characters to the end: the fourth passes 4 x 262,144 or the fifth does, not the 900th
    began = time.process_time()
    assert reasons(text) == ["broken_json"]
    assert time.process_time() - began < 0.5


def test_brackets_in_prose_do_not_hide_what_follows() -> None:
    assert reasons("[see below] [ and { so on " * 1000 + json.dumps(GOOD)) == [""]


def test_a_question_that_was_shown_is_an_echo() -> None:
    shown = 'An example: {"question": "How many chairs are in this room?"}'
    assert reasons(json.dumps(GOOD), shown) == ["echo"]


def test_no_more_than_a_bounded_number_is_taken() -> None:
    assert reasons(json.dumps([GOOD] * 1000)) == [""] * MOST + ["many"]


def test_letters_before_options_are_ours_to_give() -> None:
    assert strip_letters(["A. left", "B. right"]) == ("left", "right")
    assert strip_letters(["(A) left", "(b) right"]) == ("left", "right")
    assert strip_letters(["B. left", "A. right"]) == ("B. left", "A. right")
    assert strip_letters(["a lamp", "b lamp"]) == ("a lamp", "b lamp")


def test_refused_text_can_be_stored_and_is_bounded() -> None:
    (found,) = read_completion("\ud800\0" + "y" * 10_000_000)
    assert isinstance(found, Refused)
    found.text.encode()
    assert len(found.text) < 5000 and "\0" not in found.text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "options"]), VALUES), st.text(max_size=30), st.integers(0, 400))
def test_anything_is_a_proposal_or_a_refusal(change: dict[str, Any], around: str, cut: int) -> None:
    text = around + json.dumps({**GOOD, **change}) + around
    for given_text in (text, text[:cut], text[cut:]):
        for found in read_completion(given_text):
            assert isinstance(found, (Proposal, Refused))
            found.text.encode()
