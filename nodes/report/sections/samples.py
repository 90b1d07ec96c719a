"""Samples: questions of some rounds with what they show, their program, and what the policy said to them.

Shown are pools that were rolled out: of the first, the middle and the last round, evenly by task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nodes.probe.probe import Probe, ProbeRow
from nodes.questions.pages.page import Album, Card, Scenes, card_of, picture_px, sample
from nodes.questions.question import Question, Questions
from nodes.report.sections.section import Given, Material, Section, render, series
from nodes.rollouts.rollouts import Rollouts
from nodes.scenes.scene import Scene
from store.artifact import Artifact
from store.collection import Collection

PER_ROUND = 20  # of three rounds; fewer where there are more
MOST_ROUNDS = 24
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


class Asked(NamedTuple):
    """The rollouts of one round: the probe's rows and what was said by id, the pool, and the questions shown."""

    given: Given
    probe: Mapping[str, ProbeRow]
    said: Mapping[str, list[Said]]
    pool: Mapping[str, Questions]
    rows: list[tuple[str, Question]]


def section(material: Material) -> Section | None:
    """Return the section, None where nothing was rolled out."""
    asked = _asked(material)
    scenes = Scenes(lambda cls: Rooms(material))
    edge = picture_px(row for one in asked for _, row in one.rows)
    samples: list[Sample] = []
    pictures: dict[str, tuple[str, int, int]] = {}
    for number, one in enumerate(asked):
        album = Album(one.pool, edge, prefix=f"s{number}-")
        of = series(material, one.given)
        samples += [_sample(card_of(place, row, scenes, album), of, one, row.id) for place, row in one.rows]
        pictures.update(album.embedded)
    return Section("Samples", 50, render("samples.html.j2", samples=samples, pictures=pictures)) if samples else None


def _sample(card: Card, of: str, asked: Asked, name: str) -> Sample:
    row, round = asked.probe.get(name), asked.given.round
    rate = row.pass_rate if row is not None and row.pass_rate == row.pass_rate else None
    difficulty = "" if rate is None else "easy" if rate >= MASTERED else "hard" if rate <= HOPELESS else "between"
    return Sample(card, of, "" if round is None else str(round), difficulty, rate, asked.said.get(name, []))


def _asked(material: Material) -> list[Asked]:
    probes = {(given.run, material.read(given, "rollouts")): given for given in material.of(Probe)}
    by_series: dict[str, list[Given]] = {}
    for given in material.of(Rollouts):
        by_series.setdefault(series(material, given), []).append(given)
    shown = [given for own in by_series.values() for given in dict.fromkeys((own[0], own[len(own) // 2], own[-1]))]
    asked = []
    for given in shown[:MOST_ROUNDS]:
        rollouts = material.open(given, Rollouts)
        pool = material.input(given, "questions", Collection[Questions])
        if rollouts is None or pool is None:
            continue
        known = probes.get((given.run, given.digest))
        probe = material.open(known, Probe) if known is not None else None
        ids = {row.id for row in rollouts.rows}
        opened = {scene: pool[scene] for scene in pool}
        rows = {scene: [row for row in questions.rows if row.id in ids] for scene, questions in opened.items()}
        n = max(3, PER_ROUND * 3 // min(len(shown), MOST_ROUNDS))
        asked.append(Asked(given, probe.by_id() if probe else {}, _said(rollouts, probe), opened, sample(rows, n)))
    return asked


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
