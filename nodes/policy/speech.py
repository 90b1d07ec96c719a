"""What a policy would say, in tokens: true answers, options, ends, and the answer after a thought of its own.

An answer in tokens is what the chat template makes of it after the prompt ("Assistant:" is followed by " A" in some),
and ends with the token that closes a turn. Under the template `think` it stands inside `<answer>`: the opening tag is
read and not counted, and the end is the first token of the closing one. With `max_tokens = 1` the first token is the
answer, and no end is awaited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.policy.prefill import Branch
from nodes.policy.rollout import Rollout
from nodes.questions.question import is_lettered

if TYPE_CHECKING:
    from nodes.questions.question import Question

THOUGHT_END, ANSWER_START, ANSWER_END = "</think>", "<answer>", "</answer>"
PROBE = "answer"  # a word to find in what a chat template makes of a conversation


class Forced(NamedTuple):
    """The branches of one question: its true answer first, then its options, none of them twice.

    `options` are their places among the branches; None for one that cannot be said in the tokens there are.
    """

    branches: list[Branch]
    options: list[int | None]


class Speech:
    """The tokens of a policy's answers."""

    def __init__(self, processor: Any, generation: Any, rollout: Rollout) -> None:
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self.rollout = rollout
        before, after = _around_answers(processor)
        own = generation.eos_token_id
        ends = own if isinstance(own, list) else [own, self.tokenizer.eos_token_id]
        self.ends = {int(end) for end in ends if end is not None}
        closing = self.ids(after)[:1] if after else []
        self.end = closing[0] if closing and closing[0] in self.ends else self.tokenizer.eos_token_id
        self._before = before
        self._lead: tuple[int, ...] = ()
        self._known: dict[str, tuple[int, ...]] = {}
        if self.thinks:
            self._lead, self._before, self.end = self.ids(before + ANSWER_START), "", self.ids(ANSWER_END)[0]

    @property
    def thinks(self) -> bool:
        """Tell whether a thought comes before the answer."""
        return self.rollout.template == "think" and self.rollout.max_tokens > 1

    def ids(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text alone."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def answer(self, question: Question) -> Branch:
        """Return the true answer, without its end. Raises ValueError if it has no token, or the rollout no room."""
        tokens = self._tokens(question.answer)
        if not tokens:
            raise ValueError(f"question {question.id!r}: answer {question.answer!r} has no token, expected some text")
        if len(tokens) > self.rollout.max_tokens:
            raise ValueError(
                f"question {question.id!r}: answer {question.answer!r} is {len(tokens)} tokens,"
                f" expected at most rollout.max_tokens = {self.rollout.max_tokens}"
            )
        return Branch(tokens, self._lead)

    def forced(self, question: Question) -> Forced:
        """Return what is to be forced for a question: its answer and its options, each with its end."""
        branches = [self._ended(self.answer(question))]
        options: list[int | None] = []
        for said in spoken_options(question):
            tokens = self._tokens(said)
            if not tokens or (self.rollout.max_tokens == 1 and len(tokens) > 1):
                options.append(None)
                continue
            branch = self._ended(Branch(tokens, self._lead))
            if branch not in branches:
                branches.append(branch)
            options.append(branches.index(branch))
        return Forced(branches, options)

    def after_thought(self, question: Question, said: Sequence[int], sample: int) -> Branch | None:
        """Return the true answer after a rollout's own thought; None for a rollout whose thought has no end."""
        n = self._thought_length(said)
        if n is None:
            return None
        # A thought's last token is read anew: the last one of a rollout has no key in the cache yet. The line break is
        # that of the traces which SFT teaches.
        lead = (said[n - 1], *self.ids("\n" + ANSWER_START))
        return Branch(self.answer(question).tokens, lead, sample, seen=n - 1)

    def decode(self, texts: Sequence[Sequence[int]]) -> list[str]:
        """Return texts without special tokens and white space around them."""
        known = {tuple(tokens): "" for tokens in texts}
        said = self.tokenizer.batch_decode([list(tokens) for tokens in known], skip_special_tokens=True)
        known = dict(zip(known, said, strict=True))
        return [known[tuple(tokens)].strip() for tokens in texts]

    def _ended(self, branch: Branch) -> Branch:
        return branch if self.rollout.max_tokens == 1 else branch._replace(tokens=(*branch.tokens, self.end))

    def _tokens(self, answer: str) -> tuple[int, ...]:
        if answer not in self._known:
            self._known[answer] = self.ids(self._before + answer)
        return self._known[answer]

    def _thought_length(self, said: Sequence[int]) -> int | None:
        """Return how many tokens a thought takes with its closing tag, by halving."""
        if THOUGHT_END not in self._plain(said):
            return None
        low, high = 1, len(said)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if THOUGHT_END in self._plain(said[:middle]) else (middle + 1, high)
        return low

    def _plain(self, tokens: Sequence[int]) -> str:
        # A tokenizer of words puts spaces between the parts of a tag; tags of one token may count as special.
        return "".join(self.tokenizer.decode(list(tokens)).split())


def spoken_options(question: Question) -> list[str]:
    """Return the options as the policy would say them: letters of lettered ones, else the words."""
    return [option[0] for option in question.options] if is_lettered(question.options) else list(question.options)


def _around_answers(processor: Any) -> tuple[str, str]:
    """Return what a chat template puts between the end of the prompt and an answer, and after the answer."""
    user = {"role": "user", "content": [{"type": "text", "text": "?"}]}
    answer = {"role": "assistant", "content": [{"type": "text", "text": PROBE}]}
    asked = processor.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
    whole = processor.apply_chat_template([user, answer], tokenize=False)
    if not whole.startswith(asked) or PROBE not in whole[len(asked) :]:
        return "", ""
    before, after = whole[len(asked) :].split(PROBE, 1)
    return before, after
