"""Who answers for a policy: a script, a model in this process, vLLM that is started for it, or a declared server.

with answering(policy, rollout, batch, backend="vllm") as answerer:
    answerer.draw(questions, pool, samples=8, seed=1)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nodes.policy.answers import Answerer, open_answerer
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.policy.server import Server

if TYPE_CHECKING:
    from graph.node import Progress

Backend = Literal["hf", "vllm"]
REPLICA_AT_ONCE = 128  # requests: vLLM batches what it is asked meanwhile


@contextlib.contextmanager
def answering(
    policy: Policy | None,
    rollout: Rollout,
    batch: int,
    progress: Progress | None = None,
    backend: Backend = "hf",
    server: Server | None = None,
    seed: int = 0,
    scratch: Path | None = None,
) -> Iterator[Answerer]:
    """Give what answers; what was started for it is ended afterwards.

    Args:
        batch: questions that are put at a time.
        backend: what runs a policy's model.
        seed, scratch: the action's own.
    Raises:
        ValueError: not exactly one of policy and server.
        VllmError, ServerError: vLLM does not start, or a server cannot be asked.
    """
    if (policy is None) == (server is None):
        given = "both" if policy is not None else "neither"
        raise ValueError(f"{given} of input policy and params.server: expected one of the two")
    if server is not None:
        from nodes.policy.served import ServedAnswerer

        yield ServedAnswerer([server], rollout, batch, progress)
    elif policy is not None and backend == "vllm" and policy.family != "scripted":
        from nodes.policy.served import ServedAnswerer
        from nodes.policy.vllm import vllm_servers

        with vllm_servers(policy, rollout, seed, scratch) as servers:
            yield ServedAnswerer(servers, rollout, batch, progress, REPLICA_AT_ONCE, says_sampled=True)
    elif policy is not None:
        yield open_answerer(policy, rollout, batch, progress)
