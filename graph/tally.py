"""Tallies: what is told of many instances at once: a round of all nodes, or a node in all rounds and variants."""

from __future__ import annotations

import msgspec

from graph.events import Event
from graph.folding import rounds_text
from graph.labels import split_label

ENDED = ("hit", "done", "failed", "skipped")
SLOWEST = 3  # nodes of a round that are named


class Round:
    """One round as it goes: how many of its instances have ended, and how long those that ran took, by node."""

    def __init__(self) -> None:
        self.n_all = 0
        self.n_ended = 0
        self.n_done = 0
        self.n_failed = 0
        self.seconds: dict[str, float] = {}

    def end(self, event: Event) -> None:
        """Take note of an instance that ended."""
        self.n_ended += 1
        self.n_done += event.state == "done"
        self.n_failed += event.state == "failed"
        if event.seconds:
            node = split_label(event.label)[0]
            self.seconds[node] = self.seconds.get(node, 0.0) + event.seconds

    def text(self) -> str:
        """Return what it came to: `done  3.1 s  rollouts 1.7 s, update 0.5 s, eval 0.5 s`."""
        ended = "done" if self.n_ended == self.n_all else f"{self.n_ended} of {self.n_all}"
        state = f"{self.n_failed} failed" if self.n_failed else ended
        slowest = sorted(self.seconds, key=self.seconds.__getitem__, reverse=True)[:SLOWEST]
        told = ", ".join(f"{node} {self.seconds[node]:.1f} s" for node in slowest)
        return "  ".join([state, f"{sum(self.seconds.values()):.1f} s", told]).rstrip()


class Group(msgspec.Struct, frozen=True):
    """A node in all rounds and variants.

    `shown` is the event that tells most: of what failed, else runs, else came last. `count` says how many instances of
    several variants have ended.
    """

    name: str
    state: str
    rounds: str
    count: str
    shown: Event
    seconds: float
    running: list[str]


def group_events(events: list[Event]) -> list[Group]:
    """Return a group a node, in the order in which they come; `events` are the newest of every instance."""
    by_node: dict[str, list[Event]] = {}
    for event in events:
        by_node.setdefault(split_label(event.label)[0], []).append(event)
    return [_group(name, held) for name, held in by_node.items()]


def _group(name: str, events: list[Event]) -> Group:
    by_state = {state: [event for event in events if event.state == state] for state in ("failed", "running", "done")}
    ended = [event for event in events if event.state in ENDED]
    state = next((state for state in ("running", "failed") if by_state[state]), "waiting")
    if len(ended) == len(events) and state == "waiting":
        state = next((state for state in ("skipped", "done") if any(e.state == state for e in events)), "hit")
    shown = (by_state["failed"] or by_state["running"] or sorted(ended, key=_round) or events)[-1]
    rounds = sorted({_round(event) for event in by_state["running"] or ended[-1:]})
    last = max(_round(event) for event in events)
    n_variants = len({split_label(event.label)[1] for event in events})
    return Group(
        name,
        state,
        f"{rounds_text(rounds)[1:-1]}/{last}" if last and rounds else "",
        f"{len(ended)}/{len(events)}" if n_variants > 1 else "",
        shown,
        sum(event.seconds for event in ended),
        [event.label for event in by_state["running"]],
    )


def _round(event: Event) -> int:
    return split_label(event.label)[2] or 0
