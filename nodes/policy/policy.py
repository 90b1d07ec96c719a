"""The policy artifact: a vision-language model as arrays, with its config, tokenizer and processor files beside.

    weights/<tensor name>    one array a tensor, bit for bit in the model's own type, cut as `store.checkpoint` does;
                             tied tensors once, under the first of their names
    files/                   config.json, generation_config.json, tokenizer and processor files
    attrs                    family, trained_places (the places whose questions trained it)

A policy with an adapter (`nodes/policy/lora.py`) has no weights of its own, so that a round stores what a round trains:

    base                     the policy that it changes, whole and untouched
    adapter/<tensor name>    the adapter's tensors
    files/                   adapter_config.json

A policy of family "scripted" has no weights: see `nodes/policy/scripted.py`.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.policy.parts import open_parts
from nodes.policy.tensors import stored_array, torch_tensor
from store.artifact import Artifact, Reader, Writer
from store.checkpoint import read_tensors, write_tensors

if TYPE_CHECKING:
    import numpy as np
    import torch

WEIGHTS, ADAPTER, BASE = "weights", "adapter", "base"
ADAPTER_CONFIG = "adapter_config.json"


class Policy(Artifact):
    """The model being trained, or one that it starts from."""

    type: ClassVar[str] = "policy/1"
    plain: ClassVar[str] = "nodes.plain:write_models"

    def __init__(
        self,
        family: str,
        tensors: Mapping[str, np.ndarray],
        files: Mapping[str, bytes],
        trained_places: Iterable[str] = (),
        rates: Mapping[str, float] | None = None,
        base: Policy | None = None,
    ) -> None:
        """Take `tensors` and `files` for the adapter's where there is a base."""
        self.family = family
        self.trained_places = tuple(sorted(set(trained_places)))
        self.rates = dict(rates or {})  # a scripted policy's share of right answers by task
        self.base = base
        self._tensors = tensors
        self._files = files
        self._reader: Reader | None = None

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the model's tensors by name, without an adapter; bfloat16 as `store.bfloat16` has it."""
        return self.base.tensors() if self.base is not None else self._own_tensors(WEIGHTS)

    def files(self) -> dict[str, bytes]:
        """Return the config, tokenizer and processor files by name."""
        return self.base.files() if self.base is not None else self._own_files()

    def adapter(self) -> dict[str, np.ndarray]:
        """Return the adapter's tensors by name, none where there is no adapter."""
        return self._own_tensors(ADAPTER) if self.base is not None else {}

    def adapter_config(self) -> dict[str, Any]:
        """Return what the adapter is, in the fields of `adapter_config.json`."""
        told: dict[str, Any] = json.loads(self._own_files()[ADAPTER_CONFIG])
        return told

    def is_stored(self) -> bool:
        """Tell whether its tensors are read from a store, anew for every caller, and not held in memory."""
        return self.base.is_stored() if self.base is not None else self._reader is not None

    def write(self, w: Writer) -> None:
        w.attrs = {"family": self.family, "trained_places": list(self.trained_places), "rates": self.rates}
        if self.base is not None:
            w.artifact(BASE, self.base)  # neither read nor written, nor hashed, once it has been stored
        group = WEIGHTS if self.base is None else ADAPTER
        write_tensors(w, group, self._own_tensors(group))
        for name, data in sorted(self._own_files().items()):
            w.file(name, data)

    @classmethod
    def open(cls, r: Reader) -> Policy:
        attrs = r.attrs
        base = r.artifact(BASE, Policy) if r.has(BASE) else None
        if base is not None and base.base is not None:
            raise ValueError("an adapter on an adapter, expected one on a model")
        policy = cls(attrs["family"], {}, {}, attrs["trained_places"], attrs["rates"], base)
        policy._reader = r
        return policy

    def summary(self) -> dict[str, Any]:
        sizes = self._sizes(WEIGHTS) if self.base is None else self.base._sizes(WEIGHTS)
        trained = {"trained_places": len(self.trained_places)}
        told = {"family": self.family, "parameters": sum(sizes), "tensors": len(sizes), **trained}
        return told if self.base is None else {**told, "adapter_parameters": sum(self._sizes(ADAPTER))}

    def _own_tensors(self, group: str) -> dict[str, np.ndarray]:
        return dict(self._tensors) if self._reader is None else read_tensors(self._reader, group)

    def _own_files(self) -> dict[str, bytes]:
        if self._reader is None:
            return dict(self._files)
        return {name: self._reader.file(name) for name in self._reader.files()}

    def _sizes(self, group: str) -> list[int]:
        """Return how many numbers each tensor has, without reading any."""
        if self._reader is None:
            return [int(values.size) for values in self._tensors.values()]
        r, start, end = self._reader, f"{group}/", "/zarr.json"
        keys = [key for key in r.keys() if key.startswith(start) and key.endswith(end) and key != group + end]
        return [math.prod(json.loads(r.metadata(key))["shape"]) for key in keys]


