"""Shared stores that are folders, on NFS say: all of it works there, and where one fails the run goes on."""

from __future__ import annotations

import errno
import os

import pytest

from graph.commands.run import tell_traffic
from store.objects import LocalObjects
from tests.graph.people import Person

ALL = {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "team" / "cache"


@pytest.fixture
def ann(lab, folder):
    return Person(lab, "ann", str(folder))


def went_on(ann, result):
    (line,) = tell_traffic(ann.used, result)
    assert line.startswith(f"went on without {ann.shared.url}: "), line
    return line


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.ESTALE, errno.EIO])
def test_a_folder_that_fails_is_left_alone_with_one_line(lab, ann, folder, loop, monkeypatch, code):
    write = LocalObjects.write

    def fail(self, name, data):
        if self.root == folder and name.startswith("cas"):
            raise OSError(code, os.strerror(code), name)
        write(self, name, data)

    monkeypatch.setattr(LocalObjects, "write", fail)
    result = ann.run(loop)
    assert lab.executed == ALL and os.strerror(code).lower() in went_on(ann, result)


@pytest.mark.parametrize("place", ["/etc/passwd", "/etc/passwd/below", "/proc/nowhere"])
def test_a_place_that_cannot_be_a_folder_is_left_alone_with_one_line(lab, loop, place):
    ann = Person(lab, "ann", place)
    result = ann.run(loop)
    assert lab.executed == ALL and went_on(ann, result)


def test_a_folder_that_is_mounted_to_be_read_is_read(lab, ann, folder, loop, monkeypatch):
    made = ann.run(loop)
    ben = Person(lab, "ben", str(folder))
    ben.trust(ann)
    write = LocalObjects._write_temporary

    def refuse(self, data):
        if self.root == folder:
            raise OSError(errno.EROFS, "Read-only file system", str(folder))
        return write(self, data)

    monkeypatch.setattr(LocalObjects, "_write_temporary", refuse)
    assert ben.run(loop).digest == made.digest and lab.executed == {}
    ben.run(loop, "nodes.scaled.params.factor=3")
    assert not ben.tier.failure and "list" not in lab.executed
