"""The blind filter: a policy and a text model that see words alone, on pools that leak and on pools that do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nodes.policy.answers import Best, Draws
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.questions.filters.blind import (
    Blind,
    cell_chance,
    cyclic_orders,
    filter_blind,
    judge_choices,
    judge_numbers,
)
from nodes.questions.filters.text_model import cross_fit
from nodes.questions.question import Question, QuestionPool
from tests.nodes.conftest import SmallPools
from tests.nodes.questions.filters.test_filters import pool, question, reasons

OPTIONS = ("A. bed", "B. sofa", "C. lamp", "D. door")


class Reader:
    """Answers from words alone: it always holds one text, by its share of probability."""

    def __init__(self, share: dict[str, float], said: str = "") -> None:
        self.share, self.said = share, said

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        assert pool is None
        texts = [next((o[3:] for o in q.options if o[0] == q.answer), q.answer) for q in questions]
        return Best([self.said for _ in questions], np.array([self.share.get(text, 0.0) for text in texts]))

    def draw(self, questions: Sequence[Question], pool: QuestionPool | None, samples: int, seed: int) -> Draws:
        raise NotImplementedError


def test_a_choice_that_the_policy_knows_blind_is_dropped() -> None:
    # bed .36, the others .08 each, .4 on what is no option: p = .36 / .6 = .6, over chance (.6 - .25) / .75 = .467
    share = {"bed": 0.36, "sofa": 0.08, "lamp": 0.08, "door": 0.08}
    rows = [question("bed", options=OPTIONS, answer="A"), question("door", options=OPTIONS, answer="D")]
    assert judge_choices(Reader(share), rows, Blind()) == {}
    found = judge_choices(Reader(share), rows, Blind(p_max=0.46))
    assert set(found) == {"bed"}
    assert found["bed"].detail == "p 0.600 blind over 4 orders, 0.467 over chance, expected at most 0.46"


def test_every_cyclic_order_is_asked_so_a_love_of_one_letter_is_no_knowledge() -> None:
    class LovesA(Reader):
        def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
            return Best([], np.array([float(q.answer == "A") for q in questions]))

    row = question("q", options=OPTIONS, answer="A")
    orders = cyclic_orders(row)
    assert [order.answer for order in orders] == ["A", "D", "C", "B"]
    assert orders[1].options == ("A. sofa", "B. lamp", "C. door", "D. bed")
    # right in one of four orders: p = .25, which is chance
    assert judge_choices(LovesA({}), [row], Blind(p_max=0.0)) == {}


def test_a_question_may_have_more_options_than_templates_give() -> None:
    # each of the five stands first once and is held by .2 of .2 + 4 * .2: p = .2, what chance gives
    options = tuple(f"{letter}. {word}" for letter, word in zip("ABCDE", ("a1", "b1", "c1", "d1", "e1"), strict=True))
    row = question("q", options=options, answer="E")
    assert [order.answer for order in cyclic_orders(row)] == ["E", "D", "C", "B", "A"]
    share = {"a1": 0.2, "b1": 0.2, "c1": 0.2, "d1": 0.2, "e1": 0.2}
    assert judge_choices(Reader(share), [row], Blind()) == {}
    assert set(judge_choices(Reader({"e1": 0.9, "a1": 0.1}), [row], Blind())) == {"q"}


def test_a_love_of_one_word_is_no_knowledge_of_its_cell() -> None:
    # half of the answers are bed: who always says bed is right in half, (.5 - .5) / .5 = 0 over chance
    rows = [question(f"q{k}", scene=f"s{k}", answer=("bed", "chair")[k % 2]) for k in range(20)]
    loves = Reader({"bed": 0.9, "chair": 0.1})
    # held at .9, (.9 - .5) / .5 = .8 over chance
    assert set(judge_choices(loves, rows, Blind())) == {f"q{k}" for k in range(0, 20, 2)}
    assert judge_choices(loves, rows, Blind(lucky="keep")) == {}
    assert len(judge_choices(loves, rows[::2], Blind(lucky="keep"))) == 10


def test_a_number_goes_if_it_is_said_blind_and_the_median_is_not_as_good() -> None:
    number: dict[str, Any] = {"kind": "number", "options": (), "task": "size"}
    answers = {"a": "100", "b": "40", "c": "100", "d": "200", "e": "30"}  # median 100
    rows = [question(name, answer=answer, **number) for name, answer in answers.items()]
    # 190 for 200 is 5 % off: MRA 1 - (.95 alone is reached: .05 <= .05), so 1.0; the median 100 is 50 % off: .1
    found = judge_numbers(Reader({}, said="190"), rows, Blind())
    assert set(found) == {"d"} and found["d"].detail == "'190' blind, MRA 1.0; the cell's median 0.1"
    # 100 is right for a and c, and the median says so as well
    assert judge_numbers(Reader({}, said="100"), rows, Blind()) == {}


def scenes(n: int, answer: Any, options: tuple[str, ...] = ("yes", "no")) -> list[Question]:
    """n scenes of 4 questions; `answer(scene, k)` is the true one."""
    things = ("bed", "sofa", "lamp", "door")
    return [
        question(f"s{i}-{k}", scene=f"s{i}", task="exists", prompt=f"Is there a {thing}?", options=options,
                 answer=answer(i, k))
        for i in range(n)
        for k, thing in enumerate(things)
    ]  # fmt: skip


def test_a_pool_whose_words_give_the_answer_away_is_cut_to_chance() -> None:
    # beds and sofas always there, lamps and doors never: words alone answer all 80
    rows = scenes(20, lambda i, k: "yes" if k < 2 else "no")
    kept = filter_blind(None, pool(*rows), params=Blind())
    assert set(reasons(kept).values()) == {"text"}
    # every question left is one that the model answers too, so the cut ends with a single one
    assert len(kept.rows) == 79


def test_a_pool_with_a_prior_loses_what_is_over_represented() -> None:
    # 3 of 4 are yes, at random: the best guess from words is yes, right in .75 of 400
    rng = np.random.default_rng(1)
    truth = rng.random((100, 4)) < 0.75
    rows = scenes(100, lambda i, k: "yes" if truth[i, k] else "no")
    kept = filter_blind(None, pool(*rows), params=Blind())
    assert {row.answer for row in kept.rows} == {"yes"}
    left = [row.answer for name in kept.questions for row in kept.questions[name].rows]
    # yes at most .55 of what is left
    assert left.count("yes") / len(left) == pytest.approx(0.55, abs=0.03)


def test_a_balanced_pool_is_kept_whole() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random((60, 4)) < 0.5
    rows = scenes(60, lambda i, k: "yes" if truth[i, k] else "no")
    assert filter_blind(None, pool(*rows), params=Blind()).rows == []


def test_numbers_that_words_give_away_are_cut_and_others_kept() -> None:
    rng = np.random.default_rng(3)
    typical = {"bed": 200, "sofa": 180, "lamp": 30, "door": 210}

    def made(value: Any) -> list[Question]:
        rows = []
        for i in range(40):
            for thing in typical:
                rows.append(
                    question(f"{i}-{thing}", scene=f"s{i}", task="size", prompt=f"How long is the {thing}?", options=(),
                             kind="number", unit="cm", answer=str(value(thing)))
                )  # fmt: skip
        return rows

    leaky = made(lambda thing: round(typical[thing] * rng.uniform(0.97, 1.03)))
    kept = filter_blind(None, pool(*leaky), params=Blind())
    assert set(reasons(kept).values()) == {"text"} and len(kept.rows) > 60
    free = made(lambda thing: round(float(np.exp(rng.uniform(1, 6)))))
    assert filter_blind(None, pool(*free), params=Blind()).rows == []


def test_no_place_is_answered_by_a_model_that_saw_it() -> None:
    # what is right is a matter of the place alone: known within it, useless outside
    rows = [
        question(f"s{i}-{k}", scene=f"s{i}", prompt=f"word{i}?", options=("yes", "no"), answer="yes" if i % 2 else "no")
        for i in range(20)
        for k in range(6)
    ]
    guesses = cross_fit(rows, 5)
    assert guesses is not None
    assert np.mean([guess.accuracy for guess in guesses]) < 0.7
    assert cross_fit([row for row in rows if row.scene == "s1"], 5) is None


def test_chance_of_a_cell_is_one_of_k_or_its_median() -> None:
    assert cell_chance([question("q", options=OPTIONS, answer="A")]) == 0.25
    # median of 1, 2, 4 is 2: MRA of 2 is 0 for 1 (100 % off), 1 for 2, .1 for 4 (50 % off)
    rows = [question(str(n), kind="number", options=(), answer=str(n)) for n in (1, 2, 4)]
    assert cell_chance(rows) == pytest.approx(1.1 / 3)


def test_a_model_and_a_script_can_be_asked(small_pools: SmallPools, small_policy: Policy) -> None:
    for policy in (small_policy, scripted_policy({"exists": 1.0})):
        kept = filter_blind(policy, small_pools.train, params=Blind(cell_min=1000))
        again = filter_blind(policy, small_pools.train, params=Blind(cell_min=1000))
        assert kept.rows == again.rows
        assert {row.reason for row in kept.rows} <= {"blind"}
