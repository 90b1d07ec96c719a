"""What a processor makes of the pictures of a question, made once for all questions that show the same.

A processor does two things with pictures: tensors, and the run of tokens that stands in a prompt for them. Both depend
on the pictures alone, so both are kept and put together by hand: a scene's frames are read, resized and normalised once
for its forty questions. A test holds that the result is the processor's own, for every family.

Not known here: questions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

MOST_BYTES = 256 << 20  # of tensors kept
OF_TEXT = ("input_ids", "attention_mask")
TYPES = "mm_token_type_ids"  # Qwen-VL: 1 where a token stands for a picture


class Shown(NamedTuple):
    """The pictures of one prompt."""

    n_pictures: int
    tensors: dict[str, torch.Tensor]  # by the model's argument; the first dimension goes on with the next prompt's
    tokens: list[int]  # from the first token of a picture to the last one
    types: list[int] | None

    def n_bytes(self) -> int:
        """Return how large the tensors are."""
        return sum(values.nbytes for values in self.tensors.values())


class Put(NamedTuple):
    """The tensors of some prompts, padded on the left."""

    words: dict[str, Any]  # (B, T) each
    shown: list[Shown]  # what they show, none of it twice
    uses: list[int]  # which of it, for each prompt that shows any

    def pictures(self, uses: Sequence[int]) -> dict[str, Any]:
        """Return the tensors of some of what is shown, as the processor would for prompts that show it."""
        names = self.shown[0].tensors if self.shown else ()
        return {name: end_to_end([self.shown[use].tensors[name] for use in uses]) for name in names}


class Processed:
    """The last pictures that one processor has seen."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self._kept: OrderedDict[Hashable, Shown] = OrderedDict()
        self._n_bytes = 0
        self._lengths: dict[tuple[int, int], int] = {}  # tokens by width and height in px

    def pictures(self, key: Hashable, read: Callable[[], Sequence[Image]]) -> Shown:
        """Return the pictures of a key; `read` gives them where they are not kept."""
        if key not in self._kept:
            self._kept[key] = made = self._process(read())
            self._n_bytes += made.n_bytes()
            while self._n_bytes > MOST_BYTES and len(self._kept) > 1:
                self._n_bytes -= self._kept.popitem(last=False)[1].n_bytes()
        self._kept.move_to_end(key)
        return self._kept[key]

    def n_tokens(self, size: tuple[int, int]) -> int:
        """Return how many tokens a picture of this width and height takes in a prompt."""
        from PIL import Image

        if size not in self._lengths:
            self._lengths[size] = len(self._process([Image.new("RGB", size)]).tokens)
        return self._lengths[size]

    def batch(self, texts: Sequence[Sequence[int]], shown: Sequence[Shown | None], multiple: int) -> Put:
        """Put prompts together.

        Args:
            texts: the tokens of each, with one token a picture.
            shown: its pictures, if any.
            multiple: of which the length will be one.
        """
        import torch

        rows = [self._put_in(text, own) for text, own in zip(texts, shown, strict=True)]
        longest = -(-max(len(tokens) for tokens, _ in rows) // multiple) * multiple
        pad = self.tokenizer.pad_token_id or 0  # some have none; what stands there is never seen
        words: dict[str, Any] = {
            "input_ids": torch.tensor([[pad] * (longest - len(tokens)) + tokens for tokens, _ in rows]),
            "attention_mask": torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens, _ in rows]),
        }
        pictures = [own for own in shown if own is not None]
        if any(own.types is not None for own in pictures):
            words[TYPES] = torch.tensor([[0] * (longest - len(types)) + types for _, types in rows])
        once = {id(own): own for own in pictures}
        place = {key: index for index, key in enumerate(once)}
        return Put(words, list(once.values()), [place[id(own)] for own in pictures])

    def _process(self, pictures: Sequence[Image]) -> Shown:
        user = {"role": "user", "content": [{"type": "image"}] * len(pictures)}
        text = self.processor.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
        made = self.processor(text=[text], images=[list(pictures)], return_tensors="pt")
        start, end = self._span(self.tokenizer(text)["input_ids"])
        whole = made["input_ids"][0].tolist()
        after = len(self.tokenizer(text)["input_ids"]) - end
        types = made[TYPES][0].tolist()[start : len(whole) - after] if TYPES in made else None
        tensors = {name: values for name, values in made.items() if name not in (*OF_TEXT, TYPES)}
        return Shown(len(pictures), tensors, whole[start : len(whole) - after], types)

    def _put_in(self, text: Sequence[int], shown: Shown | None) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt with those of its pictures, and their types."""
        if shown is None:
            return list(text), [0] * len(text)
        start, end = self._span(text)
        tokens = [*text[:start], *shown.tokens, *text[end:]]
        types = shown.types or [0] * len(shown.tokens)
        return tokens, [0] * start + types + [0] * (len(text) - end)

    def _span(self, text: Sequence[int]) -> tuple[int, int]:
        """Return where the first picture's token stands, and where the text goes on after the last one."""
        places = [place for place, token in enumerate(text) if token == self.processor.image_token_id]
        return places[0], places[-1] + 1


def end_to_end(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return tensors as one, along the first dimension; zeros fill the others up to the largest.

    As Idefics3 pads prompts that show fewer pictures than others of a batch; other families lay all patches end to end.
    """
    import torch

    largest = [max(part.shape[axis] for part in parts) for axis in range(1, parts[0].ndim)]
    if all(list(part.shape[1:]) == largest for part in parts):
        return torch.cat(list(parts))
    whole = parts[0].new_zeros([sum(len(part) for part in parts), *largest])
    at = 0
    for part in parts:
        whole[(slice(at, at + len(part)), *(slice(0, n) for n in part.shape[1:]))] = part
        at += len(part)
    return whole
