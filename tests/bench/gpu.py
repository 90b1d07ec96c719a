"""A policy of a real size on a GPU: loading, draws and updates, with tokens a second and memory.

    python -m tests.bench.gpu [--draws 256] [--tokens 64] [--steps 6] [--turns 2]

It has the shape of Qwen3-VL-2B, random weights in bfloat16, and our tokenizer, so its answers never end by themselves:
every one takes all its tokens. Beside ours stand `generate` and bare TRL with the same settings, in one sitting. A
picture takes 64 tokens. Updates train an adapter of rank 64.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodes.policy.answers import ModelAnswerer
from nodes.policy.folder import write_folder
from nodes.policy.policy import Policy, load_model, policy_from
from nodes.policy.processors import frames_processor, open_processor
from nodes.policy.rollout import Rollout
from nodes.policy.tokenizer import word_tokenizer
from nodes.questions.question import QuestionPool, pool_rows
from nodes.questions.vocabulary import words
from store.open import Store, open_store
from tests.bench.probe import SAMPLES, generate, made_pool
from tests.bench.update import How, compare

FAMILY = "qwen3_vl"
TEXT = {
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 32768,
    "rope_parameters": {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20]},
}  # fmt: skip
VISION = {
    "hidden_size": 1024, "intermediate_size": 4096, "depth": 24, "num_heads": 16, "patch_size": 16,
    "out_hidden_size": 2048, "num_position_embeddings": 2304, "deepstack_visual_indexes": [5, 11, 17],
}  # fmt: skip
PICTURE = {"shortest_edge": 65_536, "longest_edge": 65_536}  # px
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="two layers of width 128: to see that it runs")
    parser.add_argument("--draws", type=int, default=256, help="questions")
    parser.add_argument("--tokens", type=int, default=64, help="an answer")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name) / "model", open_store(name)
        policy = stored(store, folder, given.small, given.device)
        pool = made_pool(name, given.draws)
        loading(store, policy, folder, given.device)
        drawing(store.open(policy, Policy), pool, given.draws, given.tokens, given.device)
        how = How(
            {"prompts": 8, "group": 8},
            {"batch": 8, "turns": 8},
            {"device": given.device, "dtype": "bfloat16", "max_tokens": given.tokens},
            rank=64,
        )
        compare(name, given.steps, given.turns, how, {"policy": policy, "questions": str(pool.digest)})


def stored(store: Store, folder: Path, small: bool, device: str) -> str:
    """Store a random policy and write it as a folder; return its digest."""
    import torch
    from transformers import AutoModelForImageTextToText, Qwen3VLConfig
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = word_tokenizer(words(), FAMILY)
    images = Qwen2VLImageProcessorPil(patch_size=16, merge_size=2, temporal_patch_size=2, size=PICTURE)
    processor = frames_processor(FAMILY)(images, tokenizer, chat_template=tokenizer.chat_template)
    less: dict[str, Any] = {"hidden_size": 128, "intermediate_size": 256}
    text = TEXT | (less | {"num_hidden_layers": 2} if small else {})
    vision = VISION | (less | {"depth": 2, "out_hidden_size": 128, "deepstack_visual_indexes": [0]} if small else {})
    ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    names = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
    ends = {"vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>"}
    config = Qwen3VLConfig(
        text_config=text | ids | {"tie_word_embeddings": True},
        vision_config=vision,
        tie_word_embeddings=True,
        **{f"{name}_token_id": tokenizer.convert_tokens_to_ids(word) for name, word in (names | ends).items()},
    )
    torch.manual_seed(1)
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    began = time.perf_counter()
    policy = policy_from(model.cpu(), processor, ())
    digest = store.put(policy)
    folder.mkdir()
    write_folder(policy, folder)
    size = sum(values.nbytes for values in policy.tensors().values())
    print(f"{size / 1e9:.2f} GB, stored and written as a folder in {time.perf_counter() - began:.1f} s", flush=True)
    return digest


def loading(store: Store, digest: str, folder: Path, device: str) -> None:
    """Print the seconds until a policy is on the device, from the store and from its folder; the best of three."""
    import torch
    from transformers import AutoModelForImageTextToText

    def from_folder() -> Any:
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16, local_files_only=True)
        return model.to(device), open_processor(folder, FAMILY)

    def from_store() -> Any:
        return load_model(store.open(digest, Policy), device, "bfloat16")

    for name, load in (("from_pretrained", from_folder), ("from the store", from_store)):
        print(f"{name:16} on the device in {min(clocked(load)[0] for _ in range(3)):.2f} s", flush=True)


def drawing(policy: Policy, pool: QuestionPool, n: int, tokens: int, device: str) -> None:
    """Print what K samples a question cost by `generate` and by one prefill, with long answers and with one token."""
    rows = pool_rows(pool)[:n]
    for most in (tokens, 1):
        answerer = ModelAnswerer(policy, Rollout(max_tokens=most, device=device, dtype="bfloat16"), BATCH)  # type: ignore[arg-type]
        ways: dict[str, Callable[[], object]] = {
            "generate": lambda a=answerer, m=most: generate(a, rows, pool, False, m),  # type: ignore[misc]
            "ours": lambda a=answerer: a.draw(rows, pool, SAMPLES, 1),  # type: ignore[misc]
        }
        for name, draw in ways.items():
            draw()  # what is loaded and chosen at first use
            seconds, peak = clocked(draw)
            said = n * SAMPLES * most / seconds
            print(
                f"{n} questions x {SAMPLES} x {most} tokens, {name:9} {n / seconds:7.1f} questions/s"
                f" {said:9,.0f} tokens/s  peak {peak / 2**20:,.0f} MiB",
                flush=True,
            )


def clocked(work: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds that something takes, to its end on the GPU, and the most bytes that the GPU held."""
    import torch

    is_gpu = torch.cuda.is_available()
    if is_gpu:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    work()
    if is_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - began, torch.cuda.max_memory_allocated() if is_gpu else 0


if __name__ == "__main__":
    main()
