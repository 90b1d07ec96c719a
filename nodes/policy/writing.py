"""Free text from a policy: a model, a server, or completions that were recorded. Nothing is known here of what for.

A request is one user turn, its pictures before its text. What a model writes comes from (seed, request) alone: requests
are put one at a time, so another one beside it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

from msgspec import Meta, Struct

from nodes.policy.policy import Policy, load_model
from nodes.policy.server import Server, ServerWriter
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np


class Sampling(Struct, frozen=True, forbid_unknown_fields=True):
    """How text is drawn."""

    temperature: Annotated[float, Meta(ge=0, le=2, description="0: the most probable text")] = 0.7
    top_p: Annotated[float, Meta(gt=0, le=1, description="share of the probability that is drawn from")] = 0.95
    max_tokens: Annotated[int, Meta(ge=1, le=65536, description="longest text", extra={"unit": "tokens"})] = 2048
    device: Annotated[
        Literal["cpu", "cuda", "auto"], Meta(description="of a model; auto: a GPU where there is one")
    ] = "cpu"
    dtype: Annotated[Literal["float32", "bfloat16"], Meta(description="of a model while it computes")] = "float32"


class Request(NamedTuple):
    """What is asked. `purpose`, `scene` and `names`, the labels that may be named, are for recorded completions."""

    text: str
    images: Sequence[np.ndarray] = ()  # (H, W, 3) uint8
    purpose: Literal["propose", "judge"] = "propose"
    scene: str = ""
    names: tuple[str, ...] = ()


class Writer(Protocol):
    """Anything that writes."""

    def write(self, requests: Sequence[Request], sampling: Sampling, samples: int, seed: int) -> list[list[str]]:
        """Return `samples` texts a request."""


def open_writer(policy: Policy | None, server: Server | None, sampling: Sampling) -> Writer:
    """Return what writes for a policy or through a server. Raises ValueError unless it is given exactly one."""
    if (policy is None) == (server is None):
        given = "both" if policy is not None else "neither"
        raise ValueError(f"{given} of input policy and params.server: expected one of the two")
    if server is not None:
        return ServerWriter(server)
    assert policy is not None
    if policy.family == "recorded":
        from nodes.policy.recorded import Recording

        return Recording(policy)
    if policy.family == "scripted":
        raise ValueError("policy of family 'scripted' answers and does not write, expected 'recorded' or a model")
    if policy.digest is None:
        return ModelWriter(policy, sampling.device, sampling.dtype)
    key = policy.digest, sampling.device, sampling.dtype
    if key not in _kept:  # scene after scene asks the same one in a process
        _kept.clear()
        _kept[key] = ModelWriter(policy, sampling.device, sampling.dtype)
    return _kept[key]


_kept: dict[tuple[str, str, str], ModelWriter] = {}


class ModelWriter:
    """Writes with a transformers model."""

    def __init__(self, policy: Policy, device: str = "cpu", dtype: str = "float32") -> None:
        self.model, self.processor = load_model(policy, device, dtype)
        ends = {name: getattr(self.model.generation_config, name) for name in ("pad_token_id", "eos_token_id")}
        self.model.generation_config = type(self.model.generation_config)(**ends)

    def write(self, requests: Sequence[Request], sampling: Sampling, samples: int, seed: int) -> list[list[str]]:
        """Return `samples` texts a request."""
        return [self._write(request, sampling, samples, seed) for request in requests]

    def _write(self, request: Request, sampling: Sampling, samples: int, seed: int) -> list[str]:
        import torch

        inputs = self._inputs(request).to(self.model.device, self.model.dtype)  # pictures in the model's type
        how = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
        if sampling.temperature == 0:
            how = {"do_sample": False}
        n_drawn = samples if sampling.temperature else 1
        number = int(digest(f"{seed}\n{request.text}".encode())[:15], 16)
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(number)
            out = self.model.generate(**inputs, max_new_tokens=sampling.max_tokens, num_return_sequences=n_drawn, **how)
        said = out[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self.processor.tokenizer.batch_decode(said, skip_special_tokens=True)
        return texts if sampling.temperature else texts * samples

    def _inputs(self, request: Request) -> Any:
        from PIL import Image

        images = [Image.fromarray(image) for image in request.images]
        content = [*({"type": "image", "image": image} for image in images), {"type": "text", "text": request.text}]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return self.processor(text=[text], images=[images] if images else None, return_tensors="pt")
