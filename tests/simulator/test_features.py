"""What a simulated Claude does beyond text and tools: citations, searches, refusals, pauses, thoughts between calls."""

from typing import Any

import pytest

from tests.simulator.conftest import Client, events_in, request_of, words
from tests.simulator.test_messages import THINK, WEATHER, assembled, kinds

REDACTS = (
    "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"
)
REFUSES = "ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1FAEFB6177B4672DEE07F9D3AFC62588CCD2631EDCF22E8CCC1FB35B501C9C86"
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
ON = {"enabled": True}
SOURCES = {
    "text": {"type": "text", "media_type": "text/plain", "data": "The sky is blue. The grass is green."},
    "content": {"type": "content", "content": [{"type": "text", "text": "The sky is blue."}]},
    "pdf": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
}
ASK = {"type": "text", "text": "What colour is the sky?"}


def document(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "document", "source": SOURCES[kind], "title": "Colours", **fields}


def citations_in(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [citation for block in message["content"] for citation in block.get("citations") or ()]


LOCATIONS = {
    "text": {"type": "char_location", "cited_text": "The sky is blue. ", "start_char_index": 0, "end_char_index": 17},
    "content": {"type": "content_block_location", "start_block_index": 0, "end_block_index": 1},
    "pdf": {"type": "page_location", "start_page_number": 1, "end_page_number": 2},
}


@pytest.mark.parametrize("kind", SOURCES)
async def test_documents_are_cited_where_that_is_on(client: Client, kind: str) -> None:
    message = await client.message([document(kind, citations=ON), ASK])

    [citation] = citations_in(message)
    assert LOCATIONS[kind].items() <= citation.items()
    assert (citation["document_index"], citation["document_title"]) == (0, "Colours")


async def test_search_results_are_cited(client: Client) -> None:
    content = [{"type": "text", "text": "The sky is blue."}]
    result = {"type": "search_result", "source": "https://a/b", "title": "Sky", "content": content, "citations": ON}

    [citation] = citations_in(await client.message([result, ASK]))

    assert citation["type"] == "search_result_location"
    assert (citation["source"], citation["search_result_index"]) == ("https://a/b", 0)


async def test_documents_are_not_cited_unless_that_is_on(client: Client) -> None:
    assert citations_in(await client.message([document("text"), ASK])) == []


async def test_citations_are_for_all_documents_or_none(client: Client) -> None:
    status, _, message = await client.error(request_of([document("text", citations=ON), document("pdf"), ASK]))

    assert status == 400
    assert "citations must be enabled on all or none" in message


async def test_citations_do_not_go_with_a_schema(client: Client) -> None:
    config = {"format": {"type": "json_schema", "schema": {"type": "object"}}}

    status, _, message = await client.error(request_of([document("text", citations=ON), ASK], output_config=config))

    assert (status, message[:20]) == (400, "output_config.format")


async def test_a_mentioned_search_is_made_and_counted(client: Client) -> None:
    message = await client.message("Search for news [[simulate: searches=2]]", tools=[SEARCH])

    assert kinds(message)[:4] == ["server_tool_use", "web_search_tool_result"] * 2
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 2
    assert citations_in(message)[0]["type"] == "web_search_result_location"


async def test_nothing_is_searched_without_the_tool_or_the_word(client: Client) -> None:
    for content, tools in (("Search for news", [WEATHER]), ("Tell me a joke", [SEARCH])):
        message = await client.message(content, tools=tools)
        assert "server_tool_use" not in message["usage"]


STREAMED: dict[str, dict[str, Any]] = {
    "citations": {"content": [document("text", citations=ON), ASK]},
    "search": {"content": "Search for news", "tools": [SEARCH]},
    "refusal": {"content": REFUSES},
    "pause": {"content": "Search for news [[simulate: stop=pause_turn]]", "tools": [SEARCH]},
}


@pytest.mark.parametrize("fields", STREAMED.values(), ids=STREAMED.keys())
async def test_a_stream_adds_up_to_the_whole_answer(client: Client, fields: dict[str, Any]) -> None:
    whole = await client.message(**fields)
    events = await client.events(**fields)
    cited = [event["delta"]["citation"] for event in events if event.get("delta", {}).get("type") == "citations_delta"]

    streamed = assembled(events)

    assert cited == citations_in(whole)
    for block in streamed["content"]:
        if block["type"] == "text" and "citations" in block:
            assert block.pop("citations") == []
    for block in whole["content"]:
        block.pop("citations", None)
    assert {**streamed, "id": ""} == {**whole, "id": ""}


async def test_the_documented_prompt_gets_redacted_thinking(client: Client) -> None:
    message = await client.message(REDACTS, thinking=THINK, max_tokens=2_000)

    assert kinds(message) == ["redacted_thinking", "text"]


async def test_the_documented_prompt_is_refused(client: Client) -> None:
    message = await client.message(REFUSES)

    assert (message["content"], message["stop_reason"]) == ([], "refusal")
    assert message["stop_details"]["type"] == "refusal"


@pytest.mark.parametrize(
    "reason", ["refusal", "pause_turn", "max_tokens", "stop_sequence", "model_context_window_exceeded"]
)
async def test_an_answer_stops_for_the_reason_asked_for(client: Client, reason: str) -> None:
    message = await client.message(f"Go on [[simulate: stop={reason}]]", stop_sequences=["END"])

    assert message["stop_reason"] == reason
    assert message["stop_sequence"] == ("END" if reason == "stop_sequence" else None)


async def test_a_turn_that_pauses_has_not_come_to_its_text(client: Client) -> None:
    paused = await client.message("Search for news [[simulate: stop=pause_turn]]", tools=[SEARCH])
    turns = [{"role": "user", "content": "Search for news"}, {"role": "assistant", "content": paused["content"]}]

    ended = await client.message(messages=turns, tools=[SEARCH])

    assert kinds(paused) == ["server_tool_use", "web_search_tool_result"]
    assert ended["stop_reason"] == "end_turn"


async def calls_weather(client: Client, **fields: Any) -> list[dict[str, Any]]:
    """Return the turns up to the result of a call that was thought about."""
    asked = {"role": "user", "content": "What's the weather in Tokyo?"}
    called = await client.message(asked["content"], tools=[WEATHER], max_tokens=4_000, **fields)
    result = {"type": "tool_result", "tool_use_id": called["content"][-1]["id"], "content": "18 degrees"}
    return [asked, {"role": "assistant", "content": called["content"]}, {"role": "user", "content": [result]}]


@pytest.mark.parametrize("is_interleaved", [False, True], ids=["plain", "interleaved"])
async def test_thoughts_between_calls_need_their_beta(client: Client, is_interleaved: bool) -> None:
    turns = await calls_weather(client, thinking=THINK)
    if is_interleaved:
        client.headers["anthropic-beta"] = "a-beta-2020-01-01,interleaved-thinking-2025-05-14"

    told = await client.message(messages=turns, tools=[WEATHER], thinking=THINK, max_tokens=4_000)

    assert kinds(told) == (["thinking", "text"] if is_interleaved else ["text"])


async def test_thinking_must_be_replayed_before_the_calls_it_led_to(client: Client) -> None:
    turns = await calls_weather(client, thinking=THINK)
    del turns[1]["content"][0]

    status, _, message = await client.error(
        request_of(messages=turns, tools=[WEATHER], thinking=THINK, max_tokens=4_000)
    )

    assert status == 400
    assert message.startswith("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`")


async def test_redacted_thinking_may_not_be_changed(client: Client) -> None:
    redacted, said = (await client.message(REDACTS, thinking=THINK, max_tokens=2_000))["content"]
    forged = {**redacted, "data": redacted["data"][:-8] + "AAAAAAA="}

    status, _, message = await client.error(
        request_of(
            messages=[
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [forged, said]},
                {"role": "user", "content": "Go on"},
            ]
        )
    )

    assert (status, message) == (400, "messages.1.content.0: Invalid `data` in `redacted_thinking` block")


