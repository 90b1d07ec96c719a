"""Plain forms of our types: what `dataflow export` writes for people and for tools that know nothing of us.

Types name their writer as text (`plain`), so nothing here is in an action key. A writer gets all artifacts of its type
by their place in what is exported ("" for itself, `scene0011_00/frames`), each opened when it is asked for. JSON knows
no NaN and no infinity: null stands for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from nodes.policy.folder import write_folder
from store.artifact import Artifact

if TYPE_CHECKING:
    from nodes.evaluate.marks import Marks
    from nodes.feedback.compile import SceneFeedback
    from nodes.policy.policy import Policy
    from nodes.probe.probe import Probe
    from nodes.report.curve import Curve
    from nodes.report.efficiency import Compared
    from nodes.rollouts.rollouts import Rollouts
    from nodes.scenes.frames import Frames
    from nodes.scenes.sample import Sample
    from nodes.scenes.scene import Room, Scene
    from nodes.update.update import Log

A = TypeVar("A", bound=Artifact)


def write_rows(artifacts: Mapping[str, Any], folder: Path) -> None:
    """Write the rows of all as one table: `questions.jsonl`."""
    _write_table(artifacts, folder, lambda artifact: (msgspec.structs.asdict(row) for row in artifact.rows))


def write_rooms(rooms: Mapping[str, Room], folder: Path) -> None:
    """Write `room.jsonl`, a room a line."""
    fields = ("id", "source", "place", "split", "terms", "data")
    _write_table(rooms, folder, lambda room: [{name: getattr(room, name) for name in fields}])


def write_samples(samples: Mapping[str, Sample], folder: Path) -> None:
    """Write `sample.jsonl`, a scene a line: the indices of its shown frames."""
    _write_table(samples, folder, lambda sample: [{"scene": sample.scene, "frames": sample.indices}])


def write_feedback(feedback: Mapping[str, SceneFeedback], folder: Path) -> None:
    """Write `feedback.jsonl`, a scene a line."""
    _write_table(feedback, folder, lambda scene: [{"budget": scene.budget, "weights": scene.weights}])


def write_probe(probes: Mapping[str, Probe], folder: Path) -> None:
    """Write `probe.jsonl`, a question a line with its K rewards by name."""

    def rows(probe: Probe) -> Iterable[dict[str, Any]]:
        rewards = probe.rewards()
        for index, row in enumerate(probe.rows):
            yield {**msgspec.structs.asdict(row), "rewards": {name: of[index].tolist() for name, of in rewards.items()}}

    _write_table(probes, folder, rows)


def write_rollouts(rollouts: Mapping[str, Rollouts], folder: Path) -> None:
    """Write `rollouts.jsonl`, a question a line with its K texts."""

    def rows(drawn: Rollouts) -> Iterable[dict[str, Any]]:
        for asked, texts, n_tokens in zip(
            drawn.rows, drawn.drawn().texts, drawn.drawn().n_tokens.tolist(), strict=True
        ):
            yield {"id": asked.id, "texts": texts, "n_tokens": n_tokens}

    _write_table(rollouts, folder, rows)


def write_log(logs: Mapping[str, Log], folder: Path) -> None:
    """Write `log.jsonl`, a training step a line."""

    def rows(log: Log) -> Iterable[dict[str, Any]]:
        columns = [values.tolist() for values in log.metrics.values()]
        for step, values in enumerate(zip(*columns, strict=True), start=1):
            yield {"step": step, **dict(zip(log.metrics, values))}

    _write_table(logs, folder, rows)


def write_curve(curves: Mapping[str, Curve], folder: Path) -> None:
    """Write `curve.jsonl`, and each curve's picture as `curve.png`."""
    write_rows(curves, folder)
    for place, curve in curves.items():
        (_make(folder, place) / "curve.png").write_bytes(curve.png)


def write_efficiency(compared: Mapping[str, Compared], folder: Path) -> None:
    """Write each comparison's arms and ratios as `efficiency.jsonl`, and its picture as `efficiency.png`."""
    _write_table(compared, folder, lambda one: (msgspec.structs.asdict(row) for row in [*one.arms, *one.ratios]))
    for place, one in compared.items():
        (_make(folder, place) / "efficiency.png").write_bytes(one.png)


def write_marks(marks: Mapping[str, Marks], folder: Path) -> None:
    """Write the table of each benchmark as `marks.jsonl`, a line a task or total."""
    _write_table(marks, folder, lambda one: map(msgspec.structs.asdict, one.lines))


def write_pictures(scenes: Mapping[str, Frames], folder: Path) -> None:
    """Write every frame's colours as `0000.png`, by its index; depth and instance ids are arrays, not pictures."""
    from PIL import Image

    for place, frames in scenes.items():
        target = _make(folder, place)
        for index in range(len(frames)):
            Image.fromarray(frames.rgb(index)).save(target / f"{index:04d}.png")


def write_scenes(scenes: Mapping[str, Scene], folder: Path) -> None:
    """Write `scene.json`: who it is, its floor, its objects as boxes, and how they stand to each other."""
    for place, scene in scenes.items():
        boxes = zip(scene.labels, scene.centre, scene.size, scene.rotation, scene.first_seen_s, strict=True)
        objects = [
            {
                "label": label,
                "centre_m": centre.tolist(),
                "size_m": size.tolist(),
                "axes": rotation.tolist(),
                "first_seen_s": float(seen),
            }
            for label, centre, size, rotation, seen in boxes
        ]
        identity = {name: getattr(scene, name) for name in ("id", "source", "place", "split", "terms", "style")}
        facts = {"area_m2": scene.area_m2, "floor_m": scene.polygon.tolist(), "counts": scene.counts}
        told = {**identity, **facts, "objects": objects, "relations": list(scene.relations)}
        (_make(folder, place) / "scene.json").write_bytes(msgspec.json.encode(told) + b"\n")


def write_models(policies: Mapping[str, Policy], folder: Path) -> None:
    """Write a Hugging Face model folder: config, tokenizer, processor and `model.safetensors`. Tied tensors stand in it
    once, as the config says; an adapter is worked into the weights; a scripted policy has no folder."""
    for place, policy in policies.items():
        if policy.tensors():
            write_folder(policy, _make(folder, place))


def _write_table(artifacts: Mapping[str, A], folder: Path, rows: Callable[[A], Iterable[dict[str, Any]]]) -> None:
    """Write one JSONL file named by the type; where there are several, each line begins with its artifact's place."""
    name = next(iter(artifacts.values())).type.partition("/")[0]
    with open(_make(folder, "") / f"{name}.jsonl", "xb") as file:
        for place, artifact in artifacts.items():
            entry = {"entry": place} if place else {}
            file.writelines(msgspec.json.encode({**entry, **row}) + b"\n" for row in rows(artifact))


def _make(folder: Path, place: str) -> Path:
    (folder / place).mkdir(parents=True, exist_ok=True)
    return folder / place
