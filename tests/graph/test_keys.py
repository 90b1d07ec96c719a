"""dataflow keys: what it prints, and one line for what it refuses."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from graph import cli
from graph.settings import keys_folder
from store.signing import public_key
from store.trust import Keyring

ADA, BOB = (public_key(Ed25519PrivateKey.from_private_bytes(bytes([n] * 32))) for n in (1, 2))


@pytest.fixture
def keys(lab, capsys):
    """Run `dataflow keys`; return exit status, stdout, stderr."""

    def call(*arguments):
        status = cli.main(["keys", *arguments])
        return status, *capsys.readouterr()

    return call


def test_keys_lie_in_the_users_config_folder(lab, monkeypatch):
    assert keys_folder() == lab.folder / "config" / "dataflow" / "keys"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(keys_folder()) == "/home/ada/.config/dataflow/keys"


def test_new_key_is_printed_with_what_others_do_with_it(keys):
    status, out, _ = keys("new", "--name", "me")
    key = Keyring.load(keys_folder()).own
    assert status == 0
    assert out == f"{key}\nyour key; others believe what you sign after `dataflow keys trust {key}`\n"


def test_list_shows_the_own_key_first_and_then_the_order_of_trust(keys):
    assert keys("list")[1] == (
        "no keys yet: `dataflow keys new` makes yours, `dataflow keys trust KEY` adds another's\n"
    )
    assert keys("trust", ADA, "--name", "ada") == (0, f"trusted {ADA[:8]}… (ada)\n", "")
    assert keys("trust", BOB) == (0, f"trusted {BOB[:8]}…\n", "")
    own = keys("new", "--name", "me")[1].split()[0]
    assert keys("revoke", "ada") == (0, f"revoked {ADA[:8]}… (ada)\n", "")
    listed = json.loads(keys("list", "--json")[1])
    assert listed["folder"] == str(keys_folder())
    assert [(row["key"], row["name"], row["state"]) for row in listed["keys"]] == [
        (own, "me", "own"), (ADA, "ada", "revoked"), (BOB, "", "trusted")
    ]  # fmt: skip
    rows = [line.split() for line in keys("list")[1].splitlines()]
    assert rows[0] == ["name", "state", "since", "key"]
    assert rows[1] == [own[:8], "me", "own", listed["keys"][0]["since"], own]
    assert rows[3] == [BOB[:8], "trusted", listed["keys"][2]["since"], BOB]
    keys("revoke", "me")
    assert json.loads(keys("list", "--json")[1])["keys"][0]["state"] == "own, revoked"


def test_own_key_that_came_without_its_list_is_shown(keys):
    own = keys("new", "--name", "me")[1].split()[0]
    (keys_folder() / "keys.json").write_text("[]")
    assert json.loads(keys("list", "--json")[1])["keys"] == [{"key": own, "name": "", "state": "own", "since": ""}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trust", "ada"], "key 'ada': expected the 64 lowercase hex digits of an ed25519 public key"),
        (["trust", ADA], f"key {ADA[:8]}… (ada-l): is trusted since "),
        (["trust", BOB, "--name", "ada-l"], f"name 'ada-l': is that of {ADA[:8]}… already, expected another"),
        (["revoke", "ada"], "'ada': expected a key of 64 lowercase hex digits, or a name in your list"),
        (["revoke", "adal"], "or a name in your list; did you mean 'ada-l'?"),
        (["revoke", ADA[:8]], "expected a key of 64 lowercase hex digits"),
        (["new"], "own.pem: is there already: a key pair is never overwritten; move it away to make another"),
        (["new", "--name", "me"], "own.pem: is there already"),
    ],
)
def test_what_is_refused_is_one_line(keys, arguments, expected):
    keys("new", "--name", "me")
    keys("trust", ADA, "--name", "ada-l")
    status, out, err = keys(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1) and expected in err


def test_damaged_list_is_one_line(keys):
    keys("trust", ADA)
    (keys_folder() / "keys.json").write_text("[")
    for arguments in (["list"], ["list", "--json"], ["trust", BOB], ["revoke", BOB], ["new"]):
        status, out, err = keys(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1) and err.startswith(f"{keys_folder()}/keys.json: expected")


def test_action_that_is_none_is_a_bad_command(keys):
    for arguments in ([], ["burn"], ["trust"], ["revoke"]):
        with pytest.raises(SystemExit) as caught:
            keys(*arguments)
        assert caught.value.code == 2


def test_commands_at_once_lose_no_key(lab):
    new = [public_key(Ed25519PrivateKey.from_private_bytes(bytes([n] * 32))) for n in range(1, 9)]
    started = [lab.start("keys", "trust", key) for key in new]
    assert [process.wait(timeout=60) for process in started] == [0] * 8
    assert sorted(known.key for known in Keyring.load(keys_folder()).keys) == sorted(new)


def test_one_of_two_new_keys_at_once_is_made(lab):
    started = [lab.start("keys", "new") for _ in range(4)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]
    made = [out.split()[0] for out, _, status in ended if status == 0]
    assert made == [Keyring.load(keys_folder()).own]
    assert all("is there already" in err for _, err, status in ended if status != 0)
