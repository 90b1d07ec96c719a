"""What travels between the driver and whoever executes: tasks there, outcomes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

Report = Callable[[str, dict[str, float]], None]  # (label, numbers): how far a body is
Show = Callable[[str], None]  # (address): where more is to be seen

# Why a call failed. An "error" is the body's own and never tried again; the others are the machine's.
Failure = Literal["", "error", "worker lost", "out of memory", "transient", "timeout"]


def show_nobody(address: str) -> None:
    """Show nothing."""


class Call(msgspec.Struct, frozen=True):
    """One action to execute: inputs by digest, None where absent."""

    element: str | None
    key: str
    seed: int | None
    inputs: dict[str, str | None]


class Task(msgspec.Struct, frozen=True):
    """Calls of one node that travel together.

    Attributes:
        label: the instance, `qa[2]`.
        kind: its name, for people; `target` is where its function is, `module:function`.
        source: digest of the `source/1` artifact with the project source it may import; "" for what is installed.
        packages: distribution -> version, as in the key; who executes must have the same.
        params: msgpack.
        described: the action without what differs by call; goes into every record.
        rewrite: what is put replaces bytes of the same name.
        repairs: the lost digest that this is to make again, if any.
        is_check: what its calls give is compared with what they gave, and leaves no record.
        timeout: seconds for each call, from when its body begins; None is no limit.
        resources: what a worker must have free, by name.
    """

    label: str
    kind: str
    target: str
    source: str
    packages: dict[str, str]
    params: bytes
    threads: int
    store: str
    described: dict[str, Any]
    calls: list[Call]
    rewrite: bool = False
    repairs: str = ""
    is_check: bool = False
    timeout: float | None = None
    resources: dict[str, float] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What became of one call: an output, or an error with its traceback.

    `lost` is the digest of a stored input that is missing or damaged. `log` is (digest, bytes) of the blob that holds
    what the body wrote to stdout and stderr, if it wrote anything. `is_found`: somebody else had made it meanwhile.
    """

    label: str
    element: str | None
    key: str
    output: str = ""
    size: int = 0
    seconds: float = 0.0
    failure: Failure = ""
    error: str = ""
    traceback: str = ""
    lost: str = ""
    log: tuple[str, int] | None = None
    is_found: bool = False


def encode_params(params: msgspec.Struct) -> bytes:
    """Return params as bytes that travel to a worker; floats keep their bits."""
    return msgspec.msgpack.encode(params, enc_hook=str)


def decode_params(data: bytes, cls: type[msgspec.Struct]) -> msgspec.Struct:
    """Return what `encode_params` wrote."""
    return msgspec.msgpack.decode(data, type=cls, dec_hook=lambda kind, value: kind(value))
