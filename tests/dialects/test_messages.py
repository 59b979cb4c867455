"""The native dialect changes the model's name and not another byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects import MESSAGES
from router.dialects.base import RequestRefused
from router.dialects.messages import replace_model
from tests.dialects.samples import ADAPTIVE

BODIES = {
    "first": (b'{"model":"old","max_tokens":1}', b'{"model":"new","max_tokens":1}'),
    "last": (b'{"max_tokens":1,"model":"old"}', b'{"max_tokens":1,"model":"new"}'),
    "spaced": (b' {\n\t"model" :\r\n "old" , "x" : 1.0 } \n', b' {\n\t"model" :\r\n "new" , "x" : 1.0 } \n'),
    "number spelling kept": (b'{"t":1.50e+1,"model":"old"}', b'{"t":1.50e+1,"model":"new"}'),
    "escapes kept": (b'{"x":"\\u00e9\\/","model":"old"}', b'{"x":"\\u00e9\\/","model":"new"}'),
    "nested before": (b'{"x":{"model":"a"},"model":"old"}', b'{"x":{"model":"a"},"model":"new"}'),
    "nested after": (b'{"model":"old","x":[{"model":{"a":1}}]}', b'{"model":"new","x":[{"model":{"a":1}}]}'),
    "in a string": (b'{"x":"\\"model\\":\\"a\\"","model":"old"}', b'{"x":"\\"model\\":\\"a\\"","model":"new"}'),
    "as a value": (b'{"x":"model","model":"old","y":["model"]}', b'{"x":"model","model":"new","y":["model"]}'),
    "key that ends so": (b'{"a\\"model":"x","model":"old"}', b'{"a\\"model":"x","model":"new"}'),
    "quote in the value": (b'{"model":"o\\"l\\\\d","x":"y"}', b'{"model":"new","x":"y"}'),
    "escaped key": (b'{"\\u006dodel":"old"}', b'{"\\u006dodel":"new"}'),
    "escaped key, nested plain": (b'{"mod\\u0065l":"old","x":{"model":1}}', b'{"mod\\u0065l":"new","x":{"model":1}}'),
    "mark in the body": (
        b'{"model~0":1,"x":{"model":2},"model":"old"}',
        b'{"model~0":1,"x":{"model":2},"model":"new"}',
    ),
}


@pytest.mark.parametrize(("raw", "expected"), BODIES.values(), ids=BODIES)
def test_only_the_top_level_model_changes(raw, expected):
    assert replace_model(raw, "new") == expected


def test_new_model_is_written_as_json():
    assert replace_model(b'{"model":"old"}', 'a"\\é') == '{"model":"a\\"\\\\é"}'.encode()


@pytest.mark.parametrize("raw", [b"{}", b'{"model":1}', b'{"model":"a","model":"b"}', b"["])
def test_body_without_exactly_one_model_is_refused(raw):
    with pytest.raises(RequestRefused):
        replace_model(raw, "new")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("model") | st.just('"model": "x"'),
    lambda children: st.lists(children) | st.dictionaries(st.text() | st.just("model"), children),
    max_leaves=12,
)


@given(
    before=st.dictionaries(st.text().filter(lambda name: name != "model"), json_values),
    after=st.dictionaries(st.text().filter(lambda name: name != "model"), json_values),
    model=st.text(min_size=1),
    ascii_only=st.booleans(),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")]),
)
def test_any_body_keeps_all_else(before, after, model, ascii_only, separators):
    def encode(model):
        after_only = {name: value for name, value in after.items() if name not in before}
        body = {**before, "model": model, **after_only}
        return json.dumps(body, ensure_ascii=ascii_only, separators=separators)

    replaced = replace_model(encode(model).encode(), "new")

    assert replaced == encode("new").encode()


def test_head_is_read_and_the_bytes_are_kept():
    raw = b'{"model":"claude-sonnet-4-6","stream":true,"metadata":{"user_id":"u1"},"new":{"a":1}}'

    parsed = MESSAGES.parse(raw)

    assert (parsed.model, parsed.stream, parsed.raw) == ("claude-sonnet-4-6", True, raw)
    assert parsed.options.metadata == {"user_id": "u1"}


@pytest.mark.parametrize("metadata", [b"null", b"7", b'{"user_id":null}', b'{"user_id":{"a":1}}'])
def test_metadata_of_any_shape_is_the_providers_to_judge(metadata):
    parsed = MESSAGES.parse(b'{"model":"m","metadata":' + metadata + b"}")

    assert parsed.options.metadata == {}


def test_body_for_another_provider_loses_only_its_model():
    parsed = MESSAGES.parse(b'{"model":"m","max_tokens":5,"new":[1]}')

    assert MESSAGES.to_messages(parsed, ADAPTIVE) == {"max_tokens": 5, "new": [1]}


def test_error_has_the_native_envelope():
    body = MESSAGES.render_error(429, "cost_budget_exceeded", "Spent.", request_id="r1", extra={"limit": 5})

    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Spent.", "limit": 5},
        "request_id": "r1",
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_error_type_follows_the_status(status, kind):
    assert json.loads(MESSAGES.render_error(status, "code", "m"))["error"]["type"] == kind


def test_body_made_of_the_mark_itself_is_read_in_one_pass():
    body = b'{"model":"old","x":{"model":"%b"}}' % (b"model" + b"~" * 2_000_000)

    assert replace_model(body, "new") == body.replace(b'"old"', b'"new"', 1)
