"""The writer that asks a server: what goes out, what comes back, what goes wrong, and where the key is not."""

from __future__ import annotations

import base64
import contextlib
import http.server
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

import nodes.policy.server as module
from graph.action import canonical
from nodes.policy.server import Server, ServerError, ServerWriter, is_loopback, read_answer
from nodes.policy.writing import Request, Sampling, open_writer

KEY = "sk-very-secret-1234"
Answer = Callable[[http.server.BaseHTTPRequestHandler, int], None]


class Asked:
    """A server in a thread; `answers` takes the handler and the number of the request."""

    def __init__(self, answer: Answer) -> None:
        asked: list[tuple[str, dict[str, str], Any]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.path, dict(self.headers), json.loads(body)))
                with contextlib.suppress(OSError):
                    answer(self, len(asked))

            def log_message(self, *words: Any) -> None:
                pass

        self.asked = asked
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Asked]]:
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    monkeypatch.setenv("TEST_KEY", KEY)
    made: list[Asked] = []

    def start(answer: Answer) -> Asked:
        made.append(Asked(answer))
        return made[-1]

    yield start
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def send(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def says(text: str, reason: str = "stop") -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": reason}]}).encode()


def write(asked: Asked, **facts: Any) -> list[list[str]]:
    server = Server(asked.url, "test-model", **{"tries": 3, "timeout": 5.0, **facts})
    return ServerWriter(server).write([Request("Write.")], Sampling(), 1, seed=3)


def test_a_request_holds_the_frames_before_the_text_and_the_key_in_its_header(serve: Any) -> None:
    asked = serve(lambda handler, n: send(handler, 200, says(f"text {n}")))
    image = np.full((2, 3, 3), 7, np.uint8)
    writer = ServerWriter(Server(asked.url + "/", "test-model", key="TEST_KEY"))
    assert writer.write([Request("Write.", [image])], Sampling(0.5, 0.9, 77), 2, seed=3) == [["text 1", "text 2"]]
    path, headers, body = asked.asked[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    picture, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "Write."}
    from PIL import Image

    data = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert (np.asarray(Image.open(io.BytesIO(data))) == image).all()
    assert {name: body[name] for name in ("model", "temperature", "top_p", "max_tokens", "seed")} == {
        "model": "test-model",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 77,
        "seed": 3,
    }
    assert asked.asked[1][2]["seed"] == 4


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_what_may_pass_is_asked_again(serve: Any, status: int) -> None:
    asked = serve(lambda handler, n: send(handler, *((status, b"busy") if n < 3 else (200, says("well")))))
    assert write(asked) == [["well"]] and len(asked.asked) == 3


def test_an_outage_fails_in_one_line_after_its_tries(serve: Any) -> None:
    asked = serve(lambda handler, n: send(handler, 500, b"a\n\n" + b"x" * 10_000))
    with pytest.raises(ServerError) as caught:
        write(asked)
    assert len(asked.asked) == 3 and "status 500: a xxx" in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("status", [400, 401, 404, 301, 307])
def test_a_wrong_request_or_a_redirection_is_not_asked_again(serve: Any, status: int) -> None:
    other = serve(lambda handler, n: send(handler, 200, says("stolen")))
    asked = serve(lambda handler, n: send(handler, status, b"no", Location=other.url))
    with pytest.raises(ServerError, match=f"status {status}: no"):
        write(asked, key="TEST_KEY")
    assert len(asked.asked) == 1 and not other.asked


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>hello</html>", b"null", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}',
     b'{"choices": 5}', b"[" * 100_000, b"\xff\xfe", b'{"choices": [{"message": {"content": ["a"]}}]}'],
)  # fmt: skip
def test_garbage_is_no_answer(serve: Any, body: bytes) -> None:
    assert read_answer(body) is None
    asked = serve(lambda handler, n: send(handler, 200, body))
    with pytest.raises(ServerError, match=r"expected choices\[0\].message.content"):
        write(asked, tries=2)
    assert len(asked.asked) == 2


def test_an_answer_that_ends_at_its_most_tokens_is_an_answer(serve: Any) -> None:
    assert write(serve(lambda handler, n: send(handler, 200, says('[{"question": "Wh', "length")))) == [
        ['[{"question": "Wh']
    ]


