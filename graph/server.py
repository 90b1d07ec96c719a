"""The server: the pages of a store's runs, which follow a run while it goes on.

It reads and never writes: whatever is not GET or HEAD is refused, runs are found by their ids among those that there
are, and nothing else of the store has an address. On loopback it answers to loopback's names alone, so that no page of
somebody else's can ask it through a name of theirs; bound elsewhere it asks for a token.

A page that follows a run costs it something: pages are drawn anew only so often that drawing takes a fiftieth of the
time (`SHARE`).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from graph.errors import NotFoundError
from graph.report import draw_report, render
from graph.runs import Runs
from store.open import Store

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

LOOPBACK = ["127.0.0.1", "localhost", "[::1]", "::1"]
COOKIE = "dataflow"
SHARE = 0.02  # of the time is spent on drawing a page that changes
EVERY_S = 1.0  # between two looks at a run's events
SHOWN = 200  # runs of the list
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Pages:
    """The pages of runs, drawn when asked for, one at a time; that of a run which goes on not too often."""

    def __init__(self, store: Store) -> None:
        self.runs = Runs(store)
        self._store = store
        self._lock = threading.Lock()
        self._drawn: dict[str, tuple[str, int, bool, float]] = {}  # page, events, ended, when it may be drawn anew

    def page(self, run: str) -> str:
        """Return a run's page, as new as it may be. Raises NotFoundError."""
        self.runs.find(run, None)
        with self._lock:
            if self.is_old(run):
                ended, n = self.runs.end(run) is not None, self.size(run)
                start = time.monotonic()
                page = draw_report(self._store, [run], is_live=not ended)
                end = time.monotonic()
                self._drawn[run] = page, n, ended, end + (end - start) / SHARE
            return self._drawn[run][0]

    def is_old(self, run: str) -> bool:
        """Tell whether a page would say more, and may be drawn again."""
        if run not in self._drawn:
            return True
        _, n, ended, free = self._drawn[run]
        if ended:
            return False
        return self.runs.end(run) is not None or (time.monotonic() >= free and self.size(run) > n)

    def size(self, run: str) -> int:
        """Return how many segments of events a run has written."""
        return sum(name.startswith("events-") for name in self.runs.store.objects.list(f"runs/{run}"))


def make_app(store: Store, token: str = "") -> Starlette:
    """Return the application. Without a token it answers on loopback's names alone."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
    from starlette.routing import Route

    pages = Pages(store)

    def list_runs(request: Request) -> Response:
        return HTMLResponse(render("runs.html.j2", url=store.url, runs=told_runs(pages.runs)))

    def show_run(request: Request) -> Response:
        return HTMLResponse(pages.page(request.path_params["run"]))

    async def follow(request: Request) -> Response:
        run = pages.runs.find(request.path_params["run"], None)
        return StreamingResponse(_follow(pages, run), media_type="text/event-stream")

    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        given = request.query_params.get("token") or request.cookies.get(COOKIE, "")
        if token and not hmac.compare_digest(given.encode(), token.encode()):
            return PlainTextResponse("expected the token: the address that `dataflow ui` printed\n", 401)
        if "token" in request.query_params:  # from here on a cookie, so that no address on the page holds it
            response: Response = RedirectResponse(request.url.path)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
        else:
            response = await answer(request)
        response.headers.update(HEADERS)
        return response

    async def not_found(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{error}\n", 404)

    hosts = [] if token else [Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK, www_redirect=False)]
    return Starlette(
        routes=[
            Route("/", list_runs, methods=["GET"]),
            Route("/runs/{run}", show_run, methods=["GET"]),
            Route("/runs/{run}/events", follow, methods=["GET"]),
        ],
        middleware=[*hosts, Middleware(BaseHTTPMiddleware, dispatch=guard)],
        exception_handlers={NotFoundError: not_found},
    )


async def _follow(pages: Pages, run: str) -> AsyncIterator[str]:
    """Yield server-sent events: `progress` with what has ended so far, `page` when the page says more, then `end`."""
    seen = -1
    while True:
        size, ended = pages.size(run), pages.runs.end(run) is not None
        if size != seen:
            seen = size
            outcomes = await asyncio.to_thread(pages.runs.outcomes, run)
            states = [event.state for event in outcomes.values()]
            told = {
                "ended": sum(state in ("hit", "done") for state in states),
                "failed": states.count("failed"),
                "last": next(reversed(outcomes), ""),
            }
            yield f"event: progress\ndata: {json.dumps(told)}\n\n"
        if pages.is_old(run):
            yield "event: page\ndata: {}\n\n"
        if ended:
            yield "event: end\ndata: {}\n\n"
            return
        await asyncio.sleep(EVERY_S)


def told_runs(runs: Runs) -> list[dict[str, Any]]:
    """Return what the list says of the newest runs."""
    told = []
    for run in runs.ids():
        root, end = runs.root(run), runs.end(run)
        status = end.status if end is not None else "going on, or killed"
        told.append({"run": run, "root": root, "end": end, "status": status})
        if len(told) == SHOWN:
            break
    return told


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
