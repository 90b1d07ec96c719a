"""dataflow ui: the pages of a store's runs in a browser, live."""

from __future__ import annotations

import argparse
import os
import secrets
import signal

from graph.errors import ExportError
from graph.settings import open_stores

PORT = 8765
NICE = 10  # a page can wait, a run on the same machine should not


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--store", metavar="URL", help="another store than the default one")
    parser.add_argument(
        "--host", default="127.0.0.1", help="default: this machine alone; elsewhere a token is asked for"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0: any that is free")
    parser.add_argument("--token", default="", help="asked for beyond this machine; default: a new one each time")


def main(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from graph.server import is_loopback, make_app

    try:
        import uvicorn
    except ImportError:
        raise ExportError("`dataflow ui` needs its server: pip install 'dataflow-spatial[report]'") from None
    token = options.token or ("" if is_loopback(options.host) else secrets.token_urlsafe(24))
    app = make_app(open_stores(options.store, None, True), token)
    config = uvicorn.Config(app, options.host, options.port, log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    signal.signal(signal.SIGINT, server.handle_exit)  # Ctrl-C is how one leaves, also before the server listens to it
    with config.bind_socket() as socket:
        socket.listen()  # who reads the address may ask at once
        host = f"[{options.host}]" if ":" in options.host else options.host
        print(f"http://{host}:{socket.getsockname()[1]}/{f'?token={token}' if token else ''}", flush=True)
        os.nice(NICE)
        server.run([socket])
    return 0