def test_a_torn_answer_is_asked_again(serve: Any) -> None:
    def tear(handler: http.server.BaseHTTPRequestHandler, n: int) -> None:
        body = says("whole")
        if n > 1:
            return send(handler, 200, body)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:10])
        handler.close_connection = True

    assert write(serve(tear)) == [["whole"]]


def test_an_answer_of_any_size_is_not_read(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 100_000)
    asked = serve(lambda handler, n: send(handler, 200, says("x" * 200_000)))
    with pytest.raises(ServerError, match="an answer of more than"):
        write(asked, tries=1)


@pytest.mark.parametrize("where", ["never", "headers", "body"])
def test_a_slow_server_is_left_at_its_time_even_if_it_drips(serve: Any, where: str) -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler, n: int) -> None:
        if where == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
        for _ in range(40):
            if where != "never":
                handler.wfile.write(b"x")
                handler.wfile.flush()
            time.sleep(0.1)

    began = time.monotonic()
    with pytest.raises(ServerError, match=r"no whole answer in 0.5 s|timed out"):
        write(serve(drip), timeout=0.5, tries=1)
    assert time.monotonic() - began < 3


def test_nobody_there_fails_in_one_line() -> None:
    server = Server("http://127.0.0.1:9/v1", "m", tries=1)
    with pytest.raises(ServerError, match="ConnectionRefusedError"):
        ServerWriter(server).write([Request("Write.")], Sampling(), 1, 1)


def test_the_key_is_in_the_environment_alone(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(lambda handler, n: send(handler, 401, f"wrong key {KEY}".encode()))
    with pytest.raises(ServerError) as caught:
        write(asked, key="TEST_KEY")
    assert KEY not in str(caught.value) and "wrong key ***" in str(caught.value)
    server = Server(asked.url, "m", key="TEST_KEY")
    assert KEY.encode() not in canonical(server) and KEY not in repr(server)
    monkeypatch.delenv("TEST_KEY")
    with pytest.raises(ServerError, match="environment variable TEST_KEY is not set"):
        ServerWriter(server)
    monkeypatch.setenv("TEST_KEY", "two\r\nX-Other: lines")
    with pytest.raises(ServerError, match="holds no key") as caught:
        ServerWriter(server)
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("ftp://host/v1", "expected https"),
        ("file:///etc/passwd", "expected https"),
        ("host/v1", "expected https"),
        ("http://", "expected https"),
        ("https://host:99999/v1", "expected https"),
        ("http://example.com/v1", "plain http to another machine"),
        ("http://127.0.0.1.example.com/v1", "plain http to another machine"),
        ("http://localhost.example.com/v1", "plain http to another machine"),
        ("https://user:sk-hidden@host/v1", "a key belongs into the environment"),
        ("https://host/v1?key=sk-hidden", "a key belongs into the environment"),
        ("https://host/v1\r\nX: 1", "printable"),
        ("https://ho st/v1", "printable"),
    ],
)
def test_a_url_is_https_or_this_machine_and_holds_no_key(url: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as caught:
        Server(url, "m")
    assert "hidden" not in str(caught.value)


def test_this_machine_is_known_by_its_names_and_other_http_if_meant() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "localhost.", "host")))
    Server("http://[::1]:8000/v1", "m")
    Server("http://10.0.0.1:8000/v1", "m", insecure=True)
    Server("https://example.com/v1", "m")


def test_it_is_read_from_a_spec() -> None:
    given = {"url": "http://127.0.0.1:8000/v1", "model": "m"}
    assert msgspec.convert(given, Server) == Server("http://127.0.0.1:8000/v1", "m")


def test_a_writer_is_a_policy_or_a_server() -> None:
    with pytest.raises(ValueError, match="neither of input policy and"):
        open_writer(None, None, Sampling())
    from nodes.policy.scripted import scripted_policy

    with pytest.raises(ValueError, match="both of input policy"):
        open_writer(scripted_policy({}), Server("https://host/v1", "m"), Sampling())
    with pytest.raises(ValueError, match="answers and does not write"):
        open_writer(scripted_policy({}), None, Sampling())
