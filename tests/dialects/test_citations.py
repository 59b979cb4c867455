"""Citations, and whatever else of an answer OpenAI's shapes have no word for, reach the client."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from router.dialects import CHAT, RESPONSES
from router.dialects.base import Dialect
from tests.dialects.samples import make_context, recorded_answers, render_stream, stream_of, translate
from tests.dialects.test_replies import chat_context, streamed_chat, streamed_response
from tests.features import CITED, FOUND, SEARCH, SEARCHED
from tests.replies import read_reply

ANSWER: dict[str, Any] = {
    "content": [
        {"type": "text", "text": "Grüße 🌍: "},
        {"type": "text", "text": "grass is green", "citations": [CITED]},
        {"type": "text", "text": ", "},
        {"type": "text", "text": "the sky is blue", "citations": [FOUND, CITED]},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
PAGE = {"start_index": 25, "end_index": 40, "title": "Sky", "url": "https://example.com/sky"}
WHOLE_OR_STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def chat_message(answer: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    if stream:
        choice, _ = streamed_chat(stream_of(answer))
    else:
        rendered = CHAT.render_answer(json.dumps(answer).encode(), chat_context())
        choice = ChatCompletion.model_validate_json(rendered).choices[0]
    message: dict[str, Any] = choice.message.to_dict()
    return message


def response_of(answer: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    if stream:
        response: dict[str, Any] = streamed_response(stream_of(answer))[0].to_dict()
        return response
    rendered = RESPONSES.render_answer(json.dumps(answer).encode(), make_context())
    return Response.model_validate_json(rendered).to_dict()


def raw_answer(dialect: Dialect, answer: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """Return the whole of what a client gets, put together without OpenAI's helpers, which refuse to read refusals."""
    if stream:
        rendered = render_stream(dialect, stream_of(answer), make_context())
    else:
        rendered = dialect.render_answer(json.dumps(answer).encode(), make_context())
    return dict(read_reply(dialect.name, rendered).raw)


@WHOLE_OR_STREAM
def test_chat_message_tells_what_each_citation_is_for(stream: bool) -> None:
    message = chat_message(ANSWER, stream=stream)

    assert message["citations"] == [
        {"start_index": 9, "end_index": 23, **CITED},
        {"start_index": 25, "end_index": 40, **FOUND},
        {"start_index": 25, "end_index": 40, **CITED},
    ]
    assert message["annotations"] == [{"type": "url_citation", "url_citation": PAGE}]
    assert message["content"][9:23] == "grass is green"
    assert message["content"][25:40] == "the sky is blue"


@WHOLE_OR_STREAM
def test_response_annotates_its_text(stream: bool) -> None:
    [item] = response_of(ANSWER, stream=stream)["output"]

    grass = {"type": "file_citation", "file_id": "document_0", "filename": "Colours", "citation": CITED}
    assert item["content"][0]["annotations"] == [
        {**grass, "index": 23},
        {"type": "url_citation", **PAGE, "citation": FOUND},
        {**grass, "index": 40},
    ]


def test_annotations_are_streamed_as_they_come() -> None:
    _, events = streamed_response(stream_of(ANSWER))

    noted = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert [(event.annotation_index, event.content_index, event.output_index) for event in noted] == [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
    ]
    part = next(event.part for event in events if event.type == "response.content_part.done")
    assert [event.annotation.to_dict() for event in noted] == [annotation.to_dict() for annotation in part.annotations]


def test_citation_of_a_search_result_that_is_no_web_page() -> None:
    citation = {"type": "search_result_location", "cited_text": "c", "source": "kb/1", "title": "Handbook"}
    answer = {**ANSWER, "content": [{"type": "text", "text": "x", "citations": [citation]}]}

    assert "annotations" not in chat_message(answer, stream=False)
    [item] = response_of(answer, stream=False)["output"]
    assert item["content"][0]["annotations"][0]["filename"] == "Handbook"


@WHOLE_OR_STREAM
def test_blocks_of_the_providers_own_tools_are_told(stream: bool) -> None:
    answer = {**ANSWER, "content": [SEARCH, SEARCHED, {"type": "text", "text": "x"}]}

    assert chat_message(answer, stream=stream)["provider_blocks"] == [SEARCH, SEARCHED]
    assert response_of(answer, stream=stream)["provider_blocks"] == [SEARCH, SEARCHED]


@WHOLE_OR_STREAM
@pytest.mark.parametrize("stop_reason", ["end_turn", "pause_turn", "stop_sequence", "a_reason_of_tomorrow"])
def test_stop_reason_is_told_in_the_providers_words_too(stop_reason: str, stream: bool) -> None:
    answer = {**ANSWER, "stop_reason": stop_reason, "stop_sequence": "END"}
    choice, response = (raw_answer(dialect, answer, stream=stream) for dialect in (CHAT, RESPONSES))
    for told in (choice["choices"][0], response):
        assert (told["stop_reason"], told["stop_sequence"]) == (stop_reason, "END")


@WHOLE_OR_STREAM
def test_refusal_comes_with_its_explanation(stream: bool) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "It could do harm."}
    answer = {**ANSWER, "stop_reason": "refusal", "stop_details": details}

    choice, response = (raw_answer(dialect, answer, stream=stream) for dialect in (CHAT, RESPONSES))
    assert choice["choices"][0]["message"]["refusal"] == "It could do harm."
    assert choice["choices"][0]["stop_details"] == response["stop_details"] == details


def test_documents_are_cited_when_the_client_asks_for_it() -> None:
    enabled = {"citations": {"enabled": True}}
    file = {"type": "file", "file": {"file_data": "data:text/plain,Grass", "filename": "Colours"}, **enabled}
    input_file = {"type": "input_file", "file_data": "data:text/plain,Grass", "filename": "Colours", **enabled}
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Grass"},
        "title": "Colours",
        **enabled,
    }

    for body in (
        translate(CHAT, messages=[{"role": "user", "content": [file]}]),
        translate(RESPONSES, input=[{"role": "user", "content": [input_file]}]),
    ):
        assert body["messages"][0]["content"] == [document]


@pytest.mark.parametrize("recorded", recorded_answers(streamed=True))
def test_recorded_citations_all_arrive(recorded: bytes) -> None:
    native = read_reply("messages", recorded) if b'"type":"message_stop"' in recorded else None
    if native is None:
        pytest.skip("the recorded stream broke off")
    chat = read_reply("chat", render_stream(CHAT, recorded, chat_context()))
    response = read_reply("responses", render_stream(RESPONSES, recorded, make_context()))
    known = ("text", "thinking", "redacted_thinking", "tool_use")
    others = [block["type"] for block in native.raw["content"] if block["type"] not in known]

    assert [text for text, _ in chat.citations] == [text for text, _ in native.citations]
    assert [text for text, _ in response.citations] == [text for text, _ in native.citations]
    message = chat.raw["choices"][0]["message"]
    assert [block["type"] for block in message.get("provider_blocks", ())] == others
    assert [block["type"] for block in response.raw.get("provider_blocks", ())] == others
