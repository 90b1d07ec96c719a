"""The model that an update trains, and the policy that it becomes: all weights, or an adapter beside them.

With all weights trained they stay in float32, and `dtype` is what the model computes in; beside an adapter the weights
are frozen and held in `dtype`, and the adapter is in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nodes.policy.lora import ALL_LINEAR, add_lora
from nodes.policy.policy import Policy, load_model, policy_from

if TYPE_CHECKING:
    from nodes.policy.lora import Lora
    from nodes.policy.rollout import Rollout
    from nodes.questions.question import Question
    from nodes.update.optimiser import Schedule


class Settings(Protocol):
    """What the params of both trainers say."""

    @property
    def rollout(self) -> Rollout: ...
    @property
    def steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def lora(self) -> Lora | None: ...


def trained_model(policy: Policy, params: Settings) -> tuple[Any, Any]:
    """Return (model, processor) of a policy to be trained; a PeftModel where an adapter is.

    A policy that has an adapter goes on with it; the first weights of a new one come from torch's generator.

    Raises:
        ValueError: the policy has an adapter of another shape than `params.lora`.
    """
    lora = params.lora
    if lora is not None and policy.base is not None:
        told = policy.adapter_config()
        if (told["r"], told["lora_alpha"]) != (lora.rank, lora.alpha):
            raise ValueError(
                f"params.lora: rank {lora.rank}, alpha {lora.alpha:g}, but the policy's adapter has rank {told['r']},"
                f" alpha {told['lora_alpha']:g}; expected the same"
            )
        if lora.targets != (ALL_LINEAR,) and sorted({*lora.targets}) != told["target_modules"]:
            raise ValueError(
                f"params.lora: targets {', '.join(lora.targets)}, but the policy's adapter is on"
                f" {', '.join(told['target_modules'])}; expected the same"
            )
    is_frozen = lora is not None or policy.base is not None
    model, processor = load_model(policy, params.rollout.device, params.rollout.dtype if is_frozen else "float32")
    return (add_lora(model, lora) if lora is not None else model), processor


def trained(policy: Policy, model: Any, processor: Any, rows: Sequence[Question]) -> Policy:
    """Return the policy that a model has become, which the places of the questions have trained now."""
    places = [*policy.trained_places, *(name for row in rows for name in (row.place, row.scene) if name)]
    return policy_from(model.eval(), processor, places, policy)
