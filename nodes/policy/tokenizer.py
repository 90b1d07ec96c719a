"""A word-level tokenizer with its chat template, for policies small enough to learn in a minute.

One token a word, a digit or a punctuation mark, so that every short answer is one token. It knows no other words:
what is not in its list becomes `<unk>`, and a test holds that no prompt of ours contains one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.decoders import Decoder
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, END, USER, ASSISTANT = "<pad>", "<unk>", "<end_of_utterance>", "<user>", "<assistant>"
IDEFICS3_TOKENS = ("<fake_token_around_image>", "<image>", "<global-img>")
QWEN3_VL_TOKENS = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")
IMAGE_SLOT = {"idefics3": "<image>", "qwen3_vl": "<|vision_start|><|image_pad|><|vision_end|>"}


def word_tokenizer(words: Sequence[str], family: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer that gives each of `words`, each digit and the dot one token.

    Decoding puts a number together again: `2 2 1` is read as `221` and `2 . 3` as `2.3`.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    special = [PAD, UNKNOWN, END, USER, ASSISTANT, *IDEFICS3_TOKENS, *QWEN3_VL_TOKENS]
    known = dict.fromkeys([*special, *"0123456789.", *sorted(set(words))])
    engine = Tokenizer(WordLevel({word: index for index, word in enumerate(known)}, unk_token=UNKNOWN))
    engine.add_special_tokens(special)
    engine.pre_tokenizer = _splitter()
    engine.decoder = _joiner()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=engine,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = chat_template(IMAGE_SLOT[family])
    return tokenizer


def chat_template(image_slot: str) -> str:
    """Return a Jinja chat template that marks the assistant's words and their end for training.

    It is one line without a single `-` beside a brace: `{%- ... -%}` eats the white space around it, which glued the
    role to the answer (`assistantleft`, an unknown word) while the loss went on falling. The roles are special
    tokens, which need no white space at all.
    """
    part = "{% if part['type'] == 'image' %}" + image_slot + "{% else %}{{ part['text'] }}{% endif %}"
    text = (
        "{% if message['content'] is string %}{{ message['content'] }}"
        "{% else %}{% for part in message['content'] %}" + part + "{% endfor %}{% endif %}"
    )
    answer = "{% generation %}" + text + END + "{% endgeneration %}"
    turn = (
        "{% if message['role'] == 'assistant' %}"
        + ASSISTANT
        + answer
        + "{% else %}"
        + USER
        + text
        + END
        + "{% endif %}"
    )
    start = "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
    return "{% for message in messages %}" + turn + "{% endfor %}" + start


def _splitter() -> PreTokenizer:
    """Split as `nodes.questions.vocabulary.split_words` does."""
    from tokenizers import Regex, pre_tokenizers

    words = pre_tokenizers.Split(Regex(r"[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]"), behavior="isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), words])


def _joiner() -> Decoder:
    """Join tokens with spaces, but for the digits and the dot of a number."""
    from tokenizers import Regex, decoders

    return decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),  # a space before every token but the first
            decoders.Fuse(),
            decoders.Replace(Regex(r"(?<=[0-9]) (?=[0-9.])"), ""),
            decoders.Replace(Regex(r"(?<=[0-9]\.) (?=[0-9])"), ""),
        ]
    )
