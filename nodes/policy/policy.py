"""The policy artifact: a vision-language model as arrays, with its config, tokenizer and processor files beside.

    weights/<tensor name>    one array a tensor, bit for bit in the model's own type, cut as `store.checkpoint` does;
                             tied tensors once, under the first of their names
    files/                   config.json, generation_config.json, tokenizer and processor files
    attrs                    family, trained_places (the places whose questions trained it)

A policy of family "scripted" has no weights: see `nodes/policy/scripted.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nodes.policy.tensors import stored_array, torch_tensor
from store.artifact import Artifact, Reader, Writer
from store.checkpoint import read_tensors, write_tensors

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = "weights"
READ = (".json", ".jinja", ".model", ".txt")  # a config may name a class that unpickles some other file beside it


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
    ) -> None:
        self.family = family
        self.trained_places = tuple(sorted(set(trained_places)))
        self.rates = dict(rates or {})  # a scripted policy's share of right answers by task
        self._tensors = tensors
        self._files = files
        self._reader: Reader | None = None

    def tensors(self) -> dict[str, np.ndarray]:
        """Return all tensors by name; bfloat16 as `store.bfloat16` has it."""
        if self._reader is None:
            return dict(self._tensors)
        return read_tensors(self._reader, WEIGHTS)

    def files(self) -> dict[str, bytes]:
        """Return the config, tokenizer and processor files by name."""
        if self._reader is None:
            return dict(self._files)
        return {name: self._reader.file(name) for name in self._reader.files()}

    def write(self, w: Writer) -> None:
        w.attrs = {"family": self.family, "trained_places": list(self.trained_places), "rates": self.rates}
        write_tensors(w, WEIGHTS, self.tensors())
        for name, data in sorted(self.files().items()):
            w.file(name, data)

    @classmethod
    def open(cls, r: Reader) -> Policy:
        attrs = r.attrs
        policy = cls(attrs["family"], {}, {}, attrs["trained_places"], attrs["rates"])
        policy._reader = r
        return policy

    def summary(self) -> dict[str, Any]:
        tensors = self.tensors()
        parameters = sum(int(values.size) for values in tensors.values())
        trained = len(self.trained_places)
        return {"family": self.family, "parameters": parameters, "tensors": len(tensors), "trained_places": trained}


def load_model(policy: Policy) -> tuple[Any, Any]:
    """Return (model, processor) on the CPU in float32, in evaluation mode, equal to what was stored.

    Only classes of the installed transformers are used; code that a folder may have brought is never run.

    Raises:
        ValueError: the stored tensors are not those of the stored config, or a file is none that models are made of.
    """
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

    from nodes.policy.processors import open_processor

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in policy.files().items():
            if "/" in file or not file.endswith(READ):
                raise ValueError(f"policy file {file!r}: expected names that end in {', '.join(READ)}")
            (folder / file).write_bytes(data)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        processor = open_processor(folder, config.model_type)
        generation = GenerationConfig.from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng(devices=[]):  # the random weights of a new model are replaced at once
        model = AutoModelForImageTextToText.from_config(config, trust_remote_code=False, dtype=torch.float32)
    state = {name: torch_tensor(values) for name, values in policy.tensors().items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    model.tie_weights()
    lacking = sorted(set(missing) - _tied_names(model))
    if lacking or unexpected:
        raise ValueError(f"policy weights: missing {lacking[:3]}, unexpected {list(unexpected)[:3]}, expected neither")
    model.generation_config = generation
    return model.eval(), processor


def policy_from(model: Any, processor: Any, trained_places: Iterable[str]) -> Policy:
    """Return the policy artifact of a model, in the types of its tensors, and its processor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        processor.save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return Policy(model.config.model_type, _tensors_once(model), files, trained_places)


def _tensors_once(model: Any) -> dict[str, np.ndarray]:
    tensors, seen = {}, set()
    for name, tensor in model.state_dict().items():
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