def load_model(policy: Policy, device: str = "cpu", dtype: str = "float32") -> tuple[Any, Any]:
    """Return (model, processor) in evaluation mode; in the type that was stored, equal to it bit for bit.

    A policy with an adapter gives a PeftModel whose adapter alone can be trained. Only classes of the installed
    transformers are used; code that a folder may have brought is never run.

    Args:
        device: "cpu", "cuda", or "auto": a GPU where there is one.
        dtype: "float32" or "bfloat16": of the model while it computes; an adapter stays in float32.
    Raises:
        ValueError: the stored tensors are not those of the stored config, a file is none that models are made of, or
            there is no such device.
    """
    import torch
    from transformers import AutoModelForImageTextToText
    from transformers.initialization import no_init_weights

    place = chosen_device(device)
    config, processor, generation = open_parts(policy.files())
    kept = torch.get_rng_state()
    with no_init_weights():  # memory that is never touched: all of it is replaced
        model = AutoModelForImageTextToText.from_config(config, trust_remote_code=False, dtype=getattr(torch, dtype))
    torch.set_rng_state(kept)
    _fill(model, policy)
    model.generation_config = generation
    if policy.base is not None:
        from nodes.policy.lora import open_lora

        model = open_lora(model, policy)
    return model.to(place).eval(), processor


def chosen_device(device: str) -> torch.device:
    """Return the device that "cpu", "cuda" or "auto" means here. Raises ValueError: there is no GPU."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda': torch finds no GPU here, expected 'cpu' or 'auto'")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def _fill(model: Any, policy: Policy) -> None:
    """Give a model the stored tensors themselves; only those of another type than the model's are copied."""
    is_ours = policy.is_stored()
    types = {name: tensor.dtype for name, tensor in model.state_dict().items()}
    state = {}
    for name, values in policy.tensors().items():
        tensor = torch_tensor(values, is_ours)
        state[name] = tensor.to(types.get(name, tensor.dtype)) if tensor.is_floating_point() else tensor
    try:
        missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:  # shapes that differ, several lines of them
        raise ValueError(f"policy weights: {str(error).strip().splitlines()[-1].strip()}") from error
    model.tie_weights()
    lacking = sorted(set(missing) - _tied_names(model))
    if lacking or unexpected:
        raise ValueError(f"policy weights: missing {lacking[:3]}, unexpected {list(unexpected)[:3]}, expected neither")


def policy_from(model: Any, processor: Any, trained_places: Iterable[str], source: Policy | None = None) -> Policy:
    """Return the policy artifact of a model, in the types of its tensors, and its processor.

    It shares the model's memory: train no further on a model whose policy is still to be stored.

    Args:
        model: of transformers, or a PeftModel, whose adapter alone is stored beside its base.
        source: the policy that the model was loaded from: its files are passed on as they are, and for an adapter its
            base, which is then neither read nor hashed again. Without it both come from the model.
    """
    from nodes.policy.lora import adapter_tensors, base_tensors, config_of, is_adapted

    if not is_adapted(model):
        files = source.files() if source is not None else _saved_files(model, processor)
        return Policy(model.config.model_type, _tensors_once(model.state_dict()), files, trained_places)
    if source is not None:
        base = source.base or source
    else:
        net = model.get_base_model()
        base = Policy(net.config.model_type, _tensors_once(base_tensors(net)), _saved_files(net, processor))
    files = {ADAPTER_CONFIG: json.dumps(config_of(model), indent=2, sort_keys=True).encode()}
    tensors = {name: stored_array(tensor) for name, tensor in adapter_tensors(model).items()}
    return Policy(base.family, tensors, files, trained_places, base=base)


def _saved_files(model: Any, processor: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        engine = processor.tokenizer.backend_tokenizer
        engine.no_truncation()
        engine.no_padding()  # what the last call asked for would be written down
        processor.save_pretrained(folder)
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _tensors_once(state: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    tensors, seen = {}, set()
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()))
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        tensors[name] = stored_array(tensor)
    return tensors


def _tied_names(model: Any) -> set[str]:
    """Return the names of tensors that share their memory with one of another name."""
    first: dict[int, str] = {}
    tied = set()
    for name, tensor in model.state_dict().items():
        other = first.setdefault(tensor.data_ptr(), name)
        if other != name:
            tied |= {name, other}
    return tied
