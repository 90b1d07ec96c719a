"""The word-level tokenizer and the prompts it reads."""

from __future__ import annotations

import pytest

from nodes.policy.policy import Policy, load_model
from nodes.policy.rollout import Pictures, prompt_messages
from nodes.policy.tokenizer import UNKNOWN, word_tokenizer
from nodes.questions.question import pool_rows
from nodes.questions.vocabulary import split_words, words
from tests.nodes.conftest import SmallPools


def test_it_splits_as_the_vocabulary_does() -> None:
    text = "A. How many boxes (12.5 m)? Is the red box front-left, or not"
    tokenizer = word_tokenizer([*words(), *split_words(text)], "idefics3")
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == split_words(text)


@pytest.mark.parametrize("answer", ["221", "2.3", "0.5", "yes", "A", "7"])
def test_decoding_gives_an_answer_back(answer: str) -> None:
    tokenizer = word_tokenizer(words(), "idefics3")
    assert tokenizer.decode(tokenizer(answer)["input_ids"], skip_special_tokens=True) == answer


def test_no_rendered_prompt_or_answer_holds_an_unknown_word(small_pools: SmallPools, small_policy: Policy) -> None:
    # `{%- ... -%}` in a chat template once glued the role to the answer: unknown words, and accuracy 0.
    _, processor = load_model(small_policy)
    for question in pool_rows(small_pools.train):
        user = prompt_messages(question, Pictures(small_pools.train).of(question))
        talk = [*user, {"role": "assistant", "content": [{"type": "text", "text": question.answer}]}] * 2
        text = processor.apply_chat_template(talk, tokenize=False)
        assert UNKNOWN not in processor.tokenizer.convert_ids_to_tokens(processor.tokenizer(text)["input_ids"])
        assert f"<assistant>{question.answer}<end_of_utterance>" in text


def test_training_counts_the_answers_and_their_ends_alone(small_pools: SmallPools, small_policy: Policy) -> None:
    _, processor = load_model(small_policy)
    question = pool_rows(small_pools.train)[0]
    user = prompt_messages(question, Pictures(small_pools.train).of(question))
    talk = [*user, {"role": "assistant", "content": [{"type": "text", "text": question.answer}]}]
    out = processor.apply_chat_template(
        [talk], tokenize=True, return_dict=True, return_tensors="pt", return_assistant_tokens_mask=True
    )
    counted = out["input_ids"][0][out["assistant_masks"][0].bool()]
    assert processor.tokenizer.convert_ids_to_tokens(counted) == [question.answer, "<end_of_utterance>"]
