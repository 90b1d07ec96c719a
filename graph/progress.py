"""Progress on the terminal: a live table where there is one, plain lines where there is none."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from graph.events import Event
from graph.folding import fold, round_of
from graph.tally import Group, Round, group_events

if TYPE_CHECKING:
    from rich.table import Table

STYLES = {
    "waiting": "dim",
    "hit": "green",
    "done": "bold green",
    "running": "yellow",
    "failed": "bold red",
    "skipped": "dim",
}


class PlainLines:
    """Writes a line when an instance outside the loop, or a round of all nodes, ends; for a long one every ten seconds.

    What was found is told as a number at the end: a thousand lines of it would take longer than finding it.
    """

    EVERY_S = 10.0

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self._told: dict[str, float] = {}
        self._rounds: dict[int, Round] = {}
        self._skipped: list[str] = []

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        for number, round in self._rounds.items():
            if round.n_done and round.n_ended < round.n_all and round.n_all > 1:
                self._tell_round(number, round)
        for row in fold(dict.fromkeys(self._skipped)):
            print(f"{row.label}  skipped", file=self.stream)
        self.stream.flush()

    def __call__(self, event: Event) -> None:
        if event.link:
            print(f"{event.label}  {event.link}", file=self.stream, flush=True)
        if event.element is not None or event.link:
            return
        number = round_of(event.label)
        round = Round() if number is None else self._rounds.setdefault(number, Round())
        if event.state == "waiting":
            round.n_all += 1
        elif event.state == "running":
            self._tell_running(event)
        elif event.state == "skipped":
            self._skipped.append(event.label)
        else:
            round.end(event)
            is_alone = round.n_all < 2 or event.state == "failed" or event.seconds >= self.EVERY_S
            if is_alone and event.state != "hit":
                self._tell(event)
            if number is not None and round.n_done and round.n_ended == round.n_all > 1:
                self._tell_round(number, round)

    def _tell_running(self, event: Event) -> None:
        now = time.monotonic()
        began = self._told.setdefault(event.label, now)
        if now - began >= self.EVERY_S or event.waits_for:
            self._told[event.label] = now
            self._tell(event)

    def _tell(self, event: Event) -> None:
        told = (elements_text(event), waits_text(event), numbers_text(event), seconds_text(event), event.error)
        print("  ".join(piece for piece in (event.label, event.state, *told) if piece), file=self.stream, flush=True)

    def _tell_round(self, number: int, round: Round) -> None:
        print(f"round {number}/{max(self._rounds)}  {round.text()}", file=self.stream, flush=True)


class LiveTable:
    """A table of nodes, each with the round that it is in, that redraws itself.

    Nodes that have nothing to tell yet stay folded.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=sys.stdout)  # bound now: bodies that run inline have theirs captured
        self._events: dict[str, Event] = {}
        self._began: dict[str, float] = {}
        self._is_over = False
        self._link = ""
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._live.vertical_overflow = "visible"
        self._live.stop()

    def __call__(self, event: Event) -> None:
        if event.link:
            self._link = f"{event.label} {event.link}"
        if event.element is not None or event.link:
            return
        held = self._events.get(event.label)
        if event.state == "running" and held is not None and held.state == "running":
            # A body's own numbers and a map's count arrive in different events; the row shows both.
            event = Event(
                event.label,
                "running",
                total=event.total or held.total,
                done=event.done or held.done,
                numbers=event.numbers or held.numbers,
                waits_for=event.waits_for,
            )
        if event.state == "running":
            self._began.setdefault(event.label, time.monotonic())
        self._events[event.label] = event

    def _draw(self) -> Table:
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("node", "round", "elements", "state", "time", "progress"):
            table.add_column(name, justify="right" if name in ("round", "elements", "time") else "left")
        groups = group_events(list(self._events.values()))  # at once: this is another thread
        begun = [group for group in groups if group.state != "waiting" or group.shown.state != "waiting"]
        shown = self._fitting(begun)
        if len(begun) > len(shown):
            table.add_row(f"[dim]{len(begun) - len(shown)} more done[/]")
        for group in shown:
            event = group.shown
            state = f"[{STYLES[group.state]}]{group.state}[/]"
            said = event.error or waits_text(event) or numbers_text(event)
            told = escape("  ".join(filter(None, [group.count, said])))
            table.add_row(group.name, group.rounds, elements_text(event), state, self._time(group), told)
        if len(groups) > len(begun):
            table.add_row(f"[dim]{len(groups) - len(begun)} more wait[/]")
        table.caption = None if self._is_over or not self._link else escape(self._link)
        return table

    def _fitting(self, begun: list[Group]) -> list[Group]:
        """Leave out the first finished rows where the terminal is too low for all; all are drawn at the end."""
        excess = len(begun) - (self._console.size.height - 4)
        finished = [group.name for group in begun if group.state in ("hit", "done")]
        folded = set(finished[: max(0, excess)]) if not self._is_over else set()
        return [group for group in begun if group.name not in folded]

    def _time(self, group: Group) -> str:
        now = time.monotonic()
        seconds = group.seconds + sum(now - self._began[label] for label in group.running)
        if group.running:
            return f"{seconds:.0f} s"
        return f"{seconds:.1f} s" if seconds else ""


def make_progress() -> LiveTable | PlainLines:
    """Return the live table on a terminal, plain lines elsewhere."""
    return LiveTable() if sys.stderr.isatty() and sys.stdout.isatty() else PlainLines()


def elements_text(event: Event) -> str:
    """Return how many elements of a map are there: `120/200`, `200`; empty for a whole node."""
    if not event.total:
        return ""
    return str(event.total) if event.done == event.total else f"{event.done}/{event.total}"


def waits_text(event: Event) -> str:
    """Return for whom an instance waits, empty while nobody else is at it."""
    return f"waits for {event.waits_for}" if event.waits_for else ""


def seconds_text(event: Event) -> str:
    """Return how long an instance that ran has taken, empty for a hit."""
    return f"{event.seconds:.1f} s" if event.seconds else ""


def numbers_text(event: Event) -> str:
    """Return what a body reported: `640/2000  reward 0.512`."""
    numbers = dict(event.numbers)
    done, total = numbers.pop("done", None), numbers.pop("total", None)
    count = [f"{done:.0f}/{total:.0f}"] if done is not None and total is not None else []
    return "  ".join([*count, *(f"{name} {value:.3g}" for name, value in numbers.items())])
