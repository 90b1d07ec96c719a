"""Keyrings: whom they accept, in what order, and that no accident of files or processes loses a revocation."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from store.errors import Unacceptable
from store.signing import is_time, open_signed, public_key
from store.trust import POLICIES, Keyring

ADA, BOB, EVE = (public_key(Ed25519PrivateKey.from_private_bytes(bytes([n] * 32))) for n in (1, 2, 3))
SINCE = "2026-01-31T09:30:00.000Z"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def keyring(folder):
    """A keyring with a key of its own that trusts Ada and then Bob."""
    keyring = Keyring.load(folder)
    keyring.new("me")
    keyring.trust(ADA, "ada")
    keyring.trust(BOB, "bob")
    return keyring


def write_list(folder, *keys):
    folder.mkdir(mode=0o700, exist_ok=True)
    fields = ("key", "name", "state", "since")
    (folder / "keys.json").write_bytes(msgspec.json.encode([dict(zip(fields, key)) for key in keys]))


def refusal(call, *arguments):
    with pytest.raises(Unacceptable) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folder_that_is_not_there_has_no_keys_and_is_not_made(folder):
    keyring = Keyring.load(folder)
    assert (keyring.own, keyring.order(), keyring.name_of(ADA)) == ("", [], "")
    assert not folder.exists()
    assert [keyring.accepts(ADA, policy) for policy in POLICIES] == [False, False, True]


def test_what_a_keyring_signs_opens_as_its_own(keyring):
    signed = open_signed("refs/pool/1", keyring.sign("refs/pool/1", b"body"))
    assert (signed.signer, signed.body) == (keyring.own, b"body") and is_time(signed.at)
    assert all(keyring.accepts(signed.signer, policy) for policy in POLICIES)


def test_own_key_comes_first_then_the_list_in_its_order(keyring, folder):
    assert keyring.order() == [keyring.own, ADA, BOB]
    keys = msgspec.json.decode((folder / "keys.json").read_bytes())
    (folder / "keys.json").write_bytes(msgspec.json.encode(keys[::-1]))  # the user's own hand
    again = Keyring.load(folder)
    assert again.order() == [keyring.own, BOB, ADA]
    again.revoke("bob")
    again.trust(EVE)
    assert again.order() == Keyring.load(folder).order() == [keyring.own, ADA, EVE]


@pytest.mark.parametrize(("policy", "accepted"), [("own", "o"), ("trusted", "oab"), ("any", "oabe")])
def test_policy_says_who_is_accepted(keyring, policy, accepted):
    signers = {"o": keyring.own, "a": ADA, "b": BOB, "e": EVE}
    assert {name for name, key in signers.items() if keyring.accepts(key, policy)} == set(accepted)
    assert not keyring.accepts("local", policy) and not keyring.accepts("", policy)
    assert not keyring.accepts("01" + "00" * 31, policy)  # anybody can sign for that key
    for key in ("o", "a", "e"):
        assert (keyring.why_not(signers[key], policy) == "") == (key in accepted)


@pytest.mark.parametrize("policy", POLICIES)
def test_revoked_key_is_never_accepted_not_even_the_own_one(keyring, folder, policy):
    assert keyring.revoke("ada") == ADA
    assert keyring.revoke(EVE) == EVE  # one that never was in the list
    keyring.revoke(keyring.own)
    for ring in (keyring, Keyring.load(folder)):
        assert not any(ring.accepts(key, policy) for key in (ADA, EVE, ring.own))
        assert ring.order() == [BOB]
    assert "your own key" in refusal(keyring.sign, "refs/pool/1", b"")


def test_policy_that_is_none_is_refused(keyring):
    assert refusal(keyring.accepts, keyring.own, "all") == "policy 'all': expected one of own, trusted, any"


def test_why_not_is_a_line_that_says_what_to_do(keyring):
    assert keyring.why_not(EVE, "trusted") == (
        f"signed by {EVE[:8]}…, not in your trust list: `dataflow keys trust {EVE}`"
    )
    assert keyring.why_not(ADA, "own") == (
        f"signed by {ADA[:8]}… (ada), and only what you signed yourself is taken here"
    )
    keyring.revoke("ada")
    assert keyring.why_not(ADA, "any").startswith(f"signed by {ADA[:8]}… (ada), revoked since 20")
    assert keyring.why_not("local", "any") == "signed by 'local', which is no key: expected 64 hex digits"


def test_key_pair_is_made_once_and_for_its_owner_only(folder):
    keyring = Keyring.load(folder)
    umask = os.umask(0)  # the widest one: modes do not hang on it
    try:
        key = keyring.new()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "own.pem": 0o600, "keys.json": 0o600, "keys.lock": 0o600
    }  # fmt: skip
    before = (folder / "own.pem").read_bytes()
    assert before.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert "own.pem: is there already: a key pair is never overwritten" in refusal(keyring.new)
    assert (folder / "own.pem").read_bytes() == before and Keyring.load(folder).own == key == keyring.own


def test_no_file_is_ever_open_to_others_while_it_is_made(folder, monkeypatch):
    modes = []
    real = os.open

    def watch(path, flags, mode=0o777, **more):
        file = real(path, flags, mode, **more)
        if flags & os.O_CREAT:
            modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        return file

    monkeypatch.setattr(os, "open", watch)
    Keyring.load(folder).new()
    assert len(modes) == 4 and set(modes) == {0o600}  # the lock, the list before and after, the pair


def test_dangling_link_is_not_followed_by_a_new_key_pair(folder, tmp_path):
    folder.mkdir(mode=0o700)
    (folder / "own.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        Keyring.load(folder).new()
    assert not (tmp_path / "elsewhere").exists()


def test_old_key_stays_trusted_after_a_new_one(keyring, folder):
    old = keyring.own
    (folder / "own.pem").rename(folder / "old.pem")
    new = Keyring.load(folder).new("me-2027")
    assert Keyring.load(folder).order() == [new, old, ADA, BOB]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660])
def test_key_pair_that_others_can_read_is_refused(keyring, folder, mode):
    (folder / "own.pem").chmod(mode)
    again = Keyring.load(folder)
    expected = f"{folder}/own.pem: others than you can read it: expected only you: `chmod 600 {folder}/own.pem`"
    assert refusal(lambda: again.own) == refusal(again.sign, "refs/a/1", b"") == expected
    assert refusal(again.accepts, ADA, "own") == expected
    again.revoke("ada")  # that is never put off
    assert not Keyring.load(folder).accepts(ADA, "any")


def test_list_that_others_can_write_is_refused(keyring, folder):
    for name, mode in (("keys.json", 0o620), ("keys.json", 0o602), (".", 0o770), (".", 0o702)):
        before = (folder / name).stat().st_mode
        (folder / name).chmod(mode)
        assert f"chmod go-w {folder / name}`" in refusal(Keyring.load, folder)
        (folder / name).chmod(before)
    (folder / "keys.json").chmod(0o644)  # to read it does no harm
    assert Keyring.load(folder).order() == keyring.order()


def other_pairs():
    to = serialization
    plain, pem, pkcs8 = to.NoEncryption(), to.Encoding.PEM, to.PrivateFormat.PKCS8
    ed25519 = Ed25519PrivateKey.generate()
    yield b""
    yield b"\0" * 119
    yield ed25519.private_bytes(pem, pkcs8, plain)[:60]
    yield ed25519.private_bytes(pem, pkcs8, to.BestAvailableEncryption(b"secret"))
    yield generate_private_key(SECP256R1()).private_bytes(pem, pkcs8, plain)
    yield ed25519.public_key().public_bytes(pem, to.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("data", other_pairs())
def test_key_pair_of_another_kind_or_damaged_is_refused(keyring, folder, data):
    (folder / "own.pem").write_bytes(data)
    again = Keyring.load(folder)
    assert refusal(lambda: again.own) == (
        f"{folder}/own.pem: expected an ed25519 key pair as PKCS8 PEM, without a password"
    )


def damaged_lists():
    revoked = f'{{"key":"{ADA}","name":"ada","state":"revoked","since":"{SINCE}"}}'
    yield from ("", "\0" * 200, "null", "{}", f"[{revoked}", f"[{revoked}] x")
    for again in (("", ""), ("revoked", "trusted"), (ADA, BOB)):  # the same key, or the same name, twice
        yield f"[{revoked},{revoked.replace(*again)}]"
    for wrong in (
        ("revoked", "Revoked"),
        ("state", "stat"),
        ("}", ',"more":1}'),
        (ADA, ADA.upper()),
        (ADA, ADA[:-1]),
        (SINCE, "yesterday"),
        ('"ada"', '"a\\u001b[2Jda"'),
        ('"ada"', "null"),
    ):
        yield f"[{revoked.replace(*wrong)}]"


@pytest.mark.parametrize("text", damaged_lists())
def test_damaged_list_is_refused_and_left_as_it_is(folder, text):
    write_list(folder)
    (folder / "keys.json").write_text(text)
    assert refusal(Keyring.load, folder).startswith(f"{folder}/keys.json: ")
    early = Keyring(folder, [])
    for change in (lambda: early.trust(BOB), lambda: early.revoke(BOB), early.new):
        assert refusal(change).startswith(f"{folder}/keys.json: ")
    assert (folder / "keys.json").read_text() == text and not (folder / "own.pem").exists()


def test_list_that_is_lost_is_not_taken_for_an_empty_one(keyring, folder):
    (folder / "keys.json").unlink()
    assert refusal(Keyring.load, folder) == (
        f"{folder}/keys.json: is lost: expected it beside own.pem; write [] there to begin anew"
    )
    (folder / "keys.json").write_text("[]")
    assert Keyring.load(folder).order() == [keyring.own]


def test_list_that_cannot_be_read_is_not_taken_for_an_empty_one(folder):
    (folder / "keys.json").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    with pytest.raises(OSError):
        Keyring.load(folder)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("ada",), "key 'ada': expected the 64 lowercase hex digits of an ed25519 public key"),
        ((EVE.upper(),), f"key '{EVE.upper()}': expected the 64 lowercase hex digits of an ed25519 public key"),
        ((ADA,), f"key {ADA[:8]}… (ada): is trusted since 20"),
        ((BOB,), f"key {BOB[:8]}… (bob): is revoked since 20"),
        (("OWN",), "(me): is your own, which is always trusted"),
        ((EVE, "ada"), f"name 'ada': is that of {ADA[:8]}… already, expected another"),
        ((EVE, EVE), f"name '{EVE}': expected letters, digits"),
        ((EVE, "a\nb"), "name 'a\\nb': expected letters, digits"),
        ((EVE, "x" * 65), "64 at most"),
    ],
)
def test_what_cannot_be_trusted_is_told_and_changes_nothing(keyring, folder, arguments, expected):
    keyring.revoke("bob")
    before = (folder / "keys.json").read_bytes()
    assert expected in refusal(keyring.trust, *[keyring.own if text == "OWN" else text for text in arguments])
    assert (folder / "keys.json").read_bytes() == before


def test_what_cannot_be_revoked_is_told(keyring):
    assert "or a name in the list" in refusal(keyring.revoke, "adda")
    assert "or a name in the list" in refusal(keyring.revoke, "")
    keyring.revoke("ada")
    assert "is revoked since" in refusal(keyring.revoke, ADA)


def test_private_key_does_not_travel_to_other_processes(keyring, folder):
    assert keyring.sign("refs/a/1", b"")  # it is in memory now
    data = pickle.dumps(keyring)
    secret = serialization.load_pem_private_key((folder / "own.pem").read_bytes(), None).private_bytes_raw()
    assert secret not in data and len(data) < 500
    assert pickle.loads(data).order() == keyring.order()


def test_who_shares_nothing_imports_no_cryptography(tmp_path):
    code = f"""
