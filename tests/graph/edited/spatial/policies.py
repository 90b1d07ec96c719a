"""Policies: methods behind receivers of unknown type."""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple


class Case(enum.Enum):
    LOWER = "lower"
    UPPER = "upper"


class Answer(NamedTuple):
    text: str
    weight: float = 0.5


@dataclasses.dataclass
class Settings:
    beams: int = 4


class Family:
    """Knows its members."""

    members: dict[str, type] = {}

    def __init_subclass__(cls) -> None:
        cls.members[cls.__name__.lower()] = cls


class Policy(Family):
    temper = 0.7
    case = Case.LOWER

    def __init__(self) -> None:
        self.settings = Settings()

    def __len__(self) -> int:
        return self.settings.beams

    @property
    def name(self) -> str:
        return f"policy {self.kind()}"

    @staticmethod
    def kind() -> str:
        return "any"

    def generate(self, text: str) -> str:
        return f"{text}: {self.best().text}"

    def best(self) -> Answer:
        return Answer(getattr(str, self.case.value)("Here"))


class Loud:
    """Mixed in."""

    def best(self) -> Answer:
        found = super().best()
        return found._replace(text=f"{found.text}! {found.weight}")


class Tiny(Loud, Policy):
    @staticmethod
    def kind() -> str:
        return "tiny"

    def generate(self, text: str) -> str:
        return super().generate(text).strip()


class Other:
    def best(self) -> Answer:
        return Answer("there")


def make_policy(name: str) -> Policy:
    return Family.members[name]()
