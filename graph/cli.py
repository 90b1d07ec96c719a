"""The command line: parses and prints, nothing else."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from graph.errors import DataflowError, RunError
from graph.settings import store_url
from store.errors import StoreError
from store.open import Store, open_store


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 a run failed, 2 a bad command or spec, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("interrupted: what was committed stays, run again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `dataflow ls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RunError as error:
        print(error, file=sys.stderr)
        if options.traceback:
            print("\n".join(error.tracebacks), file=sys.stderr)
        return error.exit_code
    except (DataflowError, StoreError, OSError) as error:
        if options.traceback:
            traceback.print_exc()
        print(error, file=sys.stderr)
        return getattr(error, "exit_code", 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dataflow", description="Run experiments written as TOML, once.")
    parser.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.set_defaults(command=command)
        return sub

    store = argparse.ArgumentParser(add_help=False)
    store.add_argument("--store", metavar="URL", help="the store, in place of the spec's or the default one")

    for name, command, help in (
        ("run", _run, "run a spec; only what is not in the store is computed"),
        ("plan", _plan, "say what a run would find, compute, and why"),
    ):
        sub = add(name, command, help)
        sub.add_argument("spec", type=Path)
        sub.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="nodes.qa.params.per_scene=24")
        sub.add_argument("--until", metavar="NODE", help="only what this node needs")
        sub.add_argument("--store", metavar="URL", help="the store, in place of the spec's or the default one")
    for name, command, help in (
        ("show", _show, "show what a node gave in the latest run"),
        ("ls", _ls, "list what the latest run gave"),
    ):
        sub = add(name, command, help)
        operands = "[SPEC] NODE" if name == "show" else "[SPEC]"
        sub.add_argument("operands", nargs="*", metavar=operands, help="a spec narrows to its store and experiment")
        sub.add_argument("--run", metavar="ID", help="another run than the latest")
        sub.add_argument("--store", metavar="URL", help="the store, where there is no spec")
        sub.add_argument("--json", action="store_true", help="for programs")
        if name == "show":
            sub.add_argument(
                "--round", type=int, metavar="N", help="the round of a node inside the loop; default: last"
            )
            sub.add_argument("--save", type=Path, metavar="DIR", help="write its files (pictures, tokenizers) there")
    sub = add("kinds", _kinds, "list the kinds, or the params and inputs of one")
    sub.add_argument("name", nargs="?")
    return parser


def _run(options: argparse.Namespace) -> int:
    from graph.progress import make_progress
    from graph.run import run
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    store = open_store(store_url(options.store, spec.store))
    with make_progress() as progress:
        result = run(spec, store, options.set, options.until, (progress,))
    print(
        f"run {result.run}: {result.computed} computed, {result.found} found, {result.seconds:.2f} s\n"
        f"result {result.digest}"
    )
    return 0


def _plan(options: argparse.Namespace) -> int:
    from graph.plan import make_plan
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    store = open_store(store_url(options.store, spec.store))
    plan = make_plan(spec, store, options.until)
    rows: list[tuple[str, ...]] = []
    for planned in plan:
        elements = f"{planned.missing} of {planned.elements}" if planned.missing else str(planned.elements or "")
        rows.append((planned.label, planned.state, elements, planned.reason))
    _print_rows(("node", "state", "elements", "why"), rows)
    states = [planned.state for planned in plan]
    print(", ".join(f"{states.count(state)} {state}" for state in ("hit", "will run", "may run")))
    return 0


def _show(options: argparse.Namespace) -> int:
    from graph.show import describe_node

    store, experiment, operands = _operands(options)
    if len(operands) != 1:
        print("dataflow show: expected [SPEC] NODE", file=sys.stderr)
        return 2
    described = describe_node(store, operands[0], options.run, experiment, options.round, options.save)
    print(described.json() if options.json else described.text())
    return 0


def _ls(options: argparse.Namespace) -> int:
    import msgspec

    from graph.show import list_run

    store, experiment, operands = _operands(options)
    if operands:
        print(f"dataflow ls: {operands[0]!r} is no spec (its name must end in .toml)", file=sys.stderr)
        return 2
    run, rows = list_run(store, options.run, experiment)
    if options.json:
        print(msgspec.json.encode({"run": run, "nodes": rows}).decode())
        return 0
    print(f"run {run}")
    header = ("node", "state", "type", "entries", "seconds", "digest")
    _print_rows(header, [tuple(str(row[name]) for name in header) for row in rows])
    return 0


def _kinds(options: argparse.Namespace) -> int:
    from graph.kinds import find_kind, registered
    from graph.show import describe_kind, list_kinds

    if options.name is None:
        _print_rows(("kind", "what it does"), list_kinds(registered()))
        return 0
    print(describe_kind(find_kind(options.name, Path.cwd())))
    return 0


def _operands(options: argparse.Namespace) -> tuple[Store, str | None, list[str]]:
    """Return the store and the experiment that [SPEC] names, and the operands after it."""
    operands = list(options.operands)
    url = experiment = None
    if operands and operands[0].endswith(".toml"):
        from graph.spec import load_spec

        spec = load_spec(Path(operands.pop(0)), [])
        url, experiment = spec.store, spec.experiment.name
    return open_store(store_url(options.store, url)), experiment, operands


def _print_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
