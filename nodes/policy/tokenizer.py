"""A word-level tokenizer with its chat template, for policies small enough to learn in a minute.

One token a word, a digit, a punctuation mark or a tag of a trace, so that every short answer is one token. It knows no
other words: what is not in its list becomes `<unk>`, and tests hold that no prompt and no trace of ours contains one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.questions.vocabulary import TAGS

if TYPE_CHECKING:
    from tokenizers.decoders import Decoder
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, END, USER, ASSISTANT = "<pad>", "<unk>", "<end_of_utterance>", "<user>", "<assistant>"
IDEFICS3_TOKENS = ("<fake_token_around_image>", "<image>", "<global-img>")
QWEN_TOKENS = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")
IMAGE_SLOT = {family: "<image>" for family in ("idefics3", "smolvlm", "llava")} | {
    family: "<|vision_start|><|image_pad|><|vision_end|>" for family in ("qwen2_5_vl", "qwen3_vl")
}
GAPS = (  # spaces that decoding leaves out, one kind after the other
    *(r"(?<=[0-9]) (?=[0-9.])", r"(?<=[0-9]\.) (?=[0-9])", r"(?<=-) (?=[0-9])"),
    *(r"(?<=[\[({]) ", r" (?=[\])}.,:?])"),
    *(r"(?<=<(?:think|answer)>|<map>) ", r" (?=</)"),
    *(r'(?<=\{") ', r'(?<=\], ") ', r' (?=":)'),
)


def word_tokenizer(words: Sequence[str], family: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer that gives each of `words`, each digit and the dot one token.

    Decoding puts a number together again: `2 2 1` is read as `221` and `2 . 3` as `2.3`; a trace is read as it was
    written. Its tags are words like any other: what leaves out special tokens keeps them.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    special = [PAD, UNKNOWN, END, USER, ASSISTANT, *IDEFICS3_TOKENS, *QWEN_TOKENS]
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

    words = pre_tokenizers.Split(Regex("|".join([*TAGS, r"[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]"])), behavior="isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), words])


def _joiner() -> Decoder:
    """Join tokens with spaces, but for those that a trace has none of: in numbers, tags and maps, before marks."""
    from tokenizers import Regex, decoders

    return decoders.Sequence(
        [
            decoders.WordPiece(prefix="##", cleanup=False),  # a space before every token but the first
            decoders.Fuse(),
            *(decoders.Replace(Regex(gap), "") for gap in GAPS),
            decoders.Replace(Regex("(?<=[a-z]) - (?=[a-z])"), "-"),
        ]
    )