import sys, store.open, store.signing, store.trust
store.trust.Keyring.load({str(tmp_path)!r})
print("cryptography" in sys.modules)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout == "False\n", done.stderr


CHANGER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from store.signing import public_key
from store.trust import Keyring
folder, first = Path(sys.argv[1]), int(sys.argv[2])
keyring = Keyring.load(folder)
(folder / f"ready-{first}").touch()
while not (folder / "go").exists():
    pass
for n in range(first, first + 40):
    key = public_key(Ed25519PrivateKey.from_private_bytes(n.to_bytes(32, "big")))
    keyring.trust(key, f"n{n}") if n % 2 else keyring.revoke(key)
    assert Keyring.load(folder).find(key)
"""


def test_processes_that_change_the_list_at_once_lose_nothing(folder):
    folder.mkdir(mode=0o700)
    line = [sys.executable, "-c", CHANGER, str(folder)]
    changers = [subprocess.Popen([*line, str(first)], cwd=Path(__file__).parents[2]) for first in (1000, 2000, 3000)]
    while not all((folder / f"ready-{first}").exists() for first in (1000, 2000, 3000)):
        assert not any(changer.poll() for changer in changers)
    (folder / "go").touch()
    assert [changer.wait(timeout=60) for changer in changers] == [0, 0, 0]
    states = [known.state for known in Keyring.load(folder).keys]
    assert (states.count("trusted"), states.count("revoked")) == (60, 60)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
