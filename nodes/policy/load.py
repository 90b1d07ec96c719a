"""Load a policy from a Hugging Face model folder, or from the hub at a pinned commit.

A folder may be hostile: weights are read from safetensors alone, never from a pickle, and code in it is never run.
Tensors keep the type that the folder has, the widest where it has several; its other files are kept as they are, so
that what is exported again is a folder that others can read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from graph.node import External, node
from nodes.hub import Commit, check_source, download, first_line
from nodes.policy.policy import Policy, policy_from

if TYPE_CHECKING:
    import torch

WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
KEPT = (
    *("config.json", "generation_config.json", "chat_template.json", "chat_template.jinja"),
    *("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt", *TOKENIZERS),
)
TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}  # as safetensors calls them
HEADER_BYTES = 100 << 20  # the longest that safetensors itself reads


class Load(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `policy.load`: either `folder`, or `hub` with `revision`."""

    folder: Annotated[External, Meta(description="a Hugging Face model folder")] | None = None
    hub: Annotated[str, Meta(description="model id on the Hugging Face hub, owner/name")] = ""
    revision: Commit = ""

    def __post_init__(self) -> None:
        check_source(self.folder, "folder", self.hub, self.revision)


@node("policy.load", version=2, packages=("torch", "transformers", "tokenizers", "safetensors"))
def load(*, params: Load) -> Policy:
    """Return the policy in a local folder or on the hub.

    Raises:
        ValueError: not the folder of a model that sees pictures, or the hub does not give it; the text names the
            folder or the id, and what is missing.
    """
    if params.folder is not None:
        folder = params.folder.path
    else:
        folder, _ = download("model", params.hub, params.revision, WANTED, "folder")
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
    from transformers import AutoConfig, AutoModelForImageTextToText

    from nodes.policy.processors import open_processor

    safely: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(folder, **safely)
        _check_config(config)
        model, facts = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=_widest(folder), use_safetensors=True, output_loading_info=True, **safely
        )
        processor = open_processor(folder, config.model_type)
    except Exception as error:  # whatever transformers makes of a broken folder: one line that names it
        said = str(error) if isinstance(error, _Unfit) else first_line(error)
        raise ValueError(f"policy folder {folder}: {said}") from error
    _check_weights(folder, facts)
    model.config._name_or_path = ""  # the folder's own path has no place in the artifact
    policy = policy_from(model, processor, trained_places=())
    # Only what the folder lacks is written anew: saving drops a video processor, and names classes of ours.
    files = {name: (folder / name).read_bytes() for name in KEPT if (folder / name).is_file()}
    lacking = {name: policy.files()[name] for name in ("generation_config.json",) if name not in files}
    return Policy(policy.family, policy.tensors(), {**files, **lacking})


class _Unfit(ValueError):
    """A folder that holds a model, of a kind that is of no use here."""


def _check_config(config: Any) -> None:
    """Raise _Unfit unless it is of a model that reads pictures and writes text, in numbers that can be trained."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    if getattr(config, "quantization_config", None) is not None:
        raise _Unfit("its weights are quantised, expected float32, float16 or bfloat16")
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise _Unfit(
            f"model_type {config.model_type!r} is no model of pictures and text, expected one such as idefics3,"
            " smolvlm, llava, qwen2_5_vl or qwen3_vl"
        )


def _widest(folder: Path) -> torch.dtype:
    """Return the widest type of the folder's tensors, in which all of them keep their values."""
    import torch

    found = {TYPES.get(name, name) for path in sorted(folder.glob("*.safetensors")) for name in _types(path)}
    found -= {"I64", "I32", "I16", "I8", "U8", "BOOL"}
    if strange := sorted(found - set(TYPES.values())):
        raise _Unfit(f"tensors of type {strange[0]}, expected float32, float16 or bfloat16")
    # Neither of the two short ones holds the values of the other.
    return torch.float32 if len(found) != 1 else getattr(torch, found.pop())


def _types(path: Path) -> Iterator[str]:
    """Yield the type of every tensor in a safetensors file, which its header says: a length, then JSON."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > HEADER_BYTES:
            raise _Unfit(f"{path.name}: a header of {length} bytes")
        for name, told in json.loads(file.read(length)).items():
            if name != "__metadata__":
                yield told["dtype"]


def _check_weights(folder: Path, facts: dict[str, Any]) -> None:
    """Raise ValueError if the weights are not those of the config: transformers would fill in random ones."""
    for name in ("missing_keys", "mismatched_keys"):
        if facts.get(name):
            first = sorted(map(str, facts[name]))[0]
            raise ValueError(f"policy folder {folder}: {len(facts[name])} {name.replace('_', ' ')}, the first {first}")
