"""A policy without a model that writes what was recorded: for tests of proposing, and to run what a server once said.

`$a`, `$b` .. `$h` in a completion stand for the labels that may be named in the scene, in alphabetical order, so that
one recording fits any room; a completion that names more than a scene has is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.policy.policy import Policy
from nodes.policy.writing import Request, Sampling

FILE = "completions.json"
_NAME = re.compile(r"\$([a-h])\b")


class Recorded(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `policy.recorded`."""

    completions: Annotated[tuple[str, ...], Meta(description="what it writes for a scene that by_scene lacks")] = ()
    by_scene: Annotated[dict[str, tuple[str, ...]], Meta(description="what it writes, by scene")] = {}
    rejects: Annotated[dict[str, str], Meta(description="its verdict on a question that holds the text")] = {}


@node("policy.recorded", version=1)
def recorded(*, params: Recorded) -> Policy:
    """Return a policy that writes the completions, and accepts every question that none of `rejects` names."""
    return recorded_policy(params)


def recorded_policy(params: Recorded) -> Policy:
    """Return a policy that writes what was recorded."""
    told = {"completions": params.completions, "by_scene": params.by_scene, "rejects": params.rejects}
    return Policy("recorded", {}, {FILE: json.dumps(told, sort_keys=True).encode()})


class Recording:
    """Writes for a recorded policy."""

    def __init__(self, policy: Policy) -> None:
        told = json.loads(policy.files()[FILE])
        self._params = Recorded(tuple(told["completions"]), told["by_scene"], told["rejects"])

    def write(self, requests: Sequence[Request], sampling: Sampling, samples: int, seed: int) -> list[list[str]]:
        """Return what was recorded for each request, whatever the sampling."""
        return [self._judge(request) if request.purpose == "judge" else self._propose(request) for request in requests]

    def _propose(self, request: Request) -> list[str]:
        texts = self._params.by_scene.get(request.scene, self._params.completions)
        names = dict(zip("abcdefgh", request.names, strict=False))
        fitting = [text for text in texts if all(match in names for match in _NAME.findall(text))]
        return [_NAME.sub(lambda match: json.dumps(names[match[1]])[1:-1], text) for text in fitting]

    def _judge(self, request: Request) -> list[str]:
        found = [verdict for text, verdict in self._params.rejects.items() if text in request.text]
        return [found[0] if found else "accept"]
