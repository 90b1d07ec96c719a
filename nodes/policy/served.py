"""Answers through OpenAI-compatible servers: one that somebody else runs, or replicas that an action has started.

A server says what was said, how many tokens that took and, where it can, how probable they were. What it cannot know is
NaN: the probability of the true answer, of the options, of the truth after a thought. Log-probabilities are those of
the sampling distribution only where the server says so (vLLM, started by us) or where sampling changes nothing
(temperature 1, top_p 1); elsewhere they are NaN too.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.policy.answers import Best, Draws, joined
from nodes.policy.chunks import Chunks, Row
from nodes.policy.rollout import Pictures, Rollout, check_frames, prompt_text
from nodes.policy.server import Client, Server, ServerError
from store.digest import digest

if TYPE_CHECKING:
    from graph.node import Progress
    from nodes.questions.question import Question, QuestionPool

AT_ONCE = 16  # requests, each for all samples of a question
TOO_LONG = ("context length", "context_length", "maximum context", "max_model_len")  # as servers say it, with a 400


class Completion(NamedTuple):
    """One text of an answer; counts of tokens are 0 and `logprobs` None where the server does not say."""

    text: str
    is_cut: bool
    n_tokens: int
    logprobs: list[float] | None
    n_prompt: int = 0


class ServedAnswerer:
    """Answers through servers that all serve the same policy; questions are spread over them by turns."""

    def __init__(
        self,
        servers: Sequence[Server],
        rollout: Rollout,
        batch: int,
        progress: Progress | None = None,
        at_once: int = AT_ONCE,
        says_sampled: bool = False,
    ) -> None:
        """Take `says_sampled` for: log-probabilities are at the sampling temperature."""
        self._clients = [Client(server) for server in servers]
        self._rollout, self._batch, self._progress, self._at_once = rollout, batch, progress, at_once
        self._knows = says_sampled or (rollout.temperature == 1 and rollout.top_p == 1)

    def draw(
        self,
        questions: Sequence[Question],
        pool: QuestionPool | None,
        samples: int,
        seed: int,
        scratch: Path | None = None,
    ) -> Draws:
        """Draw `samples` answers a question; a prompt that is over the server's context is dropped."""
        check_frames(questions, self._rollout)
        chunks, pictures = Chunks(scratch), None if pool is None else Pictures(pool, self._rollout.pixels)
        rows: list[Row | str] = []
        with ThreadPoolExecutor(self._at_once * len(self._clients)) as threads:
            for number, start in enumerate(range(0, len(questions), self._batch)):
                some = questions[start : start + self._batch]
                ids = [question.id for question in some]
                found = chunks.read(number, ids)
                if found is None:
                    shown = [pictures.of(question) if pictures is not None else [] for question in some]
                    row = functools.partial(self._row, samples=samples, seed=seed)
                    found = list(threads.map(row, itertools.cycle(self._clients), some, shown))
                    chunks.write(number, ids, found)
                rows += found
                if self._progress is not None:
                    self._progress(len(rows), len(questions))
        return joined(questions, rows, samples)

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        """Answer greedily; how probable the true answers are is not known."""
        import numpy as np

        check_frames(questions, self._rollout)
        pictures = None if pool is None else Pictures(pool, self._rollout.pixels)

        dropped: dict[str, str] = {}

        def ask(client: Client, question: Question, shown: Sequence[Any]) -> str:
            try:
                return self._complete(client, question, shown, 1, 0, temperature=0.0, top_p=1.0)[0].text.strip()
            except ServerError as error:
                if is_too_long(error):
                    dropped[question.id] = f"context: {error}"
                    return ""
                raise

        texts: list[str] = []
        with ThreadPoolExecutor(self._at_once * len(self._clients)) as threads:
            for start in range(0, len(questions), self._batch):
                some = questions[start : start + self._batch]
                shown = [pictures.of(question) if pictures is not None else [] for question in some]
                texts += threads.map(ask, itertools.cycle(self._clients), some, shown)
                if self._progress is not None:
                    self._progress(len(texts), len(questions))
        return Best(texts, np.full(len(questions), np.nan), dropped)

    def _row(self, client: Client, question: Question, shown: Sequence[Any], samples: int, seed: int) -> Row | str:
        import numpy as np

        how = {"temperature": self._rollout.temperature, "top_p": self._rollout.top_p}
        number = int(digest(f"{seed}\n{question.id}".encode())[:15], 16)
        try:
            said = self._complete(client, question, shown, samples, number, **how)
        except ServerError as error:
            if is_too_long(error):
                return f"context: {error}"
            raise
        known = [each.logprobs if self._knows and each.logprobs else [math.nan] * each.n_tokens for each in said]
        return Row(
            said[0].n_prompt,
            [each.text.strip() for each in said],
            [each.n_tokens for each in said],
            [each.is_cut and self._rollout.max_tokens > 1 for each in said],  # with one token no end is awaited
            np.array(list(itertools.chain.from_iterable(known)), dtype=np.float64),
            np.full(1, np.nan),
            np.full(len(question.options), np.nan),
            np.full(samples, np.nan),
        )

    def _complete(
        self, client: Client, question: Question, shown: Sequence[Any], samples: int, seed: int, **how: float
    ) -> list[Completion]:
        """Return as many completions as asked for: servers that heed no `n` are asked again, with other seeds."""
        said: list[Completion] = []
        while len(said) < samples:
            wanted = samples - len(said)
            body = client.body(
                prompt_text(question, self._rollout.template),
                shown,
                **how,
                max_tokens=self._rollout.max_tokens,
                n=wanted,
                seed=(seed + len(said)) % 2**31,
                logprobs=True,
            )
            said += client.ask(body, read_completions)[:wanted]
        return said


def is_too_long(error: ServerError) -> bool:
    """Tell whether a server refused a prompt for being longer than what its model reads."""
    return error.status == 400 and any(words in str(error).lower() for words in TOO_LONG)


def read_completions(data: bytes) -> list[Completion] | None:
    """Return all texts of a chat completion; None if the bytes hold none."""
    try:
        told: Any = json.loads(data)
        found = [_completion(choice) for choice in told["choices"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    usage = told.get("usage")
    n_prompt, n_said = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    if len(found) == 1 and not found[0].n_tokens:
        found = [found[0]._replace(n_tokens=n_said)]
    return [each._replace(n_prompt=n_prompt) for each in found] or None


def _count(usage: Any, name: str) -> int:
    count = usage.get(name) if isinstance(usage, dict) else None
    return max(0, count) if isinstance(count, int) else 0


def _completion(choice: Any) -> Completion:
    text = choice["message"]["content"]
    if not isinstance(text, str):
        raise TypeError("no text")
    tokens = (choice.get("logprobs") or {}).get("content") or []
    logprobs = [float(token["logprob"]) for token in tokens]
    if any(math.isnan(value) or value > 1e-3 for value in logprobs):  # no logarithm of a probability
        logprobs = []
    return Completion(text, choice.get("finish_reason") == "length", len(tokens), logprobs or None)
