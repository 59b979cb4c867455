"""However a client spells what it means, Claude is asked for just that; and what Claude says comes whole either way."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dialects import CHAT, RESPONSES
from router.dialects.base import Dialect, ModelFacts
from tests.dialects.meaning import Meaning, meanings, names, read_meaning, values, write_chat, write_responses
from tests.dialects.samples import make_context, render_stream, stream_of
from tests.replies import Reply, Thought, ToolCall, read_reply

FACTS = ModelFacts(max_output_tokens=128_000, thinking=frozenset({"enabled", "adaptive"}))
BOTH = pytest.mark.parametrize(
    ("dialect", "write"), [(CHAT, write_chat), (RESPONSES, write_responses)], ids=["chat", "responses"]
)


def as_claude_hears_it(meaning: Meaning) -> Meaning:
    """Return the meaning in the one form that Messages has for it."""
    # Only one tool at a time is a way to choose too.
    chosen = ("auto", None) if meaning.one_at_a_time and meaning.choice is None else meaning.choice
    return replace(meaning, choice=chosen)


@BOTH
@given(data=st.data())
def test_request_keeps_its_meaning(dialect: Dialect, write: Any, data: st.DataObject) -> None:
    meaning = data.draw(meanings())
    request = write(meaning, data.draw)

    body = dialect.to_messages(dialect.parse(json.dumps(request).encode()), FACTS)

    assert read_meaning(json.loads(json.dumps(body))) == as_claude_hears_it(meaning)


# --- answers ---

texts = st.text(min_size=1, max_size=20)
citations = st.lists(st.fixed_dictionaries({"type": st.just("char_location"), "cited_text": texts}), max_size=2)
blocks = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}, optional={"citations": citations}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts, "signature": texts}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": texts}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_use"),
            "id": names,
            "name": names,
            "input": st.dictionaries(st.text(max_size=5), values, max_size=3),
        }
    ),
    st.fixed_dictionaries({"type": st.just("web_fetch_tool_result"), "content": texts}),
)
answers = st.fixed_dictionaries(
    {
        "content": st.lists(blocks, max_size=6),
        "stop_reason": st.sampled_from(["end_turn", "max_tokens", "tool_use", "stop_sequence", "refusal"]),
        "stop_sequence": st.none() | texts,
        "usage": st.fixed_dictionaries(
            {"input_tokens": st.integers(0, 99), "output_tokens": st.integers(0, 99)},
            optional={"cache_read_input_tokens": st.integers(0, 99), "cache_creation_input_tokens": st.integers(0, 99)},
        ),
    }
)


def told(dialect: Dialect, answer: dict[str, Any], *, stream: bool) -> Reply:
    context = make_context()
    if stream:
        body = {"stream_options": {"include_usage": True}}
        context.request.body = body
        return read_reply(dialect.name, render_stream(dialect, stream_of(answer), context))
    return read_reply(dialect.name, dialect.render_answer(json.dumps(answer).encode(), context))


def kinds(answer: dict[str, Any], *wanted: str) -> list[dict[str, Any]]:
    return [block for block in answer["content"] if block["type"] in wanted]


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES], ids=["chat", "responses"])
@given(answer=answers)
def test_answer_comes_whole_and_streamed_alike(dialect: Dialect, answer: dict[str, Any]) -> None:
    whole, streamed = (told(dialect, answer, stream=stream) for stream in (False, True))

    assert whole.text == "".join(block["text"] for block in kinds(answer, "text"))
    assert whole.calls == [ToolCall(call["id"], call["name"], call["input"]) for call in kinds(answer, "tool_use")]
    assert whole.thoughts == [
        Thought(block.get("thinking", ""), block.get("signature", ""), block.get("data", ""))
        for block in kinds(answer, "thinking", "redacted_thinking")
    ]
    assert [text for text, _ in whole.citations] == [
        cited["cited_text"] for block in kinds(answer, "text") for cited in block.get("citations", ())
    ]
    assert replace(whole, raw={}) == replace(streamed, raw={})
