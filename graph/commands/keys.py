"""dataflow keys: the user's own key, and whose signed results she believes."""

from __future__ import annotations

import argparse

from graph.commands.operands import print_rows
from graph.errors import NotFoundError, nearest
from graph.settings import keys_folder
from store.signing import is_key
from store.trust import Keyring


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions, each with its arguments."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    new = actions.add_parser("new", help="make your key pair, once")
    new.add_argument("--name", default="", help="what your own list calls it")
    listed = actions.add_parser("list", help="list your key, then the others in the order of your trust")
    listed.add_argument("--json", action="store_true", help="for programs")
    trust = actions.add_parser("trust", help="believe what a key signs, after those already trusted")
    trust.add_argument("key", metavar="KEY", help="64 hex digits, from its owner by a way that you trust")
    trust.add_argument("--name", default="", help="what your list calls it")
    revoke = actions.add_parser("revoke", help="believe nothing that a key signs or has signed, for good")
    revoke.add_argument("key", metavar="KEY|NAME")


def main(options: argparse.Namespace) -> int:
    """Do one action on the user's keys."""
    keyring = Keyring.load(keys_folder())
    if options.action == "new":
        key = keyring.new(options.name)
        print(f"{key}\nyour key; others believe what you sign after `dataflow keys trust {key}`")
    elif options.action == "trust":
        keyring.trust(options.key, options.name)
        print(f"trusted {keyring.describe(options.key)}")
    elif options.action == "revoke":
        _check_known(keyring, options.key)
        print(f"revoked {keyring.describe(keyring.revoke(options.key))}")
    else:
        _print_list(keyring, options.json)
    return 0


def _check_known(keyring: Keyring, key_or_name: str) -> None:
    if keyring.find(key_or_name) is None and not is_key(key_or_name):
        near = nearest(key_or_name, [known.name for known in keyring.keys])
        raise NotFoundError(f"{key_or_name!r}: expected a key of 64 lowercase hex digits, or a name in your list{near}")


def _print_list(keyring: Keyring, as_json: bool) -> None:
    rows = _list_keys(keyring)
    if as_json:
        import msgspec

        print(msgspec.json.encode({"folder": str(keyring.folder), "keys": rows}).decode())
    elif not rows:
        print("no keys yet: `dataflow keys new` makes yours, `dataflow keys trust KEY` adds another's")
    else:
        table = [(row["key"][:8], row["name"], row["state"], row["since"], row["key"]) for row in rows]
        print_rows(("", "name", "state", "since", "key"), table)


def _list_keys(keyring: Keyring) -> list[dict[str, str]]:
    """Return a row a key, the own one first; its state is "own" unless it is revoked."""
    rows = [{"key": key, "name": "", "state": "own", "since": ""} for key in [keyring.own] if key]
    for known in keyring.keys:
        row = {"key": known.key, "name": known.name, "state": known.state, "since": known.since}
        if known.key != keyring.own:
            rows.append(row)
        elif known.state == "revoked":
            rows[0] = {**row, "state": "own, revoked"}
        else:
            rows[0] = {**row, "state": "own"}
    return rows
