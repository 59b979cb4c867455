"""A sealed credential opens only in its own row, and every other try ends in a typed error."""

import base64
import re
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.crypto import (
    CannotOpen,
    CryptoError,
    Keyring,
    MasterKeysInvalid,
    SealContext,
    Sealed,
    UnknownMasterKey,
    load_keyring,
    parse_master_keys,
)
from providers.secret import Secret

PLAINTEXT = "sk-ant-api03-a-credential-for-tests"
KEY_A, KEY_B = bytes(range(32)), bytes(range(32, 64))
CONTEXT = SealContext(UUID(int=1), UUID(int=2), "anthropic", "https://a.test", 1)
OTHER_CONTEXT = SealContext(UUID(int=3), UUID(int=4), "simulated", "https://b.test", 2)


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def flipped(blob: bytes, bit: int) -> bytes:
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring({"a": KEY_A})


@pytest.fixture
def sealed(keyring: Keyring) -> Sealed:
    return keyring.seal(Secret(PLAINTEXT), CONTEXT)


def test_opens_in_its_own_row(keyring: Keyring, sealed: Sealed) -> None:
    assert keyring.open(sealed, CONTEXT).reveal() == PLAINTEXT


def test_ciphertext_holds_no_plaintext(sealed: Sealed) -> None:
    assert PLAINTEXT.encode() not in sealed.ciphertext + sealed.wrapped_data_key


def test_same_secret_seals_differently_each_time(keyring: Keyring, sealed: Sealed) -> None:
    again = keyring.seal(Secret(PLAINTEXT), CONTEXT)

    assert again.ciphertext != sealed.ciphertext
    assert again.wrapped_data_key != sealed.wrapped_data_key


@pytest.mark.parametrize("name", [field.name for field in fields(SealContext)])
def test_does_not_open_when_one_field_of_the_row_differs(keyring: Keyring, sealed: Sealed, name: str) -> None:
    moved = replace(CONTEXT, **{name: getattr(OTHER_CONTEXT, name)})

    with pytest.raises(CannotOpen):
        keyring.open(sealed, moved)


@pytest.mark.parametrize("names", list(combinations([field.name for field in fields(SealContext)], 2)), ids="-".join)
def test_does_not_open_when_two_fields_of_the_row_differ(
    keyring: Keyring, sealed: Sealed, names: tuple[str, str]
) -> None:
    moved = replace(CONTEXT, **{name: getattr(OTHER_CONTEXT, name) for name in names})

    with pytest.raises(CannotOpen):
        keyring.open(sealed, moved)


ROWS = [
    SealContext(UUID(int=workspace), UUID(int=key), "anthropic", origin, version)
    for workspace, key, origin, version in [
        (1, 10, "provider:anthropic", 1),
        (1, 10, "provider:anthropic", 2),
        (1, 11, "provider:anthropic", 1),
        (1, 11, "https://proxy.test", 1),
        (2, 10, "provider:anthropic", 1),
        (2, 12, "https://proxy.test:8443", 3),
    ]
]


@pytest.mark.parametrize(("one", "other"), list(combinations(range(len(ROWS)), 2)))
@pytest.mark.parametrize("swapped", ["ciphertext", "wrapped_data_key", "both"])
def test_rows_that_swapped_columns_do_not_open(keyring: Keyring, one: int, other: int, swapped: str) -> None:
    mine = keyring.seal(Secret("the first row's secret"), ROWS[one])
    theirs = keyring.seal(Secret("the other row's secret"), ROWS[other])
    columns = ["ciphertext", "wrapped_data_key"] if swapped == "both" else [swapped]

    for row, stored, donor in ((ROWS[one], mine, theirs), (ROWS[other], theirs, mine)):
        with pytest.raises(CannotOpen):
            keyring.open(replace(stored, **{column: getattr(donor, column) for column in columns}), row)


@pytest.mark.parametrize("column", ["ciphertext", "wrapped_data_key"])
def test_does_not_open_with_any_bit_flipped(keyring: Keyring, sealed: Sealed, column: str) -> None:
    blob: bytes = getattr(sealed, column)

    for bit in range(len(blob) * 8):
        with pytest.raises(CannotOpen):
            keyring.open(replace(sealed, **{column: flipped(blob, bit)}), CONTEXT)


@pytest.mark.parametrize("column", ["ciphertext", "wrapped_data_key"])
def test_does_not_open_when_cut_short(keyring: Keyring, sealed: Sealed, column: str) -> None:
    blob: bytes = getattr(sealed, column)

    for length in range(len(blob)):
        with pytest.raises(CannotOpen):
            keyring.open(replace(sealed, **{column: blob[:length]}), CONTEXT)


def test_another_master_key_under_the_same_id_does_not_open(sealed: Sealed) -> None:
    with pytest.raises(CannotOpen):
        Keyring({"a": KEY_B}).open(sealed, CONTEXT)


def test_a_master_key_that_is_gone_is_named(sealed: Sealed) -> None:
    with pytest.raises(UnknownMasterKey, match=r"^a$"):
        Keyring({"b": KEY_B}).open(sealed, CONTEXT)


