"""An OpenAI-compatible server that writes: a policy that somebody else runs.

What it says need not be the same twice, so kinds that ask one are declared external. Its key comes from an environment
variable and is nowhere else: not in params, records, messages. Nothing is sent over plain http but to this machine,
unless a spec says so; redirections are not followed and proxies not used, since the key would go along.

Times out as a whole, not by the byte; asks again after what may pass (timeouts, 429, 5xx, a torn answer); then fails in
one line, so that no record is made of an outage.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import ipaddress
import json
import os
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from nodes.policy.writing import Request, Sampling

T = TypeVar("T")
LARGEST = 8 << 20  # bytes of an answer
PIECE = 1 << 16
PAUSE_S = 0.5  # before the second try; doubled before each further one
LONGEST_PAUSE_S = 30.0
DETAIL = 200  # characters of what a server says of an error


class ServerError(Exception):
    """A server gave no answer that can be used; `status` is that of its last one, 0 if there was none."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Server(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a server is, and what of it to ask. All of it enters the key: another server is another writer."""

    url: Annotated[str, Meta(description="up to and with its version: https://host/v1")]
    model: Annotated[str, Meta(min_length=1, max_length=200, description="as the server calls it")]
    key: Annotated[str, Meta(max_length=100, description="environment variable that holds the key; empty: none")] = ""
    timeout: Annotated[float, Meta(gt=0, le=3600, description="of one answer", extra={"unit": "s"})] = 120.0
    tries: Annotated[int, Meta(ge=1, le=20, description="before it fails", extra={"unit": "requests"})] = 4
    insecure: Annotated[bool, Meta(description="plain http to another machine is meant")] = False

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        try:
            port_is_fine = parts.port != 0
        except ValueError:
            port_is_fine = False
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
            raise ValueError(f"url = {_bare(self.url)!r}: expected https://host/v1 or http://127.0.0.1:port/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(f"url = {_bare(self.url)!r} with more than a path: a key belongs into the environment")
        if not (self.url.isascii() and self.url.isprintable()) or " " in self.url:
            raise ValueError(f"url = {self.url!r}: expected printable ASCII")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not self.insecure:
            raise ValueError(f"url = {self.url!r}: plain http to another machine, expected https or insecure = true")


class Client:
    """Asks one server; again, where that may help."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._parts = urllib.parse.urlsplit(server.url)
        self._key = os.environ.get(server.key, "") if server.key else ""
        if server.key and not self._key:
            raise ServerError(f"environment variable {server.key} is not set, expected the key of {server.url}")
        if not (self._key.isascii() and self._key.isprintable()):
            raise ServerError(f"environment variable {server.key} holds no key: expected one line of ASCII")

    def body(self, text: str, images: Sequence[Any], **options: Any) -> bytes:
        """Return a request of one user turn, its pictures before its text."""
        pictures = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in images]
        content = [*pictures, {"type": "text", "text": text}]
        told = {"model": self.server.model, "messages": [{"role": "user", "content": content}], **options}
        return json.dumps(told).encode()

    def ask(self, body: bytes, read: Callable[[bytes], T | None]) -> T:
        """Return what `read` makes of the answer; None says that it is no answer.

        Raises:
            ServerError: no answer after `tries`, or one that says the request itself is wrong.
        """
        pause, problem, status = PAUSE_S, "", 0
        for attempt in range(self.server.tries):
            if attempt:
                time.sleep(min(pause, LONGEST_PAUSE_S))
                pause *= 2
            try:
                status, data = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if status == 200:
                answer = read(data)
                if answer is not None:
                    return answer
                problem = f"200 with {self._detail(data)}, expected choices[0].message.content"
            else:
                problem = f"status {status}: {self._detail(data)}"
                if status not in (408, 409, 425, 429) and status < 500:
                    break
        where = f"server {self.server.url}, model {self.server.model!r}"
        raise ServerError(f"{where}: {self._clean(problem)}", status)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """Return status and body of one answer, all within the timeout. Raises OSError or HTTPException."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=self.server.timeout)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        clock = threading.Event()
        try:
            connection.connect()
            with _deadline(connection.sock, self.server.timeout, clock):
                connection.request("POST", f"{self._parts.path.rstrip('/')}/chat/completions", body, headers)
                answer = connection.getresponse()
                return answer.status, _read(answer)
        except (OSError, http.client.HTTPException) as error:
            if clock.is_set():
                raise TimeoutError(f"no whole answer in {self.server.timeout:g} s") from error
            raise
        finally:
            connection.close()

    def _detail(self, data: bytes) -> str:
        return " ".join(data[: 4 * DETAIL].decode("utf-8", "replace").split())[:DETAIL] or "an empty body"

    def _clean(self, text: str) -> str:
        """Return what is said of a problem without the key, which a server may say back."""
        return text.replace(self._key, "***") if self._key else text


class ServerWriter:
    """Writes through a server."""

    def __init__(self, server: Server) -> None:
        self._client = Client(server)

    def write(self, requests: Sequence[Request], sampling: Sampling, samples: int, seed: int) -> list[list[str]]:
        """Return `samples` texts a request.

        Raises:
            ServerError: no answer after `tries`, or one that says the request itself is wrong.
        """
        return [[self._write(request, sampling, seed + k) for k in range(samples)] for request in requests]

    def _write(self, request: Request, sampling: Sampling, seed: int) -> str:
        how = {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_tokens}
        return self._client.ask(self._client.body(request.text, request.images, **how, seed=seed % 2**31), read_answer)


def _read(answer: http.client.HTTPResponse) -> bytes:
    """Return a whole body. Raises OSError for one that is too large, IncompleteRead for one that is torn."""
    data = bytearray()
    while piece := answer.read1(PIECE):
        data += piece
        if len(data) > LARGEST:
            raise OSError(f"an answer of more than {LARGEST >> 20} MiB")
    if answer.length:
        raise http.client.IncompleteRead(bytes(data), answer.length)
    return bytes(data)


@contextlib.contextmanager
def _deadline(sock: socket.socket, seconds: float, clock: threading.Event) -> Iterator[None]:
    """Shut a socket after so many seconds: its own timeout begins anew with every byte."""

    def shut() -> None:
        clock.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which would have to talk first

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def read_answer(data: bytes) -> str | None:
    """Return the text of a chat completion, cut or whole; None if the bytes hold none."""
    try:
        text: Any = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return text if isinstance(text, str) else None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name alone: nothing is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _bare(url: str) -> str:
    """Return a URL without what may be a secret in it."""
    return url.partition("?")[0].rpartition("@")[2][:100]


def _data_url(image: Any) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
