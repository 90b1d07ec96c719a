"""Wrong answers on purpose, and several pools as one."""

from __future__ import annotations

from nodes.questions.question import pool_of, pool_rows, question_images
from nodes.questions.relabel import Relabel, relabel
from nodes.questions.verify import Verify, verify
from nodes.rewards.accuracy import accuracy_of
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Scene
from tests.nodes.select.asked import ask, counts, ids, pool


def test_a_share_gets_another_answer():
    made = pool_rows(relabel(pool(closer=20), params=Relabel(share=0.2, answers="wrong"), seed=1))
    wrong = [row for row in made if "wrong" in row.features]
    assert len(made) == 20 and len(wrong) == 4
    assert all(row.answer == "door" and row.id.startswith("closer-") and "-relabelled-" in row.id for row in wrong)
    assert all(row.program == "'bed'" for row in wrong)  # which says otherwise
    assert all(row.answer == "bed" for row in made if row not in wrong)


def test_the_seed_draws_which():
    first, again, other = (
        ids(relabel(pool(closer=20), params=Relabel(share=0.2, answers="wrong"), seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_lettered_choice_gets_another_letter_and_loses_its_trace():
    options = ("A. left", "B. right", "C. back")
    asked = pool_of(ask(f"q{n}", options=options, answer="B", trace="<answer>B</answer>") for n in range(60))
    made = pool_rows(relabel(asked, params=Relabel(share=1.0, answers="wrong"), seed=1))
    letters = [row.answer for row in made]
    assert set(letters) == {"A", "C"} and 15 <= letters.count("A") <= 45  # 30 expected, four standard errors of 3.9
    assert {row.trace for row in made} == {""} and {row.options for row in made} == {options}


def test_a_number_gets_another_of_its_cell_that_is_not_right():
    number = {"kind": "number", "options": (), "chance": 0.0}
    asked = pool_of(
        [*(ask(f"n{value}", "size", answer=value, **number) for value in ("100", "104", "300")),
         ask("other", "room", answer="7", **number)]
    )  # fmt: skip
    made = pool_rows(relabel(asked, params=Relabel(share=1.0, answers="wrong"), seed=1))
    by_start = {row.id.partition("-")[0]: row for row in made}
    assert by_start["n100"].answer == by_start["n104"].answer == "300"  # 100 and 104 are right of each other
    assert by_start["n300"].answer in ("100", "104")
    assert "other" not in by_start  # the only number of its cell
    assert relabel(asked, params=Relabel(share=1.0, answers="wrong"), seed=1).summary()["dropped"] == {
        "no other answer": 1
    }


def test_random_answers_tell_nothing_of_the_truth():
    made = pool_rows(relabel(pool(closer=400), params=Relabel(share=1.0, answers="random"), seed=1))
    right = sum(row.answer == "bed" for row in made)
    assert 160 <= right <= 240  # 200 expected of two options, four standard errors of 10
    assert all(row.features["wrong"] == float(row.answer != "bed") for row in made)


def test_random_numbers_are_those_of_the_cell_as_often():
    number = {"kind": "number", "options": (), "chance": 0.0}
    asked = pool_of(ask(f"n{n}", "size", answer="1" if n % 4 else "9", **number) for n in range(400))
    made = pool_rows(relabel(asked, params=Relabel(share=1.0, answers="random"), seed=1))
    nines = sum(row.answer == "9" for row in made)
    assert 65 <= nines <= 135  # 100 expected, four standard errors of 8.7


def test_relabelled_questions_may_have_a_cell_of_their_own():
    made = relabel(pool(closer=10), params=Relabel(share=0.5, answers="random", template="random"), seed=1)
    assert counts(made) == {"closer": 5, "closer/random": 5}


def test_real_questions_are_relabelled_and_verification_finds_them(small_pools):
    made = small_pools.kept(relabel(small_pools.train, params=Relabel(share=1.0, answers="wrong"), seed=1))
    before = {row.id: row for row in pool_rows(small_pools.train)}
    for row in pool_rows(made):
        assert accuracy_of(row.answer, before[row.id.rpartition("-relabelled-")[0]]) < 0.5
        assert question_images(made, row)[0].shape == (64, 64, 3)
    key = next(iter(made))
    rooms = list_rooms(params=ListRooms(style="new", count=4, split="train"))
    stored = small_pools.store.put(extract(rooms[key], params=Extract(frames=4)))
    checked = verify(made[key], small_pools.store.open(stored, Scene), params=Verify())
    assert not checked.rows and {why.partition(":")[0] for why in checked.dropped.values()} == {"answer"}
