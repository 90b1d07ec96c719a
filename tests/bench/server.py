"""Object stores that run on loopback while a bench does."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests import services


class Server(NamedTuple):
    """An object store that runs: how to make a place in it, and what its users' environment says."""

    name: str
    endpoint: str
    scheme: str
    make: Callable[[str, str], None]
    environment: Callable[[str], dict[str, str]]
    root: str = ""

    def new_place(self) -> str:
        """Make a bucket and return the URL of a store in it."""
        name = f"team-{os.urandom(4).hex()}"
        self.make(self.endpoint, name)
        return f"{self.scheme}://{self.root}/{name}/cache" if self.root else f"{self.scheme}://{name}/cache"


@contextlib.contextmanager
def start_server(name: str) -> Iterator[Server]:
    """Start moto or Azurite, or nothing: a folder that all share answers at once."""
    if name == "folder":
        with tempfile.TemporaryDirectory() as folder:
            yield Server("a folder", "", "file", lambda _, place: None, lambda _: {}, folder)
        return
    if name == "s3":
        with services.moto() as endpoint:
            yield Server("moto S3", endpoint, "s3", services.make_bucket, services.s3_environment)
        return
    program = services.find_azurite()
    if program is None:
        raise SystemExit("azurite-blob is not there: npm install azurite, or name it in AZURITE")
    with services.azurite(program) as endpoint:
        yield Server("Azurite", endpoint, "az", services.make_container, services.azure_environment)


@contextlib.contextmanager
def said(environment: dict[str, str]) -> Iterator[None]:
    """Have the environment of this process say so for a while."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
