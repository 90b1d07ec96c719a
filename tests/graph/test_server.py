"""The server: pages of a store's runs, live, read-only, on loopback or with a token."""

from __future__ import annotations

import http.client
import json
import signal
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest

from graph.runs import Runs
from graph.server import Pages, is_loopback
from tests.browser import chromium
from tests.graph.conftest import LOOP
from tests.waiting import wait_for

SLOW = """
[experiment]
name = "slow"
rounds = 4
[nodes.step]
kind = "slow.py:step"
inputs = { before = "step[-1]" }
"""
KINDS = """
import os, time
from graph.node import node
from store.artifact import Artifact

class Tick(Artifact):
    type = "tick/1"
    def __init__(self, n): self.n = n
    def write(self, w): w.attrs = {"n": self.n}
    @classmethod
    def open(cls, r): return cls(r.attrs["n"])

@node("slow.step", version=1)
def step(before: Tick | None) -> Tick:
    n = before.n + 1 if before else 1
    while not os.path.exists(f"{os.environ['GATES']}/{n}"):
        time.sleep(0.02)
    return Tick(n)
"""


@contextmanager
def serving(lab, *arguments):
    """Give the address of a server of the lab's store."""
    server = lab.start("ui", "--port", "0", *arguments)
    try:
        address = server.stdout.readline().strip()
        assert address.startswith("http://"), server.stderr.read()
        yield address.rstrip("/")
    finally:
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=60)
        assert (server.returncode, said) == (0, "")


def get(address, path="/", **headers):
    with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=30) as answer:
        return answer.read().decode(), answer.headers


def refused(address, path="/", method="GET", **headers):
    with pytest.raises(urllib.error.HTTPError) as caught:
        request = urllib.request.Request(address + path, method=method, headers=headers)
        urllib.request.urlopen(request, timeout=30)
    return caught.value.code, caught.value.read().decode()


def test_runs_are_listed_and_shown(lab):
    run = lab.run(LOOP).run
    with serving(lab) as address:
        listed, headers = get(address)
        assert f'href="/runs/{run}"' in listed and "toy" in listed and headers["X-Frame-Options"] == "DENY"
        page, headers = get(address, f"/runs/{run}")
        assert f"run {run}" in page and "data-live" not in page.partition(">")[2][:200] and "EventSource" in page
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert get(address, f"/runs/{run}")[0] == page  # drawn once


def test_an_empty_store_says_how_runs_come(lab):
    with serving(lab) as address:
        assert "dataflow run SPEC" in get(address)[0]


@pytest.mark.parametrize(
    "path",
    [
        "/runs/x",
        "/runs/..",
        "/runs/..%2F..%2Fformat",
        "/runs/%00",
        "/format",
        "/runs/%2Fetc%2Fpasswd",
        "/runs/x/events",
    ],
)
def test_nothing_but_runs_has_an_address(lab, path):
    lab.run(LOOP)
    with serving(lab) as address:
        code, text = refused(address, path)
        assert code == 404 and "Traceback" not in text


def test_nothing_is_written(lab):
    run = lab.run(LOOP).run
    with serving(lab) as address:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert refused(address, f"/runs/{run}", method)[0] == 405


def test_loopback_answers_to_its_own_names_alone(lab):
    with serving(lab) as address:
        assert refused(address, Host="evil.example")[0] == 400
        port = address.rpartition(":")[2]
        assert "Runs of" in get(address, Host=f"localhost:{port}")[0]


