"""The project that tests/graph/test_edits.py edits: one kind for each way in which code reaches code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from spatial import doubled, measures
from spatial import sizes as s
from spatial.rewards import Reward

from graph.node import Named, node
from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    from spatial.policies import Policy

FOLDER = Path(__file__).parent


class Value(Artifact):
    """Something that JSON can say."""

    type = "edited value/1"

    def __init__(self, value) -> None:
        self.value = value

    def write(self, w: Writer) -> None:
        w.attrs = {"value": self.value}

    @classmethod
    def open(cls, r: Reader) -> Value:
        return cls(r.attrs["value"])


def count(name: str) -> None:
    """Note an execution."""
    with open(os.environ["TOYS_COUNT"], "a") as file:
        file.write(f"{name}\n")


class Box(Struct, frozen=True):
    width: int = 2
    height: int = 3

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError("width: need 0 or more")


@node("edited.measure", version=1)
def measure(*, params: Box) -> Value:
    """Measure a box: helpers in other modules, constants, defaults."""
    count("measure")
    from spatial.late import rounded

    sides = (params.width, params.height)
    return Value([measures.volume(*sides), s.perimeter(*sides), rounded(s.DOUBLE_UNIT), doubled(1), str(params.width)])


@node("edited.sample", version=1)
def sample() -> Value:
    """Ask a policy of which nobody says here what it is."""
    count("sample")
    from spatial.policies import make_policy

    policy = make_policy("tiny")
    return Value([policy.generate("where"), len(policy), policy.name, answer(policy), getattr(policy, "temp" + "er")])


def answer(policy: Policy) -> str:
    """Call a method on what comes in."""
    return policy.best().text


class Rewarded(Struct, frozen=True):
    reward: Named[Reward]


@node("edited.reward", version=1)
def reward(*, params: Rewarded) -> Value:
    """Reward by name."""
    count("reward")
    return Value(params.reward.load()("left", "left"))


@node("edited.ask", version=1)
def ask() -> Value:
    """Ask all tasks that have registered."""
    count("ask")
    from spatial.marks import traced
    from spatial.tasks import TASKS

    return Value({name: traced(task)(3) for name, task in TASKS.items()})


@node("edited.note", version=1, depends=["notes/*.json"])
def note() -> Value:
    """Read a data file."""
    count("note")
    return Value(json.loads((FOLDER / "notes" / "note.json").read_text()))


@node("edited.idle", version=1)
def idle() -> Value:
    """Reach nothing."""
    count("idle")
    return Value("idle")


if __name__ == "__main__":
    print("idle")
