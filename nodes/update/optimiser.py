"""The optimiser over rounds: what one update leaves behind, the next goes on from, and so does the learning rate.

TRL and transformers know one training at a time. Two things are put in before it starts: the optimiser's tensors from
the update before, by parameter name, and a learning rate that counts the steps of all updates so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from nodes.update.update import Trainer

if TYPE_CHECKING:
    import numpy as np

Schedule: TypeAlias = Literal["linear", "cosine", "constant"]
ScheduleSteps: TypeAlias = Annotated[
    int,
    Meta(ge=0, description="over which the learning rate goes its way, earlier updates included; 0: `steps`"),
]
Carry: TypeAlias = Annotated[bool, Meta(description="store the optimiser for the next update, twice the weights")]
CARRIED = ("adamw_torch", "adamw_torch_fused")  # their states are two tensors of the parameter's shape, and a step
STEP = "step"  # one number a parameter: kept as one row, in the order of the parameters' names


def check_carry(carry: bool, trl: Mapping[str, Any]) -> None:
    """Raise ValueError for an optimiser whose state cannot be carried."""
    if carry and trl.get("optim", CARRIED[0]) not in CARRIED:
        raise ValueError(f"carry: not with trl.optim = {trl['optim']!r}, expected one of {', '.join(CARRIED)}")


def go_on(trainer: Any, before: Trainer | None, schedule_steps: int) -> None:
    """Have a transformers trainer start where the update before stopped.

    Args:
        trainer: a transformers trainer that has not trained yet.
        before: what the update before left; None, or without tensors: a new optimiser.
        schedule_steps: steps over which the learning rate goes its way, the ones before included; 0: this update's.
    Raises:
        ValueError: the tensors are not of the parameters that are trained, or not of such an optimiser; the learning
            rate is at its end before this update is.
    """
    position = before.steps if before is not None else 0
    _check_room(trainer.args, position, schedule_steps)
    optimiser = trainer.create_optimizer()
    tensors = before.tensors() if before is not None else {}
    if before is not None and tensors:
        check_carry(True, {"optim": str(getattr(trainer.args.optim, "value", trainer.args.optim))})
        _fill(optimiser, dict(_named(trainer.model, optimiser)), tensors, before.is_stored())
    trainer.lr_scheduler = _schedule(trainer.args, optimiser, position, schedule_steps)


def left_by(trainer: Any, before: Trainer | None, carry: bool) -> Trainer:
    """Return what the next update goes on from; without `carry` only how many steps there were."""
    from nodes.policy.tensors import stored_array

    steps = trainer.state.global_step + (before.steps if before is not None else 0)
    if not carry:
        return Trainer(steps, {})
    tensors: dict[str, np.ndarray] = {}
    counts = []
    inner = getattr(trainer.optimizer, "optimizer", trainer.optimizer)  # accelerate wraps it
    for name, parameter in _named(trainer.model, inner):
        state = inner.state.get(parameter, {})
        if STEP in state:
            counts.append(state[STEP])
        tensors |= {f"{key}.{name}": stored_array(value) for key, value in state.items() if key != STEP}
    if counts:
        import torch

        tensors[STEP] = stored_array(torch.stack([count.cpu() for count in counts]))
    return Trainer(steps, tensors)


def _named(model: Any, optimiser: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, parameter) of all that is trained, by name; a tied parameter once."""
    trained = {id(parameter) for group in optimiser.param_groups for parameter in group["params"]}
    yield from sorted((name, one) for name, one in model.named_parameters() if id(one) in trained)


def _fill(optimiser: Any, parameters: dict[str, Any], tensors: dict[str, np.ndarray], is_ours: bool) -> None:
    """Put tensors into an optimiser, in the places and types that it keeps them in.

    Args:
        is_ours: nobody else holds them: they become the optimiser's, and are not twice in memory.
    """
    from nodes.policy.tensors import torch_tensor

    by_name: dict[str, dict[str, Any]] = {}
    for key, values in tensors.items():
        if key != STEP:
            kind, _, name = key.partition(".")
            by_name.setdefault(name, {})[kind] = torch_tensor(values, is_ours)
    _check_names(by_name, parameters)
    counts = torch_tensor(tensors[STEP])
    for name, count in zip(sorted(by_name), counts, strict=True):
        by_name[name][STEP] = count.clone()
    place = {id(one): index for index, one in enumerate(p for g in optimiser.param_groups for p in g["params"])}
    state = {place[id(parameters[name])]: values for name, values in by_name.items()}
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _check_names(found: dict[str, dict[str, Any]], parameters: dict[str, Any]) -> None:
    for name, values in found.items():
        wanted = tuple(parameters[name].shape) if name in parameters else None
        for kind, value in values.items():
            if tuple(value.shape) != wanted:
                expected = f"{wanted}, as the policy has it" if wanted else "a parameter that the policy trains"
                raise ValueError(f"input trainer: {kind} of {name!r} is {tuple(value.shape)}, expected {expected}")


def _check_room(args: Any, position: int, schedule_steps: int) -> None:
    end = position + args.max_steps
    if schedule_steps and end > schedule_steps and args.lr_scheduler_type != "constant":  # then 0, or rising again
        raise ValueError(
            f"params.schedule_steps = {schedule_steps}: this update's steps are {position + 1} to {end};"
            " expected at least as many as all updates take"
        )


def _schedule(args: Any, optimiser: Any, position: int, schedule_steps: int) -> Any:
    """Return the learning rate by step: as transformers makes it, `position` steps on where it spans all updates."""
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import get_scheduler

    total = schedule_steps or args.max_steps
    whole = get_scheduler(
        args.lr_scheduler_type,
        optimizer=optimiser,
        num_warmup_steps=args.get_warmup_steps(total),
        num_training_steps=total,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    if not schedule_steps or not position:
        return whole

    def later(rate: Any) -> Any:
        return lambda step: rate(position + step)

    return LambdaLR(optimiser, [later(rate) for rate in whole.lr_lambdas])
