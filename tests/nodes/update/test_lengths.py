"""Lengths: counted as the processor counts, and what is too long is dropped whole."""

from __future__ import annotations

import io

import msgspec
import pytest
from PIL import Image

from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import Policy, load_model
from nodes.policy.rollout import Pictures, Rollout, prompt_messages
from nodes.questions.files.pictures import Intake
from nodes.questions.question import QuestionPool, Questions, pool_rows
from nodes.questions.vocabulary import words
from nodes.update.conversations import conversations
from nodes.update.grpo import Grpo, grpo
from nodes.update.lengths import Lengths
from nodes.update.sft import Sft, conversation_row, sft
from store.collection import Collection
from tests.nodes.conftest import SmallPools


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl"])
def test_prompts_and_conversations_are_as_long_as_the_processor_makes_them(
    family: str, small_pools: SmallPools
) -> None:
    policy = build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)  # type: ignore[arg-type]
    _, processor = load_model(policy)
    pictures, rows = Pictures(small_pools.train), pool_rows(small_pools.train)[:9]
    rows[0] = msgspec.structs.replace(rows[0], frames=(0, 1, 2))
    rows[1] = msgspec.structs.replace(rows[1], frames=())
    lengths = Lengths(processor, pictures, Rollout(frames=3))
    assert lengths.of_prompts(rows) == [
        _tokens(processor, prompt_messages(row, pictures.of(row)), True) for row in rows
    ]
    # A picture is 16 tokens between two marks or three.
    assert 3 * 18 <= lengths.of_pictures(rows) <= 3 * 19 and lengths.of_pictures(rows[1:2]) == 0
    talks, dropped = conversations(rows, [row.answer for row in rows], 3, 1, lengths, 999)
    assert dropped == 0
    for talk in talks:
        row = conversation_row(talk.rows, pictures, Rollout())
        for slot, image in zip(row["messages"][0]["content"], row["images"]):
            slot["image"] = image
        exact = _tokens(processor, row["messages"], False)
        assert exact <= talk.n_tokens <= exact + len(talk.rows)  # an end may come with white space after it


def _tokens(processor: object, messages: list, asks: bool) -> int:
    images = [part["image"] for message in messages for part in message["content"] if part["type"] == "image"]
    text = processor.apply_chat_template(messages, add_generation_prompt=asks, tokenize=False)  # type: ignore[attr-defined]
    ids = processor(text=[text], images=[images] if images else None)["input_ids"]  # type: ignore[operator]
    return len(ids[0])


def test_questions_on_the_same_frames_become_turns_of_one_conversation(
    small_pools: SmallPools, small_policy: Policy
) -> None:
    rows = pool_rows(small_pools.train)
    lengths = Lengths(load_model(small_policy)[1], Pictures(small_pools.train), Rollout())
    talks, _ = conversations(rows, [row.answer for row in rows], 3, 1, lengths, 999)
    assert sorted(row.id for talk in talks for row in talk.rows) == sorted(row.id for row in rows)
    assert all(len({(row.scene, row.frames) for row in talk.rows}) == 1 and len(talk.rows) <= 3 for talk in talks)
    # A context in which one turn fits, and two do not.
    longest = max(conversations(rows, [row.answer for row in rows], 1, 1, lengths, 999)[0], key=lambda t: t.n_tokens)
    short, dropped = conversations(rows, [row.answer for row in rows], 3, 1, lengths, longest.n_tokens)
    assert dropped == 0 and {len(talk.rows) for talk in short} == {1}


def test_what_is_longer_than_the_context_is_dropped_and_counted(small_pools: SmallPools, small_policy: Policy) -> None:
    rows = pool_rows(small_pools.train)
    long = msgspec.structs.replace(rows[0], id="long", prompt=" ".join([rows[0].prompt] * 400))
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    here = [row for row in rows if row.scene == rows[0].scene]
    pool: QuestionPool = Collection(Questions, {rows[0].scene: Questions([long, *here], frames)})
    note = "1 questions longer than the policy's context of 2048 tokens were dropped"
    assert sft(small_policy, pool, params=Sft(steps=1, batch=2), seed=1).log.note == note
    assert grpo(small_policy, pool, params=Grpo(steps=1, prompts=4, group=2), seed=1).log.note == note
    alone: QuestionPool = Collection(Questions, {rows[0].scene: Questions([long], frames)})
    assert grpo(small_policy, alone, params=Grpo(steps=1, prompts=4, group=2), seed=1).log.note == (
        note + "; no questions: the policy goes on as it is"
    )


def test_pictures_from_files_are_each_of_their_own_size(small_pools: SmallPools) -> None:
    policy = build_tiny(Build(family="qwen3_vl", width=32, vision_width=32), words(), seed=1)
    _, processor = load_model(policy)
    processor.image_processor.size = {"shortest_edge": 16 * 16, "longest_edge": 1 << 20}  # as they come, within limits
    intake, first = Intake(), pool_rows(small_pools.train)[0]
    for size in ((64, 64), (256, 128), (512, 512)):
        with io.BytesIO() as file:
            Image.new("RGB", size, "red").save(file, "PNG")
            intake.add(file.getvalue())
    shown = [(0,), (1,), (2,), (0, 2), (2, 1), (1, 2)]
    rows = [msgspec.structs.replace(first, id=str(frames), frames=frames) for frames in shown]
    pictures = Pictures(Collection(Questions, {first.scene: Questions(rows, intake.frames())}), pixels=128 * 128)
    counted = Lengths(processor, pictures, Rollout(frames=2)).of_prompts(rows)
    assert counted == [_tokens(processor, prompt_messages(row, pictures.of(row)), True) for row in rows]
    assert counted[0] < counted[2] and counted[4] == counted[5]
