"""A batch of prompts, read once by a model, and everything that may follow them.

Continuations of a prompt are branches of it: they lie side by side in the same row of the key-value cache, and an
attention mask keeps each from seeing the others. So the cache of a prompt is there once, however many samples are drawn
and however many answers are forced.

Positions are given, never left to the model: a prompt starts at 0 whatever padding stands before it, so that its
neighbours in a batch change nothing but float noise. Models of the Qwen-VL family count a picture's positions in three
axes; their text goes on after the largest of them.

Not known here: questions, words, and what a token means.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.policy.lora import is_adapted
from nodes.policy.shown import Put

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

MOST_NUMBERS = 1 << 24  # of float64 at once, where probabilities of a whole vocabulary are worked out


class Context:
    """What B prompts of at most T tokens left in the model.

    `logits` (B, V) float32 of the token that comes first after each prompt. `cache` holds T keys a row, then those of
    `n_after` tokens of branches.
    """

    def __init__(self, model: Any, logits: torch.Tensor, cache: Any, is_key: torch.Tensor, start: torch.Tensor) -> None:
        """`is_key` (B, T) is false for padding; `start` (B,) is the position after each prompt."""
        self.model, self.logits, self.cache = model, logits, cache
        self._is_key, self._start = is_key, start
        self.n_after = 0

    def extend(self, tokens: torch.Tensor, offsets: torch.Tensor, is_seen: torch.Tensor) -> torch.Tensor:
        """Read N more tokens a row and keep their keys.

        Args:
            tokens: (B, N) int64.
            offsets: (B, N) int64, how many tokens of its branch come before each.
            is_seen: (B, N, n_after + N) bool, which tokens after the prompt each one sees, itself among them.
        Returns:
            (B, N, V) logits of the tokens that come next, in the model's own type.
        """
        import torch

        prompt = self._is_key[:, None].expand(-1, tokens.shape[1], -1)
        seen = torch.cat([prompt, is_seen], dim=-1)[:, None]  # (B, 1, N, T + n_after + N)
        # Added to the scores rather than true or false: the only form that every attention of transformers takes.
        mask = torch.zeros_like(seen, dtype=self.model.dtype).masked_fill(~seen, torch.finfo(self.model.dtype).min)
        with torch.no_grad():
            out = self.model(
                input_ids=tokens,
                position_ids=self._start[:, None] + offsets,
                attention_mask=mask,
                past_key_values=self.cache,
                use_cache=True,
            )
        self.n_after += tokens.shape[1]
        logits: torch.Tensor = out.logits
        return logits

    def forget(self, n: int) -> None:
        """Drop the last n tokens of every row."""
        self.cache.crop(-n)
        self.n_after -= n

    def split(self, rows: torch.Tensor) -> Context:
        """Return a copy of some rows, (B',) int64."""
        import copy

        cache = copy.copy(self.cache)
        cache.layers = [copy.copy(layer) for layer in self.cache.layers]
        cache.batch_select_indices(rows)
        part = Context(self.model, self.logits[rows], cache, self._is_key[rows], self._start[rows])
        part.n_after = self.n_after
        return part


class Branch(NamedTuple):
    """A continuation that is forced: `lead` is read and not counted, then the log-probability of `tokens` is wanted.

    It follows its prompt, or the first `seen` tokens that `sample` said after the prompt.
    """

    tokens: tuple[int, ...]
    lead: tuple[int, ...] = ()
    sample: int = 0
    seen: int = 0

    def all(self) -> tuple[int, ...]:
        """Return what comes after what it follows."""
        return self.lead + self.tokens


def prefill(model: Any, put: Put, keep: bool = True) -> Context:
    """Read a batch of prompts.

    Args:
        keep: whether anything follows; without, there is no cache.
    Raises:
        ValueError: the model gives NaN, of which no token can be drawn.
    """
    import torch

    net = model.get_base_model() if is_adapted(model) else model
    words = on(model.device, put.words)
    positions, start = prompt_positions(net, words, put)
    with torch.no_grad():
        seen = see(net, put)
        out = model(**words, **seen, position_ids=positions, logits_to_keep=1, use_cache=keep)
    is_key, logits = words["attention_mask"].bool(), out.logits[:, -1].float()
    if logits.isnan().any():
        raise ValueError(f"the policy gives NaN in {model.dtype}, expected numbers: its training has diverged")
    return Context(model, logits, out.past_key_values if keep else None, is_key, start)


def see(net: Any, put: Put) -> dict[str, Any]:
    """Return the model's arguments for what prompts show; what several of them show is seen once."""
    if not put.shown:
        return {}
    if len(put.uses) == len(put.shown):
        return on(net.device, put.pictures(put.uses))
    features = net.model.get_image_features(**on(net.device, put.pictures(range(len(put.shown)))), return_dict=True)
    # By prompt in Idefics3 and SmolVLM, else by picture.
    is_by_prompt = len(features.pooler_output) == len(put.shown)
    counts = [1 if is_by_prompt else shown.n_pictures for shown in put.shown]
    ends = list(accumulate(counts))
    order = [place for use in put.uses for place in range(ends[use] - counts[use], ends[use])]
    features.pooler_output = [features.pooler_output[place] for place in order]
    if "deepstack_features" in features:  # Qwen3-VL: by layer
        features.deepstack_features = [[layer[place] for place in order] for layer in features.deepstack_features]
    return {"mm_encoder_outputs": {"image": features}}


def on(device: Any, tensors: dict[str, Any]) -> dict[str, Any]:
    """Return tensors on a device."""
    return {name: values.to(device) for name, values in tensors.items()}


def prompt_positions(net: Any, words: dict[str, Any], put: Put) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of B prompts, (B, T) or by axis (3, B, T), and (B,) those that come after them."""
    mask = words["attention_mask"]
    if put.shown and hasattr(net.model, "get_rope_index"):
        grid = on(mask.device, put.pictures(put.uses))["image_grid_thw"]
        positions, _ = net.model.get_rope_index(**words, image_grid_thw=grid)
        largest = positions.amax(0)  # (B, T)
    else:
        positions = largest = (mask.cumsum(-1) - 1).clamp(min=0)
    return positions, largest.masked_fill(mask == 0, 0).amax(-1) + 1


def force(context: Context, branches: Sequence[Sequence[Branch]], samples: int = 1) -> list[list[np.ndarray]]:
    """Return the log-probability of every token of every branch, teacher-forced at temperature 1.

    Args:
        branches: those of each row, in any number.
        samples: how many samples a row the tokens after the prompt belong to, one token a sample in turn.
    Returns:
        A row's branches in order, each (len(branch.tokens),) float64 nats.
    """
    import torch

    rows = [[(branch, branch.all()) for branch in row] for row in branches]
    width = max((sum(len(words) - 1 for _, words in row) for row in rows), default=0)
    first = log_probabilities(context.logits)  # (B, V)
    following = None
    if width:
        layout = _lay_out(rows, width, context.n_after, samples)
        device = context.logits.device
        tokens, offsets, is_seen, targets = (torch.from_numpy(values).to(device) for values in layout)
        logits = context.extend(tokens, offsets, is_seen)
        context.forget(width)
        following = picked(logits, targets).cpu().numpy()  # (B, N)
    found = []
    for index, row in enumerate(rows):
        found.append(_read(row, first[index], None if following is None else following[index]))
    return found


def _lay_out(
    rows: Sequence[Sequence[tuple[Branch, tuple[int, ...]]]], width: int, before: int, samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return tokens, offsets, is_seen as `Context.extend` takes them, and (B, N) the tokens that follow each."""
    import numpy as np

    tokens = np.zeros((len(rows), width), dtype=np.int64)
    offsets, targets = np.zeros_like(tokens), np.zeros_like(tokens)
    is_seen = np.zeros((len(rows), width, before + width), dtype=bool)
    said_at, said_by = np.divmod(np.arange(before), samples)
    for index, row in enumerate(rows):
        at = 0
        for branch, words in row:
            n = len(words) - 1
            tokens[index, at : at + n] = words[:-1]
            targets[index, at : at + n] = words[1:]
            offsets[index, at : at + n] = branch.seen + np.arange(n)
            is_seen[index, at : at + n, :before] = (said_by == branch.sample) & (said_at < branch.seen)
            is_seen[index, at : at + n, before + at : before + at + n] = np.tri(n, dtype=bool)
            at += n
    return tokens, offsets, is_seen, targets


def _read(
    row: Sequence[tuple[Branch, tuple[int, ...]]], first: torch.Tensor, following: np.ndarray | None
) -> list[np.ndarray]:
    import numpy as np

    found, at = [], 0
    for branch, words in row:
        after = following[at : at + len(words) - 1] if following is not None else np.zeros(0)
        at += len(words) - 1
        if branch.lead:
            found.append(after[len(branch.lead) - 1 :])
        else:
            found.append(np.concatenate([[float(first[words[0]])], after]))
    return found


def log_probabilities(logits: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return float64 nats of the same shape."""
    return (logits.float() / temperature).double().log_softmax(-1)


def picked(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of one token at each place: logits (..., V), tokens (...) -> (...) float64.

    By parts, so that a large vocabulary is never there whole in float64.
    """
    import torch

    size = logits.shape[-1]
    parts = zip(
        logits.reshape(-1, size).split(max(1, MOST_NUMBERS // size)),
        tokens.reshape(-1, 1).split(max(1, MOST_NUMBERS // size)),
        strict=True,
    )
    return torch.cat([log_probabilities(part).gather(-1, token) for part, token in parts]).reshape(tokens.shape)
