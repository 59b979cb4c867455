"""Bodies that are not strictly JSON are refused with 400, whichever dialect reads them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects import CHAT, DIALECTS, MESSAGES, RESPONSES
from router.dialects.base import RequestRefused
from tests.dialects.samples import ADAPTIVE, translate

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
    "invalid UTF-8": b'{"model": "a", "x": "\xff"}',
    "invalid UTF-8 in the model": b'{"model": "\xff"}',
    "a surrogate in UTF-8": b'{"model": "a", "x": "\xed\xa0\x80"}',
    "a control character in a string": b'{"model": "a", "x": "\n"}',
    "an escape that is none": b'{"model": "a", "x": "\\x41"}',
    "nothing but blanks": b"  \n",
    "null": b"null",
    "a string": b'"model"',
    "a number of 5000 digits alone": b"9" * 5_000,
    "a bottomless array": b'{"model": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
# What passes on the native path, where the provider reads the rest of the body itself.
REFUSED_WHEN_TRANSLATED = {
    "any name twice": b'{"model": "a", "x": {"y": 1, "y": 2}}',
    "a lone surrogate": b'{"model": "a", "x": "\\ud800"}',
    "a lone low surrogate": b'{"model": "a", "x": "\\udc00 y"}',
    "an integer of 20 digits": b'{"model": "a", "x": 12345678901234567890}',
    "an integer of 5000 digits": b'{"model": "a", "x": ' + b"9" * 5000 + b"}",
    "a number beyond a double": b'{"model": "a", "x": 1e999}',
    "a fraction of 5000 digits beyond a double": b'{"model": "a", "x": ' + b"9" * 5000 + b".5}",
    "101 levels": b'{"model": "a", "x": ' + b"[" * 100 + b"]" * 100 + b"}",
    "101 levels of objects": b'{"model": "a", "x": ' + b'{"x":' * 100 + b"1" + b"}" * 101,
    "10,001 messages": b'{"model": "a", "messages": [' + b"{}," * 10_000 + b"{}]}",
    "10,001 items": b'{"model": "a", "input": [' + b"{}," * 10_000 + b"{}]}",
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


@pytest.mark.parametrize("levels", [101, 900, 100_000])
def test_arguments_of_a_call_are_not_nested_deeper_either(levels):
    function = {"name": "f", "arguments": '{"x":' + "[" * levels + "]" * levels + "}"}
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}

    with pytest.raises(RequestRefused) as refused:
        translate(CHAT, messages=[{"role": "user", "content": "x"}, call])

    assert refused.value.param == "messages.1.tool_calls.0.function.arguments"


@pytest.mark.parametrize("levels", [500, 900, 950, 990, 1_000, 100_000])
def test_deep_native_body_is_read_or_refused(levels):
    raw = b'{"model": "a", "x": ' + b"[" * levels + b"]" * levels + b"}"

    with contextlib.suppress(RequestRefused):
        assert MESSAGES.to_messages(MESSAGES.parse(raw), ADAPTIVE).keys() == {"x"}


def test_native_number_beyond_a_double_is_refused_once_it_is_looked_at():
    with pytest.raises(RequestRefused):
        MESSAGES.to_messages(MESSAGES.parse(b'{"model": "a", "x": 1e999}'), ADAPTIVE)


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


def test_name_given_twice_behind_very_many_is_found_in_one_pass():
    names = b",".join(b'"k%d":1' % number for number in range(200_000))

    with pytest.raises(RequestRefused) as refused:
        CHAT.parse(b'{"model":"a",%b,"k199999":2}' % names)

    assert refused.value.param == "k199999"
