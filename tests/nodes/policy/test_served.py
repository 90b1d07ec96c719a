"""Rollouts through a server that somebody else runs: what it says, what it cannot know, what goes wrong."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from graph.node import FACTS, Facts
from nodes.policy.open import answering
from nodes.policy.rollout import Rollout
from nodes.policy.scripted import scripted_policy
from nodes.policy.served import read_completions
from nodes.policy.server import Server, ServerError
from nodes.probe.confidence import Confidence, probe
from nodes.questions.question import Question, pool_of, pool_rows
from nodes.rollouts.draw import Draw, draw
from tests.nodes.conftest import SmallPools
from tests.nodes.policy.test_server import send, serve

__all__ = ["serve"]


def _choice(text: str, reason: str = "stop", logprobs: list[float] | None = None) -> dict[str, Any]:
    content = None if logprobs is None else {"content": [{"token": "x", "logprob": value} for value in logprobs]}
    return {"message": {"content": text}, "finish_reason": reason, "logprobs": content}


def _says(*choices: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"choices": choices, **more}).encode()


def _draw(asked: Any, rollout: Rollout, questions: list[Question], samples: int) -> Any:
    server = Server(asked.url, "m", tries=2, timeout=5.0)
    with answering(None, rollout, batch=4, server=server) as answerer:
        return answerer.draw(questions, None, samples, seed=1)


def test_a_server_is_asked_for_all_samples_at_once(serve: Any, small_pools: SmallPools) -> None:
    asked = serve(lambda handler, n: send(handler, 200, _says(_choice(" yes", logprobs=[-0.5, -0.25]), _choice("no"))))
    row = pool_rows(small_pools.test)[0]
    draws = _draw(asked, Rollout(max_tokens=8), [row], 2)
    (_, _, body), *others = asked.asked
    assert not others and (body["n"], body["max_tokens"], body["logprobs"]) == (2, 8, True)
    assert body["messages"][0]["content"] == [{"type": "text", "text": row.prompt}]
    # The first says two tokens and how probable they were, the second nothing of either.
    assert draws.drawn.texts == [["yes", "no"]] and draws.drawn.n_tokens.tolist() == [[2, 0]]
    assert draws.drawn.logprobs.tolist() == [-0.5, -0.25]


def test_one_that_heeds_no_n_is_asked_again_with_other_seeds(serve: Any, some_question: Question) -> None:
    asked = serve(lambda handler, n: send(handler, 200, _says(_choice(f"text {n}"), usage={"completion_tokens": 3})))
    drawn = _draw(asked, Rollout(max_tokens=8), [some_question], 3).drawn
    assert drawn.texts == [["text 1", "text 2", "text 3"]] and drawn.n_tokens.tolist() == [[3, 3, 3]]
    bodies = [body for _, _, body in asked.asked]
    assert [body["n"] for body in bodies] == [3, 2, 1]
    assert [body["seed"] - bodies[0]["seed"] for body in bodies] == [0, 1, 2]
    assert len(drawn.logprobs) == 9 and np.isnan(drawn.logprobs).all()


@pytest.mark.parametrize(("temperature", "top_p", "known"), [(1.0, 1.0, True), (0.7, 1.0, False), (1.0, 0.9, False)])
def test_log_probabilities_of_another_distribution_are_not_taken(
    serve: Any, some_question: Question, temperature: float, top_p: float, known: bool
) -> None:
    asked = serve(lambda handler, n: send(handler, 200, _says(_choice("yes", logprobs=[-0.5]))))
    drawn = _draw(asked, Rollout(temperature=temperature, top_p=top_p, max_tokens=8), [some_question], 1).drawn
    assert np.isnan(drawn.logprobs).tolist() == [not known] and drawn.n_tokens.tolist() == [[1]]


def test_a_text_that_was_cut_is_so(serve: Any, some_question: Question) -> None:
    asked = serve(lambda handler, n: send(handler, 200, _says(_choice("I th", "length"), _choice("yes"))))
    assert _draw(asked, Rollout(max_tokens=8), [some_question], 2).drawn.truncated.tolist() == [[True, False]]


def test_an_outage_fails_the_draw_in_one_line(serve: Any, small_pools: SmallPools) -> None:
    asked = serve(lambda handler, n: send(handler, 500, b"down\n\nfor now"))
    with pytest.raises(ServerError, match="status 500: down for now") as caught:
        _draw(asked, Rollout(max_tokens=8), pool_rows(small_pools.test), 2)
    assert "\n" not in str(caught.value)


def test_a_wrong_request_is_no_long_prompt(serve: Any, some_question: Question) -> None:
    asked = serve(lambda handler, n: send(handler, 400, b"no such model"))
    with pytest.raises(ServerError, match="no such model"):
        _draw(asked, Rollout(max_tokens=8), [some_question], 2)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}', b'{"choices": [5]}',
     b'{"choices": [{"message": {"content": "a"}, "logprobs": {"content": [{"logprob": "x"}]}}]}', b"[" * 100_000],
)  # fmt: skip
def test_garbage_holds_no_completions(body: bytes) -> None:
    assert read_completions(body) is None


def test_numbers_that_are_no_log_probabilities_are_not_taken() -> None:
    for value in (2.5, float("nan")):
        found = read_completions(_says(_choice("a", logprobs=[value])))
        assert found is not None and found[0].logprobs is None and found[0].n_tokens == 1


def test_it_is_a_policy_or_a_server() -> None:
    for policy, server in ((None, None), (scripted_policy({}), Server("https://host/v1", "m"))):
        said = r"of input policy and params.server: expected one"
        with pytest.raises(ValueError, match=said), answering(policy, Rollout(), 1, server=server):
            raise AssertionError


def test_rollouts_are_drawn_from_a_server_and_probed(serve: Any, small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.test)[:3]
    answers = {row.prompt: row.answer for row in rows}

    def answer(handler: Any, n: int) -> None:
        said = asked.asked[n - 1][2]["messages"][0]["content"][-1]["text"].splitlines()[0]
        send(handler, 200, _says(_choice(answers[said]), _choice("wrong")))

    asked = serve(answer)
    params = Draw(Rollout(max_tokens=8), samples=2, server=Server(asked.url, "m"))
    facts: Facts = getattr(draw, FACTS)
    assert facts.is_external(params) and not facts.is_external(Draw())
    pool = small_pools.kept(pool_of(rows))
    drawn = draw(None, pool, params=params, seed=1)
    assert [row.id for row in drawn.rows] == [row.id for row in rows]
    assert drawn.drawn().texts == [[row.answer, "wrong"] for row in rows]
    probed = probe(drawn, pool, None, params=Confidence())
    assert [row.pass_rate for row in probed.rows] == [0.5] * 3
