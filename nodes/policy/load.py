"""Load a policy from a Hugging Face model folder, or from the hub at a pinned commit.

A folder may be hostile: weights are read from safetensors alone, never from a pickle, and code in it is never run.
Tensors are stored in float32 whatever the folder has.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from graph.node import External, node
from nodes.policy.policy import Policy, policy_from

WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
COMMIT = re.compile(r"[0-9a-f]{40}")


class Load(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `policy.load`: either `folder`, or `hub` with `revision`."""

    folder: Annotated[External, Meta(description="a Hugging Face model folder")] | None = None
    hub: Annotated[str, Meta(description="model id on the Hugging Face hub, owner/name")] = ""
    revision: Annotated[str, Meta(description="commit of the hub model, 40 hex digits: a branch can move")] = ""

    def __post_init__(self) -> None:
        if (self.folder is None) == (not self.hub):
            raise ValueError("folder, hub: need exactly one of the two")
        if self.hub and not COMMIT.fullmatch(self.revision):
            raise ValueError(f"revision = {self.revision!r}: need the commit of {self.hub!r}, 40 hex digits")


@node("policy.load", version=1, packages=("torch", "transformers", "tokenizers", "safetensors"))
def load(*, params: Load) -> Policy:
    """Return the policy in a local folder or on the hub.

    Raises:
        ValueError: not a model folder; the text names its path and what is missing.
    """
    folder = params.folder.path if params.folder is not None else _download(params.hub, params.revision)
    check_folder(folder)
    return read_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise ValueError that names the folder and what it lacks."""
    if not folder.is_dir():
        raise ValueError(f"policy folder {folder}: no such folder")
    if not (folder / "config.json").is_file():
        raise ValueError(f"policy folder {folder}: no config.json, expected a Hugging Face model folder")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise ValueError(f"policy folder {folder}: no tokenizer, expected one of {', '.join(TOKENIZERS)}")
    if (folder / "adapter_config.json").is_file():
        raise ValueError(f"policy folder {folder}: holds an adapter, expected it merged into its model")
    if not any(folder.glob("*.safetensors")):
        pickled = [path.name for path in sorted(folder.glob("*.bin"))]
        beside = f" ({pickled[0]} is a pickle, which is not read)" if pickled else ""
        raise ValueError(f"policy folder {folder}: no *.safetensors{beside}")


def read_folder(folder: Path) -> Policy:
    """Return the policy of a complete model folder."""
    import torch
    from transformers import AutoModelForImageTextToText

    from nodes.policy.processors import open_processor

    try:
        model, facts = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        processor = open_processor(folder, model.config.model_type)
    except Exception as error:  # whatever transformers makes of a broken folder: one line that names it
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ValueError(f"policy folder {folder}: {type(error).__name__}: {first}") from error
    _check_weights(folder, facts)
    model.config._name_or_path = ""  # the folder's own path has no place in the artifact
    return policy_from(model, processor, trained_places=())


def _check_weights(folder: Path, facts: dict[str, Any]) -> None:
    """Raise ValueError if the weights are not those of the config: transformers would fill in random ones."""
    for name in ("missing_keys", "mismatched_keys"):
        if facts.get(name):
            first = sorted(map(str, facts[name]))[0]
            raise ValueError(f"policy folder {folder}: {len(facts[name])} {name.replace('_', ' ')}, the first {first}")


def _download(name: str, commit: str) -> Path:
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, revision=commit, allow_patterns=list(WANTED)))
