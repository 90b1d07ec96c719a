"""A policy without a model that writes what was recorded: for tests of proposing, and to run what a server once said.

`$a`, `$b` .. `$h` in a completion stand for the labels that may be named in the scene, in alphabetical order, so that
one recording fits any room; a completion that names more than a scene has is left out. Of more than `most`, so is one
that asks again what the feedback shown to it holds, and the next one takes its turn: that much a recording can heed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from graph.node import node
from nodes.policy.policy import Policy
from nodes.policy.writing import Request, Sampling

FILE = "completions.json"
ROW = '{"label": '  # how a line of the prompt's objects and of its feedback begins
_NAME = re.compile(r"\$([a-h])\b")


class Recorded(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `policy.recorded`."""

    completions: Annotated[tuple[str, ...], Meta(description="what it writes for a scene that by_scene lacks")] = ()
    by_scene: Annotated[dict[str, tuple[str, ...]], Meta(description="what it writes, by scene")] = {}
    rejects: Annotated[dict[str, str], Meta(description="its verdict on a question that holds the text")] = {}
    most: Annotated[
        int, Meta(ge=0, description="that it writes at most, of those left; 0: all", extra={"unit": "texts"})
    ] = 0


@node("policy.recorded", version=1)
def recorded(*, params: Recorded) -> Policy:
    """Return a policy that writes the completions, and accepts every question that none of `rejects` names."""
    return recorded_policy(params)


def recorded_policy(params: Recorded) -> Policy:
    """Return a policy that writes what was recorded."""
    return Policy("recorded", {}, {FILE: msgspec.json.encode(params, order="sorted")})


class Recording:
    """Writes for a recorded policy."""

    def __init__(self, policy: Policy) -> None:
        self._params = msgspec.json.decode(policy.files()[FILE], type=Recorded)

    def write(self, requests: Sequence[Request], sampling: Sampling, samples: int, seed: int) -> list[list[str]]:
        """Return what was recorded for each request, whatever the sampling."""
        return [self._judge(request) if request.purpose == "judge" else self._propose(request) for request in requests]

    def _propose(self, request: Request) -> list[str]:
        texts = self._params.by_scene.get(request.scene, self._params.completions)
        names = dict(zip("abcdefgh", request.names, strict=False))
        fitting = [text for text in texts if all(match in names for match in _NAME.findall(text))]
        written = [_NAME.sub(lambda match: json.dumps(names[match[1]])[1:-1], text) for text in fitting]
        if not self._params.most:
            return written
        asked = [json.dumps(row["question"]) for row in _rows(request.text) if "question" in row]
        left = [text for text in written if not any(question in text for question in asked)]
        return left[: self._params.most]

    def _judge(self, request: Request) -> list[str]:
        found = [verdict for text, verdict in self._params.rejects.items() if text in request.text]
        return [found[0] if found else "accept"]


def _rows(shown: str) -> list[dict[str, Any]]:
    """Return the objects and the feedback that a prompt holds."""
    return [json.loads(line) for line in shown.splitlines() if line.startswith(ROW)]
