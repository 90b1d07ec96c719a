"""Draw what comes after prompts, token by token, with numbers that belong to each question alone.

A token is the one at which the cumulative probability first exceeds a uniform number of its question: the numbers come
from (seed, question id), never from a generator that a batch shares. The first K of them draw the K first tokens, the
next K the second ones: answers of one token are the beginnings of longer ones.

`top_p` draws from the smallest set of tokens that holds that share (Holtzman et al., arXiv:1904.09751).
Log-probabilities are those at the sampling temperature over the whole vocabulary, before that cut: what GRPO compares
with its own, and what says how probable the policy held a text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from nodes.policy.prefill import MOST_NUMBERS, Context, log_probabilities
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np
    import torch

# (number of the token, (B,) rows, (B, K or 1, V) logits) -> tokens and their log-probabilities, both (B, K)
Choose: TypeAlias = "Callable[[int, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]"


class Said(NamedTuple):
    """What was said after some of a batch's prompts."""

    rows: list[int]
    context: Context  # of these rows, with the keys of every token that was said but the last
    tokens: np.ndarray  # (B, K, L) int64; what stands after an end means nothing
    logprobs: np.ndarray  # (B, K, L) float64
    n_tokens: np.ndarray  # (B, K) int32, with the end
    truncated: np.ndarray  # (B, K) bool

    def texts(self) -> list[tuple[int, ...]]:
        """Return the tokens of every text up to its end, a row's K after one another."""
        flat, counts = self.tokens.reshape(-1, self.tokens.shape[-1]).tolist(), self.n_tokens.ravel().tolist()
        return [tuple(tokens[:n]) for tokens, n in zip(flat, counts, strict=True)]


def uniform(seed: int, question_id: str, samples: int, tokens: int = 1) -> np.ndarray:
    """Return (tokens, samples) uniform numbers in [0, 1) that belong to this question; (samples,) for one token."""
    import numpy as np

    number = int(digest(f"{seed}\n{question_id}".encode())[:32], 16)
    drawn: np.ndarray = np.random.Generator(np.random.PCG64(number)).random((tokens, samples))
    return drawn[0] if tokens == 1 else drawn


def sampler(heights: np.ndarray, temperature: float, top_p: float) -> Choose:
    """Return a choice at random.

    Args:
        heights: (L, B, K) uniform numbers.
    """
    import torch

    def choose(step: int, rows: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        here = torch.from_numpy(heights[step]).to(logits.device)[rows]  # (B, K)
        flat = logits.reshape(-1, logits.shape[-1])  # (B * K or B, V)
        per_row = here.reshape(len(flat), -1)  # each row of logits is drawn from K times or once
        size = max(1, MOST_NUMBERS // flat.shape[-1])
        drawn = [
            draw_tokens(part, height, temperature, top_p)
            for part, height in zip(flat.split(size), per_row.split(size), strict=True)
        ]
        tokens, logprobs = (torch.cat(column).reshape(here.shape) for column in zip(*drawn, strict=True))
        return tokens, logprobs

    return choose


def greedy(step: int, rows: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose the most probable token; its log-probability is not worked out."""
    tokens = logits.argmax(-1)
    return tokens, tokens.double() * 0


def draw_tokens(
    logits: torch.Tensor, heights: torch.Tensor, temperature: float, top_p: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and their log-probabilities, (N, S), for logits (N, V) and uniform numbers (N, S)."""
    import torch

    logprobs = log_probabilities(logits, temperature)
    p = logprobs.exp()
    if top_p < 1:
        p = nucleus(p, top_p)
    cumulative = p.cumsum(-1)
    cumulative /= cumulative[:, -1:].clone()
    tokens = torch.searchsorted(cumulative, heights.contiguous(), right=True)  # inverse of the distribution function
    return tokens, logprobs.gather(-1, tokens)


def nucleus(p: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return (N, V) probabilities with all set to 0 but the largest, as few as hold `top_p` of each row."""
    import torch

    largest, order = p.sort(dim=-1, descending=True, stable=True)
    before = largest.cumsum(-1) - largest
    return torch.zeros_like(p).scatter(-1, order, largest.masked_fill(before >= top_p, 0))


def say(context: Context, choose: Choose, ends: Collection[int], samples: int, limit: int) -> Iterator[Said]:
    """Say `samples` texts of at most `limit` tokens after every prompt; yield rows as they end.

    Rows that have ended leave when they are half of those that are still read, so a long text does not pay for short
    ones; there is one cache more in memory then, of the rows that go on.
    """
    import torch

    device = context.logits.device
    ids = torch.tensor(sorted(ends), device=device)
    rows = torch.arange(len(context.logits), device=device)
    token, logprob = choose(0, rows, context.logits[:, None])
    tokens, logprobs = token[..., None], logprob[..., None]  # (B, K, 1)
    ended = torch.isin(token, ids)
    for step in range(1, limit):
        going = ~ended.all(-1)
        if not going.any():
            break
        if 2 * int(going.sum()) <= len(rows):
            gone, kept = (~going).nonzero()[:, 0], going.nonzero()[:, 0]
            yield _said(rows[gone], context.split(gone), tokens[gone], logprobs[gone], ids)
            context = context.split(kept)
            rows, tokens, logprobs, ended = rows[kept], tokens[kept], logprobs[kept], ended[kept]
        logits = _read_next(context, tokens[..., -1], step - 1)
        token, logprob = choose(step, rows, logits)
        tokens, logprobs = torch.cat([tokens, token[..., None]], -1), torch.cat([logprobs, logprob[..., None]], -1)
        ended = ended | torch.isin(token, ids)
    yield _said(rows, context, tokens, logprobs, ids)


def _read_next(context: Context, tokens: torch.Tensor, offset: int) -> torch.Tensor:
    """Read one token (B, K) of every sample, `offset` of its text; each sees the earlier ones of its own alone."""
    import torch

    rows, samples = tokens.shape
    own = torch.eye(samples, dtype=torch.bool, device=tokens.device).repeat(1, offset + 1)  # (K, (offset + 1) * K)
    return context.extend(tokens, torch.full_like(tokens, offset), own.expand(rows, -1, -1))


def _said(
    rows: torch.Tensor, context: Context, tokens: torch.Tensor, logprobs: torch.Tensor, ends: torch.Tensor
) -> Said:
    import torch

    is_end = torch.isin(tokens, ends)  # (B, K, L)
    ended = is_end.any(-1)
    n = torch.where(ended, is_end.int().argmax(-1) + 1, tokens.shape[-1])
    return Said(
        rows.tolist(),
        context,
        tokens.cpu().numpy(),
        logprobs.cpu().numpy(),
        n.int().cpu().numpy(),
        (~ended).cpu().numpy(),
    )


def heights_of(seed: int, ids: Sequence[str], samples: int, tokens: int) -> np.ndarray:
    """Return (tokens, len(ids), samples) uniform numbers, each question's own."""
    import numpy as np

    return np.stack([uniform(seed, name, samples, tokens).reshape(tokens, samples) for name in ids], axis=1)
