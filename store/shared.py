"""What a user says of a shared store."""

from __future__ import annotations

from typing import Literal

import msgspec


class SharedStore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it is, whom to believe there, whether to push, and whose data may go there although it is not free."""

    url: str
    trust: Literal["own", "trusted", "any"] = "trusted"
    push: bool = True
    allow: tuple[str, ...] = ()