def test_an_older_master_key_still_opens_and_the_first_one_seals(sealed: Sealed) -> None:
    rotated = Keyring({"b": KEY_B, "a": KEY_A})

    assert rotated.open(sealed, CONTEXT).reveal() == PLAINTEXT
    assert rotated.seal(Secret(PLAINTEXT), CONTEXT).master_key_id == "b"


def test_errors_carry_no_secret(keyring: Keyring, sealed: Sealed) -> None:
    with pytest.raises(CryptoError) as caught:
        keyring.open(replace(sealed, ciphertext=flipped(sealed.ciphertext, 200)), CONTEXT)

    assert PLAINTEXT not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_additional_data_separates_purposes() -> None:
    assert CONTEXT.additional_data("secret") != CONTEXT.additional_data("data-key")


def test_fields_cut_elsewhere_give_other_additional_data() -> None:
    one = replace(CONTEXT, provider="a-b", origin="c")
    other = replace(CONTEXT, provider="a", origin="b-c")

    assert f"{one.provider}-{one.origin}" == f"{other.provider}-{other.origin}"
    assert one.additional_data("secret") != other.additional_data("secret")


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_additional_data_is_equal_only_for_equal_rows(one: tuple[str, str], other: tuple[str, str]) -> None:
    contexts = [replace(CONTEXT, provider=provider, origin=origin) for provider, origin in (one, other)]

    equal = contexts[0].additional_data("secret") == contexts[1].additional_data("secret")

    assert equal == (one == other)


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        pytest.param(lambda ring: ring.fingerprint(Secret(PLAINTEXT), UUID(int=1)), True, id="same secret"),
        pytest.param(lambda ring: ring.fingerprint(Secret(PLAINTEXT + "x"), UUID(int=1)), False, id="other secret"),
        pytest.param(lambda ring: ring.fingerprint(Secret(PLAINTEXT), UUID(int=2)), False, id="other workspace"),
        pytest.param(
            lambda _: Keyring({"b": KEY_B}).fingerprint(Secret(PLAINTEXT), UUID(int=1)), False, id="other master key"
        ),
    ],
)
def test_fingerprints_notice_the_same_secret_in_one_workspace(
    keyring: Keyring, change: Callable[[Keyring], bytes], is_equal: bool
) -> None:
    assert (change(keyring) == keyring.fingerprint(Secret(PLAINTEXT), UUID(int=1))) is is_equal


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"a:{encoded(KEY_A)}", ["a"]),
        (f"b:{encoded(KEY_B)},a:{encoded(KEY_A)}", ["b", "a"]),
        (f"a:{encoded(KEY_A)}\nb:{encoded(KEY_B)}\n", ["a", "b"]),
        (f" a:{encoded(KEY_A)} , , b:{encoded(KEY_B)},", ["a", "b"]),
    ],
)
def test_reads_master_keys_the_primary_first(text: str, ids: list[str]) -> None:
    keys = parse_master_keys(text)

    assert list(keys) == ids
    assert keys["a"] == KEY_A


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "There is no master key."),
        (" , \n", "There is no master key."),
        (encoded(KEY_A), "written id:base64"),
        (f":{encoded(KEY_A)}", "written id:base64"),
        (f"a:{encoded(KEY_A)},a:{encoded(KEY_B)}", "a stands there twice"),
        ("a:not base64!", "a is not base64"),
        ("a:YQ", "a is not base64"),
        ("a:", "a has 0 bytes"),
        (f"a:{encoded(KEY_A[:16])}", "a has 16 bytes; it needs 32"),
        (f"a:{encoded(KEY_A + b'x')}", "a has 33 bytes; it needs 32"),
        (f"a:{encoded(bytes(32))}", "a is not random"),
        (f"a:{encoded(b'k' * 32)}", "a is not random"),
        (f"a:{encoded(KEY_A)},b:", "b has 0 bytes"),
    ],
)
def test_refuses_master_keys_and_says_why(text: str, complaint: str) -> None:
    with pytest.raises(MasterKeysInvalid, match=re.escape(complaint)):
        parse_master_keys(text)


def test_refusals_never_repeat_the_key() -> None:
    with pytest.raises(MasterKeysInvalid) as caught:
        parse_master_keys(f"a:{encoded(KEY_A[:31])}")

    assert encoded(KEY_A[:31]) not in str(caught.value)


def test_a_keyring_needs_a_key() -> None:
    with pytest.raises(MasterKeysInvalid):
        Keyring({})


def test_the_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "master.keys"

    sealed = load_keyring("", file).seal(Secret(PLAINTEXT), CONTEXT)

    assert file.stat().st_mode & 0o777 == 0o600
    assert load_keyring("", file).open(sealed, CONTEXT).reveal() == PLAINTEXT


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "master.keys"

    keyring = load_keyring(f"env:{encoded(KEY_A)}", file)

    assert keyring.ids == ["env"]
    assert not file.exists()


@pytest.mark.parametrize("value", [KEY_A, KEY_B])
def test_a_keyring_shows_no_key(value: bytes) -> None:
    shown: Any = repr(Keyring({"a": value}))

    assert encoded(value) not in shown
    assert value.hex() not in shown
