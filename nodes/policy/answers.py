"""What a policy answers: drawn, best, and how probable it holds the true answer.

An answer of one token (`max_tokens = 1`) needs a single prefill: its whole distribution is the softmax of the last
position, from which answers are drawn and the best is taken; a question's draws then come from (seed, question id)
alone, so another room in the pool changes no other room's rollouts. Longer ones go through `generate` by batches, and
their draws depend on the questions beside them.

Not known here: rewards, and what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nodes.policy.policy import Policy, load_model
from nodes.policy.rollout import Pictures, Rollout, check_frames, prompt_messages
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np
    import torch

    from graph.node import Progress
    from nodes.questions.question import Question, QuestionPool

LENGTH_MULTIPLE = 16  # prompts of a batch are padded to it: fewer shapes, so a row depends less on its neighbours


class Draws(NamedTuple):
    """Rollouts of Q questions, K each."""

    texts: list[list[str]]
    logprobs: np.ndarray  # (Q, K) float64, nats: of the whole drawn text, at the sampling temperature
    p_answer: np.ndarray  # (Q,) float64: geometric mean probability of the true answer's tokens, at temperature 1


class Best(NamedTuple):
    """The greedy answers of Q questions."""

    texts: list[str]
    p_answer: np.ndarray  # (Q,) float64, as in Draws


class Answerer(Protocol):
    """Anything that answers questions."""

    def draw(self, questions: Sequence[Question], pool: QuestionPool | None, samples: int, seed: int) -> Draws:
        """Draw `samples` answers a question; without a pool, blind."""

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        """Answer greedily; without a pool, blind."""


def open_answerer(policy: Policy, rollout: Rollout, batch: int, progress: Progress | None = None) -> Answerer:
    """Return what answers for a policy; `batch` questions are put at a time."""
    if policy.family == "scripted":
        from nodes.policy.scripted import Script

        return Script(policy.rates)
    return ModelAnswerer(policy, rollout, batch, progress)


class ModelAnswerer:
    """Answers with a transformers model on the CPU."""

    def __init__(self, policy: Policy, rollout: Rollout, batch: int, progress: Progress | None = None) -> None:
        self.model, self.processor = load_model(policy)
        # A folder's own top_p or repetition penalty would make this another policy than the one that is trained.
        ends = {name: getattr(self.model.generation_config, name) for name in ("pad_token_id", "eos_token_id")}
        self.model.generation_config = type(self.model.generation_config)(**ends)
        self.rollout, self.batch, self.progress = rollout, batch, progress

    def draw(self, questions: Sequence[Question], pool: QuestionPool | None, samples: int, seed: int) -> Draws:
        """Draw `samples` answers a question; without a pool, blind."""
        import numpy as np

        parts = []
        for chunk, inputs in self._batches(questions, pool):
            if self.rollout.max_tokens == 1:
                parts.append(self._draw_one_token(chunk, inputs, samples, seed))
            else:
                parts.append(self._draw_long(chunk, inputs, samples, seed))
        texts = [row for part in parts for row in part.texts]
        if not parts:
            return Draws([], np.zeros((0, samples)), np.zeros(0))
        return Draws(texts, np.concatenate([p.logprobs for p in parts]), np.concatenate([p.p_answer for p in parts]))

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        """Answer greedily; without a pool, blind."""
        import numpy as np
        import torch

        texts: list[str] = []
        p_answer = [np.zeros(0)]
        for chunk, inputs in self._batches(questions, pool):
            if self.rollout.max_tokens == 1:
                logits = self._next_logits(inputs)  # (B, V)
                tokens = logits.argmax(-1, keepdim=True)
                p_answer.append(self._first_token_p(chunk, logits))
            else:
                with torch.no_grad():
                    said = self.model.generate(**inputs, do_sample=False, max_new_tokens=self.rollout.max_tokens)
                tokens = said[:, inputs["input_ids"].shape[1] :]
                p_answer.append(self._forced_p(chunk, inputs))
            texts += self._decode(tokens)
        return Best(texts, np.concatenate(p_answer))

    def _draw_one_token(self, chunk: Sequence[Question], inputs: Any, samples: int, seed: int) -> Draws:
        import numpy as np

        logits = self._next_logits(inputs)
        cold = (logits / self.rollout.temperature).double().log_softmax(-1).numpy()  # (B, V)
        heights = np.stack([uniform(seed, question.id, samples) for question in chunk])  # (B, K)
        cumulative = np.exp(cold).cumsum(-1)
        cumulative /= cumulative[:, -1:]
        tokens = (heights[:, :, None] >= cumulative[:, None, :]).sum(-1)  # (B, K): inverse of the distribution function
        logprobs = np.take_along_axis(cold, tokens, axis=1)
        words = self._decode_each(tokens)
        return Draws(words, logprobs, self._first_token_p(chunk, logits))

    def _draw_long(self, chunk: Sequence[Question], inputs: Any, samples: int, seed: int) -> Draws:
        import torch

        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(_number(seed, *(question.id for question in chunk)) % 2**63)
            out = self.model.generate(
                **inputs,
                do_sample=True,
                temperature=self.rollout.temperature,
                top_k=0,
                max_new_tokens=self.rollout.max_tokens,
                num_return_sequences=samples,
                return_dict_in_generate=True,
                output_logits=True,
            )
        tokens = out.sequences[:, inputs["input_ids"].shape[1] :]  # (B * K, L)
        steps = torch.stack(out.logits, dim=1) / self.rollout.temperature  # (B * K, L, V)
        each = steps.double().log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
        total = (each * self._said(tokens)).sum(-1).reshape(len(chunk), samples)
        texts = self._decode(tokens)
        rows = [texts[row * samples : (row + 1) * samples] for row in range(len(chunk))]
        return Draws(rows, total.numpy(), self._forced_p(chunk, inputs))

    def _batches(
        self, questions: Sequence[Question], pool: QuestionPool | None
    ) -> Iterator[tuple[Sequence[Question], Any]]:
        check_frames(questions, self.rollout)
        pictures = None if pool is None else Pictures(pool)
        for start in range(0, len(questions), self.batch):
            chunk = questions[start : start + self.batch]
            yield chunk, self._inputs(chunk, pictures)
            if self.progress is not None:
                self.progress(start + len(chunk), len(questions))

    def _inputs(self, chunk: Sequence[Question], pictures: Pictures | None) -> Any:
        images = None if pictures is None else [pictures.of(question) for question in chunk]
        if not any(images or ()):  # processors take rows without pictures, but no batch without any
            images = None
        texts = [
            self.processor.apply_chat_template(
                prompt_messages(question, images and images[row]), add_generation_prompt=True, tokenize=False
            )
            for row, question in enumerate(chunk)
        ]
        return self.processor(
            text=texts,
            images=images,
            padding=True,
            padding_side="left",
            pad_to_multiple_of=LENGTH_MULTIPLE,
            return_tensors="pt",
        )

    def _next_logits(self, inputs: Any) -> torch.Tensor:
        """Return (B, V) float32 logits of the first answer token."""
        import torch

        with torch.no_grad():
            return self.model(**inputs, logits_to_keep=1, use_cache=False).logits[:, -1].float()

    def _first_token_p(self, chunk: Sequence[Question], logits: torch.Tensor) -> np.ndarray:
        import numpy as np

        p = logits.double().softmax(-1).numpy()  # (B, V)
        return np.array([p[row, self._answer_tokens(question)[0]] for row, question in enumerate(chunk)])

    def _answer_tokens(self, question: Question) -> list[int]:
        """Return the tokens of the true answer. Raises ValueError if the rollout leaves no room for them."""
        tokens: list[int] = self.processor.tokenizer(question.answer, add_special_tokens=False)["input_ids"]
        if len(tokens) > self.rollout.max_tokens:
            raise ValueError(
                f"question {question.id!r}: answer {question.answer!r} is {len(tokens)} tokens,"
                f" expected at most rollout.max_tokens = {self.rollout.max_tokens}"
            )
        return tokens

    def _forced_p(self, chunk: Sequence[Question], inputs: Any) -> np.ndarray:
        """Return p_geo (B,): geometric mean probability of the answer's tokens, teacher-forced, without the end."""
        import numpy as np
        import torch

        answers = [self._answer_tokens(question) for question in chunk]
        longest = max(map(len, answers))
        pad = self.processor.tokenizer.pad_token_id
        forced = torch.tensor([tokens + [pad] * (longest - len(tokens)) for tokens in answers])  # (B, L)
        given = dict(inputs)
        given["input_ids"] = torch.cat([inputs["input_ids"], forced], dim=1)
        given["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(forced)], dim=1)
        if "mm_token_type_ids" in given:
            given["mm_token_type_ids"] = torch.cat([given["mm_token_type_ids"], torch.zeros_like(forced)], dim=1)
        with torch.no_grad():
            logits = self.model(**given, logits_to_keep=longest + 1, use_cache=False).logits[:, :-1]  # (B, L, V)
        each = logits.double().log_softmax(-1).gather(-1, forced[..., None])[..., 0].numpy()
        return np.array([np.exp(each[row, : len(tokens)].mean()) for row, tokens in enumerate(answers)])

    def _said(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return (N, L) bool: true up to and with the first end token."""
        ended = tokens == self.processor.tokenizer.eos_token_id
        return ended.int().cumsum(1) - ended.int() == 0

    def _decode(self, tokens: Any) -> list[str]:
        texts: list[str] = self.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _decode_each(self, tokens: np.ndarray) -> list[list[str]]:
        known = {int(token): self._decode([[int(token)]])[0] for token in set(tokens.ravel().tolist())}
        return [[known[token] for token in row] for row in tokens.tolist()]


def uniform(seed: int, question_id: str, samples: int) -> np.ndarray:
    """Return (samples,) uniform numbers in [0, 1) that belong to this question."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(_number(seed, question_id))).random(samples)


def _number(*words: object) -> int:
    return int(digest("\n".join(map(str, words)).encode())[:32], 16)