def test_beyond_loopback_a_token_is_asked_for(lab):
    run = lab.run(LOOP).run
    with serving(lab, "--host", "0.0.0.0") as told:
        address, _, token = told.replace("0.0.0.0", "127.0.0.1").partition("/?token=")
        assert len(token) >= 32
        for path in ("/", f"/runs/{run}", f"/runs/{run}/events", "/?token=wrong", "/?token=", "/?token=é%00"):
            code, text = refused(address, urllib.parse.quote(path, safe="/?=%"))
            assert code == 401 and run not in text
        assert refused(address, Cookie="dataflow=wrong")[0] == 401
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
        connection.request("GET", f"/runs/{run}?token={token}")
        answer = connection.getresponse()
        cookie = answer.headers["Set-Cookie"]
        # the address on the page holds no token
        assert answer.status == 307 and answer.headers["Location"] == f"/runs/{run}" and "HttpOnly" in cookie
        assert run in get(address, f"/runs/{run}", Cookie=cookie.partition(";")[0])[0]


def test_one_token_may_be_given(lab):
    with serving(lab, "--host", "0.0.0.0", "--token", "abc") as told:
        assert told.endswith("?token=abc")


@pytest.fixture
def let(lab, monkeypatch):
    """Let the run that goes on end its first n of four steps."""
    gates = lab.folder / "gates"
    gates.mkdir()
    monkeypatch.setenv("GATES", str(gates))
    return lambda n: [(gates / str(step)).touch() for step in range(1, n + 1)]


@pytest.fixture
def going_on(lab, let):
    """A run whose steps wait for `let`."""
    (lab.folder / "slow.py").write_text(KINDS)
    process = lab.start("run", lab.write(SLOW, "slow.toml"))
    runs = Runs(lab.store)
    wait_for(lambda: any(runs.ids()))  # its folder is there a moment before what it was asked for
    yield runs.find(None, None)
    let(4)
    process.communicate(timeout=60)


def test_a_run_that_goes_on_is_followed_to_its_end(lab, going_on, let):
    with serving(lab) as address:
        assert "data-live" in get(address, f"/runs/{going_on}")[0]
        told, progress = [], []
        with urllib.request.urlopen(f"{address}/runs/{going_on}/events", timeout=60) as stream:
            for line in stream:
                told.append(line.decode().strip())
                if told[-1].startswith('data: {"ended"'):
                    progress.append(json.loads(told[-1].removeprefix("data: ")))
                    let(progress[-1]["ended"] + 1)
                if told[-1] == "event: end":
                    break
        ended = [one["ended"] for one in progress]
        assert ended == sorted(ended) and set(ended) == {0, 1, 2, 3, 4}
        assert progress[-1]["last"] == "step[4]" and progress[-1]["failed"] == 0
        assert "event: page" in told  # it ended, so the page says more
        assert "done" in get(address, f"/runs/{going_on}")[0]


# A page that took .1 s to draw is good for a day, or for no time.
@pytest.mark.parametrize(("share", "is_new"), [(1e-6, False), (1e6, True)])
def test_a_page_is_drawn_no_more_often_than_its_share(lab, going_on, let, monkeypatch, share, is_new):
    monkeypatch.setattr("graph.server.SHARE", share)
    pages = Pages(lab.store)
    first, size = pages.page(going_on), pages.size(going_on)
    let(2)
    wait_for(lambda: pages.size(going_on) > size)
    assert (pages.page(going_on) != first) == is_new
    let(4)
    wait_for(lambda: Runs(lab.store).end(going_on) is not None)
    assert "· done ·" in pages.page(going_on) and not pages.is_old(going_on)


@pytest.fixture
def chrome():
    with chromium() as driver:
        yield driver


def test_a_browser_follows_without_being_asked_again(lab, chrome, going_on, let):
    with serving(lab) as address:
        chrome.get(f"{address}/runs/{going_on}")
        chrome.execute_script("window.same = true")
        assert "going on" in chrome.find_element("tag name", "header").text
        let(4)
        # Read in one go: a header that was found may have been replaced before it is read.
        wait_for(lambda: "· done ·" in chrome.execute_script("return document.querySelector('header').innerText"))
        assert chrome.execute_script("return window.same")  # the page was not loaded again
        assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_other_addresses_are_not_loopback(host):
    assert not is_loopback(host)
