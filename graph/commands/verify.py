"""dataflow verify: read a store's bytes again."""

from __future__ import annotations

import argparse

from graph.commands.operands import Progress, add_store, size_text
from graph.settings import store_url
from store.places import open_objects

STATUS_WRONG = 1


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_store(parser)
    text = "so many objects, or such a share of them (5%%); the same all day, others tomorrow"
    parser.add_argument("--sample", type=_sample, metavar="N", help=text)


def main(options: argparse.Namespace) -> int:
    """Verify, say what was wrong and where it is now, and return 1 if anything was."""
    from store.verify import Verifier

    url = store_url(options.store, None)
    report = Verifier(open_objects(url), url, options.sample, Progress()).verify()
    if options.json:
        import msgspec

        print(msgspec.json.encode(report).decode())
        return STATUS_WRONG if report.problems else 0
    for problem in report.problems:
        where = "set aside" if problem.is_aside else "left there"
        print(f"{problem.name}: {problem.what}; {where}")
        for of in problem.of:
            print(f"  of {of}")
    read = f"{report.checked} of {report.objects} objects read, {size_text(report.bytes)}"
    told = f"{len(report.problems)} wrong" if report.problems else "nothing wrong"
    lost = f"; {report.misses} records of which the output is not here: misses" if report.misses else ""
    print(f"{read}: {told}{lost}")
    return STATUS_WRONG if report.problems else 0


def _sample(text: str) -> float:
    """Return a number of objects, or a share below 1."""
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if value <= 0 or (text.endswith("%") and value > 1) or (not text.endswith("%") and value != int(value)):
        raise ValueError(text)
    return value if value != 1 or not text.endswith("%") else 1 - 1e-12
