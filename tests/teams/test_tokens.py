"""Keys as text: what is minted reads back, and no damaged key passes for one."""

import re
import zlib

import pytest

from teams.tokens import (
    ALPHABET,
    CHECKSUM_LENGTH,
    PREFIX_LENGTH,
    TOKEN_LENGTH,
    MalformedToken,
    TokenKind,
    hash_token,
    mint_token,
    read_public_id,
)

FORM = re.compile(r"(sk|mk)-orq-[0-9A-Za-z]{8}-[0-9A-Za-z]{43}[0-9A-Za-z]{6}")
# A key handed out must stay readable in every later release, so one is kept here.
KNOWN = "sk-orq-K8QmPz3a-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2Hraor"


@pytest.mark.parametrize("kind", TokenKind)
def test_minted_keys_have_the_documented_form(kind: TokenKind) -> None:
    token = mint_token(kind)

    assert FORM.fullmatch(token.text)
    assert token.text.startswith(kind)
    assert read_public_id(token.text, kind) == token.public_id
    assert (token.sha256, token.last4) == (hash_token(token.text), token.text[-4:])


def test_a_key_of_the_other_kind_is_refused() -> None:
    token = mint_token(TokenKind.GATEWAY)

    with pytest.raises(MalformedToken):
        read_public_id(token.text, TokenKind.MANAGEMENT)


def test_changing_the_prefix_alone_does_not_change_the_kind() -> None:
    text = mint_token(TokenKind.GATEWAY).text.replace(TokenKind.GATEWAY, TokenKind.MANAGEMENT)

    with pytest.raises(MalformedToken):
        read_public_id(text, TokenKind.MANAGEMENT)


def test_a_key_with_any_bit_flipped_is_refused() -> None:
    text = mint_token(TokenKind.GATEWAY).text.encode()

    for bit in range(len(text) * 8):
        damaged = bytearray(text)
        damaged[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(MalformedToken):
            read_public_id(damaged.decode("latin-1"), TokenKind.GATEWAY)


def test_a_key_with_any_character_replaced_is_refused() -> None:
    text = mint_token(TokenKind.GATEWAY).text

    for position in range(len(text)):
        for character in ALPHABET:
            damaged = text[:position] + character + text[position + 1 :]
            if damaged != text:
                with pytest.raises(MalformedToken):
                    read_public_id(damaged, TokenKind.GATEWAY)


def test_a_key_with_two_neighbours_swapped_is_refused() -> None:
    text = mint_token(TokenKind.GATEWAY).text

    for position in range(PREFIX_LENGTH, len(text) - 1):
        damaged = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
        if damaged != text:
            with pytest.raises(MalformedToken):
                read_public_id(damaged, TokenKind.GATEWAY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-orq-",
        "Bearer",
        "x" * TOKEN_LENGTH,
        "sk-orq-" + "x" * (TOKEN_LENGTH - PREFIX_LENGTH),
        "sk-orq-" + "é" * 8 + "-" + "x" * 49,
        "\x00" * TOKEN_LENGTH,
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(MalformedToken):
        read_public_id(text, TokenKind.GATEWAY)


def test_a_key_is_refused_with_anything_around_it() -> None:
    text = mint_token(TokenKind.GATEWAY).text

    for damaged in (text + " ", " " + text, text + "\n", text[:-1], text + "0"):
        with pytest.raises(MalformedToken):
            read_public_id(damaged, TokenKind.GATEWAY)


def test_a_key_made_long_ago_still_reads() -> None:
    assert read_public_id(KNOWN, TokenKind.GATEWAY) == "K8QmPz3a"


def test_the_checksum_is_the_crc32_in_base62() -> None:
    body, checksum = KNOWN[:-CHECKSUM_LENGTH], KNOWN[-CHECKSUM_LENGTH:]

    number = 0
    for digit in checksum:
        number = number * len(ALPHABET) + ALPHABET.index(digit)

    assert number == zlib.crc32(body.encode())


def test_minted_keys_differ() -> None:
    assert len({mint_token(TokenKind.GATEWAY).text for _ in range(100)}) == 100


def test_showing_a_minted_key_hides_its_text() -> None:
    token = mint_token(TokenKind.GATEWAY)

    assert token.text not in repr(token)
    assert token.text not in f"{token}"
