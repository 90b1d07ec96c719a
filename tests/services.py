"""Real object stores on loopback for tests: moto's S3, Azurite, and a proxy before either that counts and does harm."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

ACCOUNT = "devstoreaccount1"  # Azurite's own, with its well-known key
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """Start an S3 server; yield its endpoint."""
    port = free_port()
    with _started([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield f"http://127.0.0.1:{port}"


def find_azurite() -> str | None:
    """Return the program, if it is installed."""
    beside = Path(__file__).parents[1] / "node_modules" / ".bin" / "azurite-blob"
    return str(beside) if beside.exists() else os.environ.get("AZURITE") or shutil.which("azurite-blob")


@contextlib.contextmanager
def azurite(program: str) -> Iterator[str]:
    """Start an Azure blob server; yield its endpoint."""
    port = free_port()
    options = ["--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence", "--silent"]
    with _started([program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options], port):
        yield f"http://127.0.0.1:{port}/{ACCOUNT}"


def s3_environment(endpoint: str) -> dict[str, str]:
    """Return what the environment of a user of that S3 says."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }


def azure_environment(endpoint: str) -> dict[str, str]:
    """Return what the environment of a user of that Azurite says."""
    return {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": endpoint,
    }


def make_bucket(endpoint: str, name: str) -> None:
    """Make an S3 bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=10).close()


def make_container(endpoint: str, name: str) -> None:
    """Make an Azure container, signed as its REST interface wants it."""
    date = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    version = "2021-08-06"
    resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{resource}"
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-ms-date": date, "x-ms-version": version, "Authorization": f"SharedKey {ACCOUNT}:{signature}"}
    url = f"{endpoint}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=10).close()


class Proxy:
    """Stands before a server: counts requests and bytes, and does harm where `harm` says so.

    `harm(method, path, n)` is asked for each request, the n-th of this proxy: None lets it pass, a number is the HTTP
    status to answer, "slow" waits, "cut" closes the connection in the middle of an upload, "lost" passes it on and
    closes the connection without an answer. Headers named in `dropped_headers` do not reach the server.
    """

    def __init__(self, endpoint: str) -> None:
        self.harm: Callable[[str, str, int], int | str | None] = lambda method, path, n: None
        self.requests: Counter[str] = Counter()
        self.bytes_in = self.bytes_out = 0
        self.log: list[str] = []
        self.slow_s = 1.0
        self.dropped_headers: set[str] = set()
        self._target = urllib.request.urlparse(endpoint)
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}{self._target.path}"

    @property
    def n(self) -> int:
        """How many requests there were."""
        return sum(self.requests.values())

    def forget(self) -> None:
        """Count from nothing again."""
        self.requests.clear()
        self.log.clear()
        self.bytes_in = self.bytes_out = 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(proxy) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its headers
            wbufsize = -1

            def answer(self) -> None:
                with proxy._lock:
                    proxy.requests[self.command] += 1
                    proxy.log.append(f"{self.command} {self.path}")
                    harm = proxy.harm(self.command, self.path, proxy.n)
                size = int(self.headers.get("Content-Length") or 0)
                if harm == "cut" and size:
                    self.rfile.read(size // 2)
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                body = self.rfile.read(size)
                if harm == "slow":
                    time.sleep(proxy.slow_s)
                if isinstance(harm, int):
                    return self.send(harm, {}, b"harm")
                connection = http.client.HTTPConnection(proxy._target.hostname, proxy._target.port, timeout=60)
                kept = {name: value for name, value in self.headers.items() if name not in proxy.dropped_headers}
                connection.request(self.command, self.path, body, kept)
                response = connection.getresponse()
                data = response.read()
                connection.close()
                with proxy._lock:
                    proxy.bytes_in += len(body)
                    proxy.bytes_out += len(data)
                if harm == "lost":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send(response.status, dict(response.getheaders()), data)

            def send(self, status: int, headers: dict[str, str], data: bytes) -> None:
                self.send_response_only(status)
                kept = {name: value for name, value in headers.items() if name.lower() not in DROPPED}
                if self.command == "HEAD":
                    kept["Content-Length"] = headers.get("Content-Length", "0")
                else:
                    kept["Content-Length"] = str(len(data))
                for name, value in kept.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                self.wfile.flush()

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

            def log_message(self, *arguments) -> None:
                pass

        return Handler


DROPPED = {"content-length", "transfer-encoding", "connection"}


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _started(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()
