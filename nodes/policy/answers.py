"""What a policy answers: drawn, best, and how probable it holds the true answer.

A batch of prompts is read once; all its samples, its true answers and its options follow from there (`prefill`,
`sampling`, `speech`). An answer of one token (`max_tokens = 1`) needs nothing more: its whole distribution is the
softmax of the last position. A question's draws come from (seed, question id) alone, so another room in the pool
changes no other room's rollouts but by float noise.

Not known here: rewards, and what is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nodes.policy.chunks import Chunks, Row
from nodes.policy.policy import Policy, load_model
from nodes.policy.prefill import Branch, force, prefill
from nodes.policy.prompts import Batch, Prompts, prompt_key
from nodes.policy.rollout import Rollout
from nodes.policy.sampling import Said, greedy, heights_of, sampler, say
from nodes.policy.shown import Put
from nodes.policy.speech import Forced, Speech
from nodes.rollouts.rollouts import Drawn

if TYPE_CHECKING:
    import numpy as np

    from graph.node import Progress
    from nodes.questions.question import Question, QuestionPool


class Draws(NamedTuple):
    """Rollouts of the questions that were asked; tokens of the prompt of each, and of its true answer with its end.

    `dropped` says of the others, by id, why they were not: "reason: detail".
    """

    drawn: Drawn
    n_prompt: list[int]
    n_answer: list[int]
    dropped: dict[str, str]


class Best(NamedTuple):
    """The greedy answers of Q questions. One that does not fit the policy's context is answered with nothing, and
    `dropped` says by id why."""

    texts: list[str]
    p_answer: np.ndarray  # (Q,) float64: geometric mean probability of the true answer's tokens, without the end
    dropped: Mapping[str, str] = {}


class Asking(NamedTuple):
    """A question, and what is forced for it."""

    question: Question
    forced: Forced


class Answerer(Protocol):
    """Anything that answers questions. Without a pool, blind."""

    def draw(
        self,
        questions: Sequence[Question],
        pool: QuestionPool | None,
        samples: int,
        seed: int,
        scratch: Path | None = None,
    ) -> Draws:
        """Draw `samples` answers a question; what is finished may be kept in `scratch`, and found there again."""

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        """Answer greedily."""


def open_answerer(policy: Policy, rollout: Rollout, batch: int, progress: Progress | None = None) -> Answerer:
    """Return what answers for a policy; `batch` questions are put at a time."""
    if policy.family == "scripted":
        from nodes.policy.scripted import Script

        return Script(policy.rates)
    return ModelAnswerer(policy, rollout, batch, progress)


class ModelAnswerer:
    """Answers with a transformers model."""

    def __init__(self, policy: Policy, rollout: Rollout, batch: int, progress: Progress | None = None) -> None:
        self.model, self.processor = load_model(policy, rollout.device, rollout.dtype)
        self.rollout, self.batch, self.progress = rollout, batch, progress
        self.speech = Speech(self.processor, self.model.generation_config, rollout)

    def draw(
        self,
        questions: Sequence[Question],
        pool: QuestionPool | None,
        samples: int,
        seed: int,
        scratch: Path | None = None,
    ) -> Draws:
        """Draw `samples` answers a question."""
        forced = [self.speech.forced(question) for question in questions]
        chunks, prompts = Chunks(scratch), Prompts(self.model, self.processor, self.rollout, questions, pool)
        rows: list[Row | str] = [""] * len(questions)
        done = 0
        for number, batch in enumerate(prompts.batches(self.batch)):
            ids = [questions[place].id for place in batch.places]
            found = chunks.read(number, ids)
            if found is None:
                asked = [Asking(questions[place], forced[place]) for place in batch.places]
                found = self._draw_batch(prompts, batch, asked, samples, seed)
                chunks.write(number, ids, found)
            for place, row in zip(batch.places, found, strict=True):
                rows[place] = row
            done = self._tell(done + len(found), len(questions))
        return joined(questions, rows, samples)

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        """Answer greedily; a prompt that several questions share is read once."""
        import numpy as np

        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, question in enumerate(questions):
            groups.setdefault(prompt_key(question), []).append(place)
        members = list(groups.values())
        prompts = Prompts(self.model, self.processor, self.rollout, [questions[own[0]] for own in members], pool)
        texts, p_answer = [""] * len(questions), np.zeros(len(questions))
        dropped: dict[str, str] = {}
        done = 0
        for batch in prompts.batches(self.batch):
            own = [members[place] for place in batch.places]
            answers = [[self.speech.answer(questions[place]) for place in places] for places in own]
            put, kept, why = prompts.fitting(batch, self.rollout.max_tokens)
            dropped |= {questions[place].id: reason for row, reason in why.items() for place in own[row]}
            for places, text, p in zip(own, *self._best_batch(put, kept, answers), strict=True):
                for place, its_p in zip(places, p, strict=True):
                    texts[place], p_answer[place] = text, its_p
            done = self._tell(done + sum(map(len, own)), len(questions))
        return Best(texts, p_answer, dropped)

    def _best_batch(
        self, put: Put, kept: Sequence[int], answers: list[list[Branch]]
    ) -> tuple[list[str], list[list[float]]]:
        """Return the text said after each prompt that was kept, and how probable each of its answers is."""
        import numpy as np

        texts, p = [""] * len(answers), [[0.0] * len(own) for own in answers]
        if not kept:
            return texts, p
        wanted = [answers[row] for row in kept]
        context = prefill(self.model, put, self._is_continued(wanted))
        for row, told in zip(kept, force(context, wanted), strict=True):
            p[row] = [float(np.exp(logprobs.mean())) for logprobs in told]
        for said in say(context, greedy, self.speech.ends, 1, self.rollout.max_tokens):
            for row, text in zip(said.rows, self.speech.decode(said.texts()), strict=True):
                texts[kept[row]] = text
        return texts, p

    def _draw_batch(
        self, prompts: Prompts, batch: Batch, asked: Sequence[Asking], samples: int, seed: int
    ) -> list[Row | str]:
        """Return what was drawn for each question of a batch, or why it was not asked."""
        put, kept, why = prompts.fitting(batch, self.rollout.max_tokens)
        rows: list[Row | str] = [why.get(row, "") for row in range(len(asked))]
        if not kept:
            return rows
        some = [asked[row] for row in kept]
        lengths = put.words["attention_mask"].sum(-1).tolist()
        wanted = [each.forced.branches for each in some]
        context = prefill(self.model, put, self._is_continued(wanted))
        told = force(context, wanted)
        heights = heights_of(seed, [each.question.id for each in some], samples, self.rollout.max_tokens)
        choose = sampler(heights, self.rollout.temperature, self.rollout.top_p)
        for said in say(context, choose, self.speech.ends, samples, self.rollout.max_tokens):
            thoughts = self._thoughts(said, some)
            texts = self.speech.decode(said.texts())
            for at, row in enumerate(said.rows):
                own = texts[at * samples : (at + 1) * samples]
                rows[kept[row]] = self._row(said, at, lengths[row], own, some[row].forced, told[row], thoughts[at])
        return rows

    def _is_continued(self, branches: Sequence[Sequence[Branch]]) -> bool:
        """Tell whether anything follows the first token."""
        return self.rollout.max_tokens > 1 or any(len(branch.all()) > 1 for own in branches for branch in own)

    def _row(
        self,
        said: Said,
        at: int,
        n_prompt: int,
        texts: list[str],
        forced: Forced,
        told: list[np.ndarray],
        thoughts: np.ndarray,
    ) -> Row:
        import numpy as np

        n = said.n_tokens[at]
        is_said = np.arange(said.tokens.shape[-1]) < n[:, None]  # (K, L)
        joint = [-np.inf if place is None else float(told[place].sum()) for place in forced.options]
        # With one token no end is awaited, so nothing is cut off.
        truncated = said.truncated[at] & (self.rollout.max_tokens > 1)
        return Row(
            n_prompt,
            texts,
            n.tolist(),
            truncated.tolist(),
            said.logprobs[at][is_said],
            told[0],
            np.array(joint, float),
            thoughts,
        )

    def _thoughts(self, said: Said, asked: Sequence[Asking]) -> np.ndarray:
        """Return (B, K) mean log-probability of the true answer's tokens after each rollout's own thought."""
        import numpy as np

        found = np.full(said.n_tokens.shape, np.nan)
        if not self.speech.thinks:
            return found
        texts, samples = said.texts(), said.tokens.shape[1]
        branches: list[list[Branch]] = []
        for at, row in enumerate(said.rows):
            own = [
                self.speech.after_thought(asked[row].question, texts[at * samples + sample], sample)
                for sample in range(samples)
            ]
            branches.append([branch for branch in own if branch is not None])
        for at, told in enumerate(force(said.context, branches, samples)):
            for branch, logprobs in zip(branches[at], told, strict=True):
                found[at, branch.sample] = logprobs.mean()
        return found

    def _tell(self, done: int, total: int) -> int:
        if self.progress is not None:
            self.progress(done, total)
        return done


def joined(questions: Sequence[Question], rows: Sequence[Row | str], samples: int) -> Draws:
    """Return the rows of the questions that were asked as one, in their order."""
    import numpy as np

    dropped = {question.id: row for question, row in zip(questions, rows, strict=True) if isinstance(row, str)}
    asked = [row for row in rows if not isinstance(row, str)]
    drawn = Drawn(
        [row.texts for row in asked],
        np.array([row.n_tokens for row in asked], dtype=np.int32).reshape(-1, samples),
        np.array([row.truncated for row in asked], dtype=bool).reshape(-1, samples),
        _end_to_end([row.logprobs for row in asked]),
        _end_to_end([row.answer_logprobs for row in asked]),
        _end_to_end([row.option_logprobs for row in asked]),
        _end_to_end([row.thought_logprobs for row in asked]).reshape(-1, samples),
    )
    n_prompt, n_answer = [row.n_prompt for row in asked], [len(row.answer_logprobs) for row in asked]
    return Draws(drawn, n_prompt, n_answer, dropped)


def _end_to_end(parts: Sequence[np.ndarray]) -> np.ndarray:
    import numpy as np

    return np.concatenate([np.zeros(0), *parts])
