"""Samples: questions of some rounds with what they show, their program, and what the policy said to them.

Shown are pools that were rolled out: of the first, the middle and the last round, evenly by task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nodes.probe.probe import Probe, ProbeRow
from nodes.questions.pages.page import Album, Card, Scenes, card_of, picture_px, sample
from nodes.questions.question import Questions
from nodes.report.sections.section import Given, Material, Section, render, series
from nodes.rollouts.rollouts import Rollouts
from nodes.scenes.scene import Scene
from store.artifact import Artifact
from store.collection import Collection

PER_ROUND = 20
MASTERED, HOPELESS = 0.9, 0.1


class Said(NamedTuple):
    """One rollout: its text, and its rewards by name."""

    text: str
    rewards: list[tuple[str, float]]


class Sample(NamedTuple):
    """A question as it was asked in a round, with what was said to it."""

    card: Card
    of: str
    round: str
    difficulty: str
    pass_rate: float | None
    said: list[Said]


def section(material: Material) -> Section | None:
    """Return the section, None where nothing was rolled out."""
    chosen = list(_chosen(material))
    drawn = [(given, probe, said, place, row, pool) for given, probe, said, pool in chosen for place, row in pool[1]]
    if not drawn:
        return None
    scenes = Scenes(lambda cls: Rooms(material))
    edge = picture_px(row for *_, row, _ in drawn)
    albums: dict[str, Album] = {}
    samples, pictures = [], {}
    for given, probe, said, place, row, (opened, _) in drawn:
        album = albums.setdefault(given.label, Album(opened, edge, prefix=f"s{len(albums)}-"))
        of = series(material, given)
        samples.append(
            _sample(card_of(place, row, scenes, album), of, given.round, probe.get(row.id), said.get(row.id, []))
        )
    for album in albums.values():
        pictures.update(album.embedded)
    return Section("Samples", 50, render("samples.html.j2", samples=samples, pictures=pictures))


def _sample(card: Card, of: str, round: int | None, row: ProbeRow | None, said: list[Said]) -> Sample:
    rate = row.pass_rate if row is not None and row.pass_rate == row.pass_rate else None
    difficulty = "" if rate is None else "easy" if rate >= MASTERED else "hard" if rate <= HOPELESS else "between"
    return Sample(card, of, "" if round is None else str(round), difficulty, rate, said)


def _chosen(material: Material) -> Iterator[tuple[Given, Mapping[str, ProbeRow], Mapping[str, list[Said]], tuple]]:
    """Yield the rollouts of some rounds: which they are, the probe's rows, what was said, and a sample of the pool."""
    probes = {(given.run, given.variant, given.round): given for given in material.of(Probe)}
    by_series: dict[str, list[Given]] = {}
    for given in material.of(Rollouts):
        by_series.setdefault(series(material, given), []).append(given)
    for own in by_series.values():
        for given in dict.fromkeys((own[0], own[len(own) // 2], own[-1])):
            rollouts = material.open(given, Rollouts)
            pool = material.input(given, "questions", Collection[Questions])
            if rollouts is None or pool is None:
                continue
            known = probes.get((given.run, given.variant, given.round))
            probe = material.open(known, Probe) if known is not None else None
            ids = {row.id for row in rollouts.rows}
            rows = {scene: [row for row in pool[scene].rows if row.id in ids] for scene in pool}
            opened = {scene: pool[scene] for scene in pool}
            yield given, probe.by_id() if probe else {}, _said(rollouts, probe), (opened, sample(rows, PER_ROUND))


def _said(rollouts: Rollouts, probe: Probe | None) -> dict[str, list[Said]]:
    rewards = probe.rewards() if probe is not None else {}
    at = {row.id: index for index, row in enumerate(probe.rows)} if probe is not None else {}
    said = {}
    for asked, texts in zip(rollouts.rows, rollouts.drawn().texts, strict=True):
        own = at.get(asked.id)
        terms = [(name, values[own].tolist()) for name, values in rewards.items()] if own is not None else []
        said[asked.id] = [Said(text, [(name, values[k]) for name, values in terms]) for k, text in enumerate(texts)]
    return said


class Rooms(Mapping[str, Artifact]):
    """The scenes of the runs by id, each opened when it is asked for."""

    def __init__(self, material: Material) -> None:
        self._held: dict[str, Collection[Scene]] = {}
        for given in material.of(Collection[Scene]):
            scenes = material.open(given, Collection[Scene])
            self._held.update(dict.fromkeys(scenes, scenes) if scenes is not None else {})

    def __getitem__(self, key: str) -> Artifact:
        return self._held[key][key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
