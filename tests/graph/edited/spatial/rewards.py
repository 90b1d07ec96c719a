"""Rewards, of which a spec names one."""

from __future__ import annotations

from typing import Protocol


class Reward(Protocol):
    def __call__(self, answer: str, truth: str) -> float: ...


def accuracy(answer: str, truth: str) -> float:
    return FULL * (plain(answer) == plain(truth))


def brevity(answer: str, truth: str) -> float:
    return 1 / len(answer)


def plain(text: str) -> str:
    return text.strip().lower()


FULL = 1.0
