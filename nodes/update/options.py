"""Options of TRL by name, `params.trl = { beta = 0.04 }`: all of its configs but those that are ours to set.

Which are ours is told with the spec; TRL's own names and types when the body starts, since importing TRL takes seconds.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

Plain: TypeAlias = bool | int | float | str
Options: TypeAlias = Annotated[
    dict[str, Plain | list[Plain] | dict[str, Plain]],
    Meta(description="any other option of TRL's config, by its name there"),
]
PARAM = "say params.{}"
OURS = {
    "max_steps": PARAM.format("steps"),
    "learning_rate": PARAM.format("learning_rate"),
    "lr_scheduler_type": PARAM.format("schedule"),
    "num_generations": PARAM.format("group"),
    "max_completion_length": PARAM.format("rollout.max_tokens"),
    "temperature": PARAM.format("rollout.temperature"),
    "top_p": PARAM.format("rollout.top_p"),
    "generation_kwargs": PARAM.format("rollout"),
    **dict.fromkeys(("use_cpu", "no_cuda"), PARAM.format("rollout.device")),
    **dict.fromkeys(("bf16", "fp16"), PARAM.format("rollout.dtype")),
    "per_device_train_batch_size": "it follows from the questions a step",
    "num_train_epochs": "params.steps says how long",
    **dict.fromkeys(("seed", "data_seed", "full_determinism"), "the engine gives the seed"),
    **dict.fromkeys(("generation_batch_size", "auto_find_batch_size"), "every step has its own rollouts"),
    **dict.fromkeys(("max_length", "truncation_mode"), "a prompt is never cut: one too long is dropped"),
    **dict.fromkeys(("packing", "padding_free", "dataset_kwargs", "chat_template_path"), "rows are ours to lay out"),
    **dict.fromkeys(("assistant_only_loss", "completion_only_loss"), "the loss counts answers alone"),
    **dict.fromkeys(("remove_unused_columns", "dataloader_num_workers", "dataset_text_field"), "rows are made late"),
    "ignore_data_skip": "a killed update goes on where it was",
    "model_init_kwargs": "the policy is an input",
    **dict.fromkeys(("fsdp", "fsdp_config", "deepspeed"), "weights in shards are not put together again here"),
    "trust_remote_code": "code that comes with a policy is never run",
}
REFUSED = {  # whole families, by how their names start
    **dict.fromkeys(("save_", "load_best", "resume_", "enable_jit"), "checkpoints go to the update's scratch folder"),
    **dict.fromkeys(
        ("logging_", "log_", "report_to", "run_name", "project", "trackio_", "output_dir"), "logs are kept"
    ),
    **dict.fromkeys(("push_to_hub", "hub_"), "a node sends nothing away"),
    **dict.fromkeys(("eval_", "do_", "per_device_eval", "batch_eval", "disable_tqdm"), "evaluation is a node"),
}


def check_ours(given: Mapping[str, Any]) -> None:
    """Raise ValueError for options that are not for a spec to set."""
    for name in given:
        why = OURS.get(name) or next((why for start, why in REFUSED.items() if name.startswith(start)), "")
        if why:
            raise ValueError(f"trl.{name}: not an option here: {why}")


def options_of(config: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for a config of TRL; its gradient checkpointing is off unless asked for.

    Raises:
        ValueError: it has no such option, or one of another type; says which is nearest.
    """
    known = {field.name for field in dataclasses.fields(config) if field.init}
    types = _types(config)
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"params.trl.{name}: {config.__name__} has no such option{_nearest(name, known)}")
        _check_type(name, value, types.get(name, Any))
    return {"gradient_checkpointing": False, **given}


def share(rows: int, parts: Any, name: str) -> int:
    """Return the rows of a step that are computed at once, where gradients are accumulated over several parts.

    Raises:
        ValueError: the parts are not equal.
    """
    if not isinstance(parts, int) or parts < 1 or rows % parts:
        raise ValueError(f"params.trl.gradient_accumulation_steps = {parts!r}: expected a divisor of {name} = {rows}")
    return rows // parts


def _types(config: type) -> dict[str, Any]:
    import typing

    return typing.get_type_hints(config)


def _check_type(name: str, value: Any, hint: Any) -> None:
    import msgspec

    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise ValueError(f"params.trl.{name} = {value!r}: {error}") from None
    except TypeError:  # a type that msgspec doesn't know: TRL has a look itself
        return


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
