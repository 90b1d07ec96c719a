"""Envelopes: what is signed for a place opens there, and nothing else does."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from store.digest import digest
from store.errors import Forged, StoreError, Unacceptable
from store.signing import Signed, is_key, is_time, now, open_signed, public_key, sign

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
SIGNER = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
AT = "2026-01-31T09:30:00.000Z"
PLACE = "refs/pools/indoor-v3/1"
ACTION = f"actions/ab/{'ab' * 32}/{SIGNER}/3"
BODY = b'{"output":"0123"}\n'
HEADER = 237

GOLDEN = (
    b"dataflow-signed 1 03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8 2026-01-31T09:30:00.000Z "
    b"9b0673174ac3f17f4cb0b3d1a1dcd9047f9f4f52cc83184573750c3130a0bc0a"
    b"e42820828f3cf8b6b8d16f5bc46e4c3cc5b9fef7a7e30f56dbce8a32b7d6ba03\n"
    b'{"output":"0123"}\n'
)

# The order of ed25519's base point.
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19


def is_forged(place, data):
    try:
        open_signed(place, data)
    except Forged:
        return True
    return False


def envelope(signer=SIGNER, at=AT, signature=None, body=BODY, message=None, key=KEY):
    """Put an envelope together by hand, with whatever is wrong in it; by default it is right."""
    message = message or f"dataflow-signed 1\n{signer}\n{at}\n{digest(body)}\n{PLACE}".encode()
    signature = signature or key.sign(message).hex()
    return f"dataflow-signed 1 {signer} {at} {signature}\n".encode() + body


def test_signed_bytes_are_pinned():
    assert sign(KEY, PLACE, BODY, AT) == GOLDEN
    assert open_signed(PLACE, GOLDEN) == Signed(SIGNER, AT, BODY)
    assert envelope() == GOLDEN


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_what_is_signed_opens_at_its_place(body, place):
    assert open_signed(place, sign(KEY, place, body, AT)) == Signed(SIGNER, AT, body)


def test_every_flipped_bit_is_forged():
    data = sign(KEY, ACTION, BODY, AT)
    assert data.index(b"\n") == HEADER - 1
    for n in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[n // 8] ^= 1 << n % 8
        assert is_forged(ACTION, bytes(flipped)), f"bit {n % 8} of byte {n // 8}"


def test_every_truncation_is_forged():
    assert all(is_forged(PLACE, GOLDEN[:length]) for length in range(len(GOLDEN)))


@given(st.data())
def test_changed_bytes_are_forged(data):
    start = data.draw(st.integers(0, len(GOLDEN)))
    end = data.draw(st.integers(start, len(GOLDEN)))
    changed = GOLDEN[:start] + data.draw(st.binary(max_size=40)) + GOLDEN[end:]
    assert changed == GOLDEN or is_forged(PLACE, changed)


@given(st.binary(max_size=600))
def test_any_bytes_open_or_are_forged_and_raise_nothing_else(data):
    assert is_forged(PLACE, data)


@pytest.mark.parametrize(
    "place",
    [
        f"actions/ab/{'ab' * 32}/{SIGNER}/4",  # n as n + 1
        f"actions/ab/{'ab' * 32}/{SIGNER}/03",
        f"actions/ab/{'ab' * 32}/{SIGNER}/3 ",
        f"actions/ab/{'ab' * 32}/{SIGNER}",
        f"actions/ab/{'ac' * 32}/{SIGNER}/3",  # another action
        f"actions/ab/{'ab' * 32}/{'cd' * 32}/3",  # another signer's folder
        f"refs/ab/{'ab' * 32}/{SIGNER}/3",  # another domain
        f"/{ACTION}",
        "",
        "\ud800",
    ],
)
def test_copy_to_another_place_is_forged(place):
    data = sign(KEY, ACTION, BODY, AT)
    assert open_signed(ACTION, data).body == BODY
    assert is_forged(place, data)


def test_signer_swapped_for_another_is_forged():
    assert is_forged(PLACE, GOLDEN.replace(SIGNER.encode(), public_key(OTHER).encode()))
    assert is_forged(PLACE, envelope(key=OTHER))


def test_place_does_not_say_who_signed():
    # Anybody can sign for the folder of another: it opens, as signed by who signed it.
    assert open_signed(ACTION, sign(OTHER, ACTION, BODY, AT)).signer == public_key(OTHER) != SIGNER


@pytest.mark.parametrize(
    "message",
    [
        BODY,
        digest(BODY).encode(),
        f"{SIGNER}\n{AT}\n{digest(BODY)}\n{PLACE}".encode(),
        f"dataflow-signed 2\n{SIGNER}\n{AT}\n{digest(BODY)}\n{PLACE}".encode(),
        f"dataflow-signed 1\n{AT}\n{digest(BODY)}\n{PLACE}".encode(),
        f"dataflow-signed 1\n{SIGNER}\n{AT}\n{digest(BODY)}\nactions/{PLACE}".encode(),
        b"dataflow-signed 1\n" + BODY,
    ],
)
def test_signature_made_for_something_else_is_forged(message):
    assert is_forged(PLACE, envelope(message=message))


def spellings():
    head, body = GOLDEN[: HEADER - 1], GOLDEN[HEADER:]
    first, version, signer, at, signature = head.split(b" ")
    yield "uppercase signer", b" ".join([first, version, signer.upper(), at, signature]) + b"\n" + body
    yield "uppercase signature", b" ".join([first, version, signer, at, signature.upper()]) + b"\n" + body
    yield "two spaces", head.replace(b" ", b"  ", 1) + b"\n" + body
    yield "space at the start", b" " + GOLDEN
    yield "space at the end", head + b" \n" + body
    yield "tab", head.replace(b" ", b"\t") + b"\n" + body
    yield "CR LF", head + b"\r\n" + body
    yield "CR", head + b"\r" + body
    yield "no line end", head + body
    yield "a field more", head + b" x\n" + body
    yield "another version", GOLDEN.replace(b" 1 ", b" 2 ", 1)
    yield "version 01", GOLDEN.replace(b" 1 ", b" 01 ", 1)
    yield "a mark before it", b"\xef\xbb\xbf" + GOLDEN
    yield "a long header", head + b" " + b"0" * 1000 + b"\n" + body
    yield "two headers", head + b"\n" + GOLDEN
    yield "nothing", b""


@pytest.mark.parametrize(("name", "data"), spellings())
def test_there_is_one_spelling_of_an_envelope(name, data):
    assert is_forged(PLACE, data), name


def test_second_signature_that_fits_the_same_text_is_forged():
    # ed25519's S + L is the same number modulo the order L; libraries that let it pass let signatures be rewritten.
    signature = bytes.fromhex(GOLDEN[108:236].decode())
    more = int.from_bytes(signature[32:], "little") + ORDER
    assert is_forged(PLACE, envelope(signature=(signature[:32] + more.to_bytes(32, "little")).hex()))


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000", "2026-01-31 09:30:00.000Z", "2026-01-31T09:30:00.000z",
        "2026-01-31T09:30:00.0000", "2026-02-30T09:30:00.000Z", "2026-01-31T25:30:00.000Z", "2026-01-31T09:30:60.000Z",
        "0000-01-31T09:30:00.000Z", "2026-01-31T09:30:00+00:0", "2026-01-31T09:30:00.٠٠٠Z",
        "2026-01-31T09:30:00.000Z\n",
    ],
)  # fmt: skip
def test_there_is_one_spelling_of_a_time(at):
    assert not is_time(at) and is_time(AT)
    assert is_forged(PLACE, envelope(at=at))  # although its signature is right
    with pytest.raises(Unacceptable, match="expected the form"):
        sign(KEY, PLACE, BODY, at)


def test_clock_is_in_the_form_of_a_time():
    assert is_time(now())


def weak_keys():
    order_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    for y in (0, 1, PRIME - 1, order_8, PRIME - order_8, *range(PRIME, 2**255)):
        for sign_bit in (0, 1):
            yield (y + (sign_bit << 255)).to_bytes(32, "little").hex()


def test_keys_that_anybody_can_sign_for_are_no_keys():
    # R = the neutral point and S = 0: OpenSSL takes it as this key's signature of any text whatever.
    neutral = "01" + "00" * 31
    assert is_forged(PLACE, envelope(signer=neutral, signature=neutral + "00" * 32))
    weak = list(weak_keys())
    assert len(weak) == 48 and not any(is_key(key) for key in weak)


@pytest.mark.parametrize("text", ["", "local", SIGNER[:-1], SIGNER + "0", SIGNER.upper(), SIGNER[:-1] + "g"])
def test_other_texts_are_no_keys(text):
    assert not is_key(text) and is_key(SIGNER)


def test_forged_is_one_line_with_the_place_and_travels_between_processes():
    with pytest.raises(StoreError) as caught:
        open_signed("refs/a\nb/1", GOLDEN)
    line = "'refs/a\\nb/1' is forged or torn: 03a107bf… has not signed these bytes for this place"
    assert [str(error) for error in (caught.value, pickle.loads(pickle.dumps(caught.value)))] == [line, line]
