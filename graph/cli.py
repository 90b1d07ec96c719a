"""The command line: finds the command, parses, runs it, and turns errors into a line and an exit status."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys

from graph.errors import DataflowError, RunError
from store.errors import StoreError

INTERRUPTED = 130
# Each is a file in graph/commands; only the one that is called is imported.
COMMANDS = {
    "init": "write a small experiment to begin with",
    "run": "run a spec; only what is not in the store is computed",
    "plan": "say what a run would find, compute, and why",
    "why": "say why a node would run, with the diffs of edited code",
    "diff": "say what differs between two runs",
    "log": "show what a body wrote, and how it failed",
    "ls": "list what the latest run gave",
    "show": "show what a node gave in the latest run",
    "report": "draw a run as one page: what it took, what came of it, samples",
    "ui": "show the pages of a store's runs in a browser, live",
    "push": "pass on what a run or a node gave to the shared stores",
    "pull": "bring what a run, a node or a name stands for, whole",
    "publish": "give what a node gave a name for good",
    "pin": "keep what a run or a node gave from being collected",
    "export": "write what a node gave as files that other tools open",
    "import": "put an exported folder into the store",
    "kinds": "list the kinds, or the params and inputs of one",
    "graph": "draw a spec: Mermaid text, or a picture",
    "keys": "make your key, and say whose signed results you believe",
    "gc": "delete what no experiment, pin or recent run leads to",
    "verify": "read a store's bytes again, and set aside what is damaged",
    "schema": "print the JSON Schema of specs, for editors",
}


def script() -> None:
    """Run as a program of its own: half of a short command's time would go into looking for garbage there is not."""
    gc.set_threshold(50_000)
    status = main()
    if status == INTERRUPTED:  # at once: a thread may wait for a store that does not answer, and Python for the thread
        sys.stdout.flush()
        os._exit(status)
    gc.freeze()
    sys.exit(status)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 a run failed, 2 a bad command or spec, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    try:
        return options.main(options)
    except KeyboardInterrupt:
        print("interrupted: what was committed stays, run again to go on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `dataflow ls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RunError as error:
        print(error, file=sys.stderr)
        if options.traceback:
            print("\n".join(error.tracebacks), file=sys.stderr)
        return error.exit_code
    except (DataflowError, StoreError, OSError, MemoryError) as error:
        if options.traceback:
            import traceback

            traceback.print_exc()
        named = isinstance(error, OSError) and error.filename is not None and f"{error.filename}: {error.strerror}"
        print(named or str(error) or "out of memory", file=sys.stderr)
        return getattr(error, "exit_code", 2)


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dataflow", description="Run experiments written as TOML, once.")
    parser.add_argument("--traceback", action="store_true", help="show where an error came from")
    # Named here, or argparse formats a usage text to find it out.
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="dataflow")
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, help in COMMANDS.items():
        if called in COMMANDS and name != called:
            continue
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        if name == called:
            command = importlib.import_module(f"graph.commands.{name}")
            command.options(sub)
            sub.set_defaults(main=command.main)
    return parser


if __name__ == "__main__":
    script()
