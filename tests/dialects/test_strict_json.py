"""Bodies that are not strictly JSON are refused with 400, whichever dialect reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects import CHAT, DIALECTS, MESSAGES, RESPONSES
from router.dialects.base import RequestRefused

MALFORMED = {
    "empty": b"",
    "not JSON": b"hello",
    "cut off": b'{"model": "a", "messages": [',
    "trailing text": b'{"model": "a"} {}',
    "not an object": b'["model"]',
    "a byte order mark": b'\xef\xbb\xbf{"model": "a"}',
    "NaN": b'{"model": "a", "x": NaN}',
    "infinity": b'{"model": "a", "x": -Infinity}',
    "a leading zero": b'{"model": "a", "x": 01}',
    "single quotes": b"{'model': 'a'}",
    "no model": b"{}",
    "an empty model": b'{"model": ""}',
    "a model that is a number": b'{"model": 7}',
    "a model that is null": b'{"model": null}',
    "stream as a string": b'{"model": "a", "stream": "true"}',
    "the model twice": b'{"model": "a", "model": "b"}',
    "the model twice, once escaped": b'{"model": "a", "mod\\u0065l": "b"}',
    "a bottomless array": b'{"model": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
# What passes on the native path, where the provider reads the rest of the body itself.
REFUSED_WHEN_TRANSLATED = {
    "any name twice": b'{"model": "a", "x": {"y": 1, "y": 2}}',
    "invalid UTF-8": b'{"model": "a", "x": "\xff"}',
    "a surrogate in UTF-8": b'{"model": "a", "x": "\xed\xa0\x80"}',
    "a lone surrogate": b'{"model": "a", "x": "\\ud800"}',
    "a lone low surrogate": b'{"model": "a", "x": "\\udc00 y"}',
    "an integer of 20 digits": b'{"model": "a", "x": 12345678901234567890}',
    "an integer of 5000 digits": b'{"model": "a", "x": ' + b"9" * 5000 + b"}",
    "a number beyond a double": b'{"model": "a", "x": 1e999}',
    "101 levels": b'{"model": "a", "x": ' + b"[" * 100 + b"]" * 100 + b"}",
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_malformed_body_is_refused(dialect, raw):
    with pytest.raises(RequestRefused) as refused:
        dialect.parse(raw)

    assert (refused.value.status, refused.value.code) == (400, "invalid_request_body")


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
@pytest.mark.parametrize("raw", REFUSED_WHEN_TRANSLATED.values(), ids=REFUSED_WHEN_TRANSLATED)
def test_ambiguous_body_is_refused_where_it_is_translated(dialect, raw):
    with pytest.raises(RequestRefused):
        dialect.parse(raw)


def test_nesting_up_to_a_hundred_levels_is_fine():
    raw = b'{"model": "a", "x": ' + b"[" * 99 + b"]" * 99 + b"}"

    assert CHAT.parse(raw).model == "a"


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        (b"{}", "model"),
        (b'{"model": 7}', "model"),
        (b'{"model": "a", "stream": 1}', "stream"),
        (b'{"model": "a", "model": "b"}', "model"),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_refusal_names_the_field(dialect, raw, param):
    with pytest.raises(RequestRefused) as refused:
        dialect.parse(raw)

    assert refused.value.param == param


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@given(raw=st.one_of(st.binary(), st.text().map(str.encode), st.text().map(lambda text: f'{{"model":{text}'.encode())))
def test_no_bytes_raise_anything_but_a_refusal(dialect, raw):
    try:
        parsed = dialect.parse(raw)
    except RequestRefused:
        return
    assert parsed.model


def test_native_body_may_hold_what_only_the_provider_can_judge():
    assert MESSAGES.parse(b'{"model": "a", "x": {"y": 1, "y": 2}, "new_field": 1}').model == "a"
