"""Kinds that behave badly, and one that is killed and goes on: for what must not harm anybody else."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from msgspec import Struct

from graph.node import Progress, node
from store.artifact import Artifact, Reader, Writer


class Word(Artifact):
    """A text."""

    type = "word/1"

    def __init__(self, text: str) -> None:
        self.text = text

    def write(self, w: Writer) -> None:
        w.attrs = {"text": self.text}

    @classmethod
    def open(cls, r: Reader) -> Word:
        return cls(r.attrs["text"])


class Broken:
    """A GPU as torch has it after a failed assertion."""

    def is_initialized(self) -> bool:
        return True

    def synchronize(self) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    empty_cache = synchronize


class Act(Struct, frozen=True):
    """What to do, and a file that says how or is told of it."""

    do: str = "say"
    file: str = ""


@node("rough.act", version=1)
def act(*, params: Act, progress: Progress) -> Word:
    """Do something that no node should do."""
    if params.do == "say":
        print("said by Python")
        print("and to stderr", file=sys.stderr)
        ctypes.CDLL(None).printf(b"said by C\n")
        subprocess.run(["echo", "said by a program"], check=True)
    elif params.do == "say much":
        print("x" * (3 << 20) + "the end")
    elif params.do == "count":
        with open(params.file, "a") as file:
            file.write("once\n")
    elif params.do == "tell":
        for n in range(10000):
            progress(n, 10000, loss=1 / (n + 1))
    elif params.do == "look around":
        names = (
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "TOKENIZERS_PARALLELISM",
            "PYTHONHASHSEED",
        )
        return Word(" ".join([*(os.environ[name] for name in names), os.getcwd(), str(os.getpid())]))
    elif params.do == "tell in numpy":
        progress(np.int64(1), np.int64(2), loss=np.float32(0.5))
    elif not _meddle(params):
        _fail(params)
    return Word(params.do)


def _meddle(params: Act) -> bool:
    """Do to this process what the next body must not feel; tell whether it was done."""
    match params.do:
        case "close stdout":
            sys.stdout.close()
        case "have no stdout":
            sys.stdout = None
        case "close descriptors":
            os.close(1)
            os.close(2)
        case "put a file in place of stdout":
            os.close(1)
            assert os.open(params.file, os.O_RDWR) == 1
        case "fork":
            os.fork()
        case "go where nothing is":
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
        case "leave a thread":
            threading.Thread(target=time.sleep, args=(1000,)).start()
        case _:
            return False
    return True


def _fail(params: Act) -> None:
    print(f"about to {params.do}")
    match params.do:
        case "raise":
            raise ValueError("it is wrong")
        case "exit":
            sys.exit("enough")
        case "interrupt itself":
            raise KeyboardInterrupt
        case "raise from itself":
            error = ValueError("round and round")
            raise error from error
        case "say what is no text":
            raise ValueError("caf\udce9")
        case "say too much":
            raise ValueError("x" * (1 << 22))
        case "leave":
            os._exit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die at first":
            if not Path(params.file).exists():
                _tell(params)
                os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "eat":
            raise MemoryError
        case "eat on a GPU":
            raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
        case "break the GPU at first":  # a failed assertion there: nothing on it works any more in this process
            if not Path(params.file).exists():
                _tell(params)
                sys.modules["torch"] = SimpleNamespace(cuda=Broken())  # type: ignore[assignment]
            if isinstance(getattr(sys.modules.get("torch"), "cuda", None), Broken):
                Broken().synchronize()
        case "eat all":
            held = [bytearray(1 << 20) for _ in range(1 << 20)]
            print(len(held))
        case "lose the disk":
            raise OSError(errno.ESTALE, "stale file handle")
        case "miss a file":
            raise FileNotFoundError(errno.ENOENT, "no such file")
        case "hang":
            _tell(params)
            time.sleep(1000)
        case "hang at first":
            if not Path(params.file).exists():
                _tell(params)
                time.sleep(1000)
        case "hang with a program":
            _tell(params, subprocess.Popen(["sleep", "1000"]).pid)
            time.sleep(1000)
        case "hang with the interpreter held":
            _tell(params)
            ctypes.PyDLL(None).sleep(1000)
        case "hang against TERM":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _tell(params, subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 1000"]).pid)
            time.sleep(1000)
        case "die with a fork alive":
            forked = os.fork()
            if not forked:
                time.sleep(1000)
            _tell(params, forked)
            os.kill(os.getpid(), signal.SIGKILL)


def _tell(params: Act, *others: int) -> None:
    """Say which processes there are, whole or not at all."""
    path = Path(params.file)
    path.with_suffix(".part").write_text(" ".join(map(str, (os.getpid(), *others))))
    path.with_suffix(".part").rename(path)
