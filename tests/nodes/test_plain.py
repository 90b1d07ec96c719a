"""Plain forms: pictures, tables and model folders that tools open which know nothing of us; and real artifacts go to
another store and keep their digests."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import nodes.plain
from graph.classes import known_kinds
from graph.code import read_code
from graph.exchange import export_artifact, import_artifact
from nodes.evaluate.scores import Score, Scores
from nodes.feedback.compile import SceneFeedback
from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.probe.probe import Probe, ProbeRow
from nodes.questions.question import Question, Questions, pool_rows, question_images
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.vocabulary import words
from nodes.report.curve import Curve, CurveRow
from nodes.scenes.extract import Extract, extract
from nodes.scenes.frames import Frames
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Room, Scene
from nodes.update.update import Log, Update
from store.collection import Collection
from store.open import open_store


@pytest.fixture(scope="module")
def kinds():
    return known_kinds(None)


@pytest.fixture
def export(small_pools, kinds, tmp_path):
    """Export an artifact; what comes back from an empty store must have its digest. Return the plain folder."""

    def write(artifact) -> Path:
        digest = small_pools.store.put(artifact)
        folder = export_artifact(small_pools.store, "it", digest, kinds, tmp_path / "out")
        assert import_artifact(open_store(str(tmp_path / "other")), folder, kinds) == digest
        return folder / "plain"

    return write


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def scenes():
    rooms = list_rooms(params=ListRooms(style="new", count=2, split="train"))
    return Collection(Scene, {key: extract(rooms[key], params=Extract(frames=3)) for key in rooms})


def test_frames_are_pictures(export, scenes):
    plain = export(scenes)
    key = next(iter(scenes))
    folder = plain / key / "frames"
    assert sorted(path.name for path in folder.iterdir()) == ["0000.png", "0001.png", "0002.png"]
    assert (np.asarray(Image.open(folder / "0002.png")) == scenes[key].frames.rgb(2)).all()


def test_scene_is_a_table_of_objects_and_relations(export, scenes):
    plain = export(scenes)
    key = next(iter(scenes))
    told, scene = json.loads((plain / key / "scene.json").read_text()), scenes[key]
    assert [item["label"] for item in told["objects"]] == scene.labels
    assert told["objects"][0]["centre_m"] == scene.centre[0].tolist()
    assert told["relations"] == [msgspec.to_builtins(edge) for edge in scene.relations]
    assert (told["id"], told["floor_m"]) == (scene.id, scene.polygon.tolist())


def test_pool_is_one_table_that_reads_back_as_questions(export, small_pools):
    plain = export(small_pools.test)
    rows = (plain / "questions.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(row, type=Question) for row in rows] == pool_rows(small_pools.test)
    assert json.loads(rows[0])["entry"] == next(iter(small_pools.test))


def test_pool_finds_its_pictures_where_its_scenes_were_imported_too(scenes, kinds, tmp_path):
    mine, other = open_store(str(tmp_path / "mine")), open_store(str(tmp_path / "other"))
    digest = mine.put(scenes)
    kept = mine.open(digest, Collection[Scene])
    pool = Collection(Questions, {key: synthesize(kept[key], None, None, params=Synthesize(), seed=1) for key in kept})
    for name, each in (("scenes", digest), ("pool", mine.put(pool))):
        export_artifact(mine, name, each, kinds, tmp_path / name)
        assert import_artifact(other, tmp_path / name, kinds) == each
    there = other.open(mine.put(pool), Collection[Questions])
    question = pool_rows(there)[0]
    assert (question_images(there, question)[0] == scenes[question.scene].frames.rgb(question.frames[0])).all()


def test_scores_of_all_rounds_are_one_table(export):
    score = Score("q", "s", "t", "left", 1.0, 0.5)
    plain = export(Collection(Scores, {"0001": Scores([score], False), "0002": Scores([score, score], False)}))
    assert [row["entry"] for row in lines(plain / "scores.jsonl")] == ["0001", "0002", "0002"]


def test_probe_tells_what_was_measured_and_what_it_earned(export):
    row = ProbeRow("q", "s", "t", "x", 0.5, 0.5, 0.25, 0.1, p_option=float("nan"))
    plain = export(Probe([row], {"accuracy": np.array([[1.0, 0.0]]), "format": np.array([[1.0, 1.0]])}))
    told = lines(plain / "probe.jsonl")
    rewards = {"accuracy": [1.0, 0.0], "format": [1.0, 1.0]}
    assert told == [{**msgspec.to_builtins(row), "p_option": None, "rewards": rewards}]


def test_curve_is_a_picture_and_a_table(export):
    row = CurveRow("test", 0, 9, 0.5, 0.4, 0.6, float("nan"), 0.0, 0.0)
    plain = export(Curve([row], b"picture"))
    assert (plain / "curve.png").read_bytes() == b"picture"
    assert lines(plain / "curve.jsonl") == [{**msgspec.to_builtins(row), "gain": None}]


def test_log_is_a_row_a_step(export):
    plain = export(Log({"loss": np.array([1.5, np.nan]), "reward": np.array([0.0, 1.0])}))
    assert lines(plain / "log.jsonl") == [
        {"step": 1, "loss": 1.5, "reward": 0.0},
        {"step": 2, "loss": None, "reward": 1.0},
    ]


def test_rooms_and_feedback_are_a_line_an_entry(export, tmp_path):
    plain = export(Collection(SceneFeedback, {"s": SceneFeedback(12, {"count": 50})}))
    assert lines(plain / "feedback.jsonl") == [{"entry": "s", "budget": 12, "weights": {"count": 50}}]


def test_room_is_told_whole(export):
    plain = export(Room("r", "procedural", "r", "train", "free", {"seed": 1}))
    told = {"id": "r", "source": "procedural", "place": "r", "split": "train", "terms": "free", "data": {"seed": 1}}
    assert lines(plain / "room.jsonl") == [told]


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl"])
def test_policy_is_a_model_folder_with_equal_bits(export, family):
    policy = build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)
    log = Log({"loss": np.array([1.0])})
    folder = export(Update(policy, log)) / "weights"
    model, facts = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True, local_files_only=True)
    assert not facts["missing_keys"] and not facts["unexpected_keys"] and not facts["mismatched_keys"]
    state = model.state_dict()
    for name, values in policy.tensors().items():
        assert state[name].dtype == torch.from_numpy(values.copy()).dtype
        assert state[name].numpy().tobytes() == values.tobytes()
    if family == "idefics3":  # transformers' Qwen processor asks for torchvision
        assert AutoProcessor.from_pretrained(folder, local_files_only=True).tokenizer("left").input_ids


def test_policy_without_weights_has_no_model_folder(export, tmp_path):
    assert not export(scripted_policy({"count": 0.5})).exists()


@pytest.mark.parametrize(
    "target",
    [
        "nodes.update.grpo:grpo",
        "nodes.scenes.extract:extract",
        "nodes.report.curve:curve",
        "nodes.probe.confidence:probe",
    ],
)
def test_how_things_are_saved_is_in_no_key(target):
    code = read_code(*target.split(":"))
    assert not [label for label in code.units if label.startswith("nodes/plain.py")]
    assert "nodes.plain" not in code.sources


def test_every_type_with_a_plain_form_names_a_function():
    for cls in (Curve, Frames, Log, Policy, Probe, Questions, Room, Scene, SceneFeedback, Scores):
        module, _, name = cls.plain.partition(":")
        assert module == "nodes.plain" and callable(getattr(nodes.plain, name))
