"""What a policy has beside its weights: config, processor, generation config, read from its files.

To read them takes longer than to load a tiny policy's weights, and rounds change weights alone: the last ones read are
kept, by the content of the files, and copies of them given out, so that whoever changes one changes no other's.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from store.digest import digest

READ = (".json", ".jinja", ".model", ".txt")  # a config may name a class that unpickles some other file beside it


class Parts(NamedTuple):
    """All of a policy but its weights, as transformers has it."""

    config: Any
    processor: Any
    generation: Any


_last: dict[str, Parts] = {}  # at most one


def open_parts(files: Mapping[str, bytes]) -> Parts:
    """Return the parts that a policy's files describe; only classes of the installed transformers are used.

    Raises:
        ValueError: a file is none that models are made of.
    """
    key = digest("\n".join(f"{digest(data)} {name}" for name, data in sorted(files.items())).encode())
    parts = _last.get(key)
    if parts is None:
        parts = _read(files)
        _last.clear()
        _last[key] = parts
    return copy.deepcopy(parts)


def _read(files: Mapping[str, bytes]) -> Parts:
    from transformers import AutoConfig, GenerationConfig

    from nodes.policy.processors import open_processor

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in files.items():
            if "/" in file or not file.endswith(READ):
                raise ValueError(f"policy file {file!r}: expected names that end in {', '.join(READ)}")
            (folder / file).write_bytes(data)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        processor = open_processor(folder, config.model_type)
        generation = GenerationConfig.from_pretrained(folder, local_files_only=True)
    config._name_or_path = ""  # the folder's own path has no place in what is stored
    return Parts(config, processor, generation)