async def test_pings_come_as_often_as_asked_for(client: Client) -> None:
    events = await client.events("Go on [[simulate: pings=4]]")

    assert [event["type"] for event in events].count("ping") == 5


async def test_an_effort_must_be_one_of_the_models(client: Client) -> None:
    unknown = await client.error(request_of(model="claude-opus-4-6", output_config={"effort": "xhigh"}))
    none = await client.error(request_of(model="claude-haiku-4-5", output_config={"effort": "low"}))

    assert unknown[2] == "This model does not support effort level 'xhigh'. Supported levels: high, low, max, medium."
    assert none[2] == "This model does not support the effort parameter."


NEWEST = {
    "temperature": {"temperature": 1},
    "top_p": {"top_p": 1},
    "top_k": {"top_k": 5},
    "an assistant's document": {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [document("text")]},
            {"role": "user", "content": "Go on"},
        ]
    },
    "a user's citations": {"messages": [{"role": "user", "content": [{**ASK, "citations": [{"type": "x"}]}]}]},
}


@pytest.mark.parametrize("fields", NEWEST.values(), ids=NEWEST.keys())
async def test_the_newest_version_refuses_what_it_removed(client: Client, fields: dict[str, Any]) -> None:
    older = await client.post("/v1/messages", request_of(**fields))
    client.headers["anthropic-version"] = "2026-10-21"

    newest = await client.post("/v1/messages", request_of(**fields))

    assert (older.status_code, newest.status_code) == (200, 400)


async def test_an_unknown_version_is_refused(client: Client) -> None:
    client.headers["anthropic-version"] = "2022-01-01"

    assert (await client.error(request_of()))[0] == 400


async def test_a_key_may_come_as_a_bearer_token(client: Client) -> None:
    client.headers = {"x-api-key": "", "authorization": f"Bearer {client.key}"}

    answer = await client.post("/v1/messages", request_of())

    assert answer.status_code == 200
    assert answer.headers["anthropic-organization-id"] == "simulated-acme"


async def test_organisations_can_be_told_apart(client: Client) -> None:
    async def organisation(key: str) -> str:
        client.key = key
        return (await client.get("/v1/models")).headers["anthropic-organization-id"]

    ids = [await organisation(key) for key in ("sk-ant-sim-acme-1", "sk-ant-sim-acme-2", "sk-ant-sim-umbrella")]

    assert ids[0] == ids[1] != ids[2]


async def test_tool_choice_needs_tools_and_a_known_form(client: Client) -> None:
    without = await client.error(request_of(tool_choice={"type": "auto"}))
    unknown = await client.error(request_of(tools=[WEATHER], tool_choice={"type": "maybe"}))

    assert without[2] == "tool_choice: tool_choice may only be specified while providing tools"
    assert unknown[2].startswith("tool_choice: Input tag 'maybe' found using 'type'")


async def test_strange_lengths_cost_nothing(client: Client) -> None:
    long = await client.usage("Go on [[simulate: output_tokens=999999999]]", max_tokens=50)
    none = await client.usage("Go on [[simulate: output_tokens=0]]")

    assert (long["output_tokens"], none["output_tokens"]) == (50, 1)


async def test_adaptive_thinking_goes_on_between_calls(client: Client) -> None:
    turns = await calls_weather(client, thinking={"type": "adaptive"})
    turns[-1]["content"].append({"type": "text", "text": words(40)})

    told = await client.message(messages=turns, tools=[WEATHER], thinking={"type": "adaptive"}, max_tokens=4_000)

    assert kinds(told)[0] == "thinking"


async def test_a_broken_stream_ends_in_what_is_no_json(client: Client) -> None:
    client.headers["x-simulate"] = "broken"
    answer = await client.post("/v1/messages", request_of(stream=True))

    with pytest.raises(ValueError, match="Unterminated string"):
        events_in(answer.text)
