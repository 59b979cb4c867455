"""What is read from the prompt cache and written to it, as usage reports it."""

from typing import Any

import httpx
import pytest

from simulator.app import Simulator
from simulator.models import load_models
from tests.simulator.conftest import Client, Clock, request_of, words

CACHING = [model for model in load_models() if model.minimum_cacheable_tokens]
FIVE_MINUTES = {"type": "ephemeral"}
ONE_HOUR = {"type": "ephemeral", "ttl": "1h"}


def text(tokens: int, cache_control: dict[str, str] | None = None, *, start: str = "word") -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": f"{start} {words(tokens - 1)}"}
    return block if cache_control is None else {**block, "cache_control": cache_control}


def counts(usage: dict[str, Any]) -> tuple[int, int, int, int]:
    """Uncached, read, written for 5 minutes, written for 1 hour; the total must be the sum of its split."""
    split = usage["cache_creation"]
    written = split["ephemeral_5m_input_tokens"], split["ephemeral_1h_input_tokens"]
    assert usage["cache_creation_input_tokens"] == sum(written)
    return usage["input_tokens"], usage["cache_read_input_tokens"], *written


async def test_without_a_breakpoint_nothing_is_cached(client: Client) -> None:
    system = [text(5_000)]

    first, second = [counts(await client.usage(system=system)) for _ in range(2)]

    assert first == second
    assert first[1:] == (0, 0, 0)


async def test_first_use_writes_and_the_second_reads(client: Client) -> None:
    system = [text(3_000, FIVE_MINUTES)]

    first, second = [counts(await client.usage(system=system)) for _ in range(2)]

    assert first[1:] == (0, 3_000, 0)
    assert second[1:] == (3_000, 0, 0)
    assert first[0] == second[0]


async def test_all_input_counts_together_are_the_whole_prompt(client: Client) -> None:
    fields = {"system": [text(3_000, FIVE_MINUTES)]}
    counted = await client.post("/v1/messages/count_tokens", request_of(**fields))

    for _ in range(2):
        assert sum(counts(await client.usage(**fields))) == counted.json()["input_tokens"]


async def test_one_hour_writes_are_counted_apart(client: Client) -> None:
    assert counts(await client.usage(system=[text(3_000, ONE_HOUR)]))[1:] == (0, 0, 3_000)


async def test_both_lifetimes_in_one_request(client: Client) -> None:
    system = [text(3_000, ONE_HOUR), text(2_500, FIVE_MINUTES)]

    assert counts(await client.usage(system=system))[1:] == (0, 2_500, 3_000)
    assert counts(await client.usage(system=system))[1:] == (5_500, 0, 0)


@pytest.mark.parametrize("model", CACHING, ids=lambda model: model.id)
async def test_each_model_has_its_minimum(client: Client, model: Any) -> None:
    minimum = model.minimum_cacheable_tokens

    below = counts(await client.usage(model=model.id, system=[text(minimum - 1, FIVE_MINUTES)]))
    at = counts(await client.usage(model=model.id, system=[text(minimum, FIVE_MINUTES)]))

    assert below[1:] == (0, 0, 0)
    assert at[1:] == (0, minimum, 0)


async def test_a_model_without_a_cache_processes_all(client: Client) -> None:
    usages = [await client.usage(model="claude-2.1", system=[text(9_000, FIVE_MINUTES)]) for _ in range(2)]

    assert [counts(usage)[1:] for usage in usages] == [(0, 0, 0)] * 2


async def test_a_prefix_below_the_minimum_is_written_with_the_next_breakpoint(client: Client) -> None:
    system = [text(500, FIVE_MINUTES), text(2_000, FIVE_MINUTES)]

    assert counts(await client.usage(system=system))[1:] == (0, 2_500, 0)


@pytest.mark.parametrize(("cache_control", "lifetime_s"), [(FIVE_MINUTES, 300), (ONE_HOUR, 3_600)])
async def test_an_entry_ends_with_its_lifetime(
    client: Client, clock: Clock, cache_control: dict[str, str], lifetime_s: int
) -> None:
    system = [text(3_000, cache_control)]
    await client.usage(system=system)

    clock.now += lifetime_s

    assert (await client.usage(system=system))["cache_read_input_tokens"] == 0


@pytest.mark.parametrize(("cache_control", "lifetime_s"), [(FIVE_MINUTES, 300), (ONE_HOUR, 3_600)])
async def test_each_use_renews_an_entry(
    client: Client, clock: Clock, cache_control: dict[str, str], lifetime_s: int
) -> None:
    system = [text(3_000, cache_control)]
    reads = []

    for _ in range(4):
        reads.append((await client.usage(system=system))["cache_read_input_tokens"])
        clock.now += lifetime_s - 1

    assert reads == [0, 3_000, 3_000, 3_000]


async def test_reading_a_longer_prefix_renews_the_shorter_one(client: Client, clock: Clock) -> None:
    shared = text(3_000, FIVE_MINUTES)
    await client.usage(system=[shared, text(2_000, FIVE_MINUTES)])
    clock.now += 299
    await client.usage(system=[shared, text(2_000, FIVE_MINUTES)])

    clock.now += 299

    assert (await client.usage(system=[shared]))["cache_read_input_tokens"] == 3_000


async def test_a_changed_tail_still_reads_the_shared_part(client: Client) -> None:
    shared = text(3_000, FIVE_MINUTES)
    await client.usage(system=[shared, text(2_000, FIVE_MINUTES)])

    usage = await client.usage(system=[shared, text(2_100, FIVE_MINUTES, start="other")])

    assert counts(usage)[1:] == (3_000, 2_100, 0)


async def test_a_changed_head_reads_nothing(client: Client) -> None:
    await client.usage(system=[text(3_000, FIVE_MINUTES)])

    usage = await client.usage(system=[text(3_000, FIVE_MINUTES, start="other")])

    assert counts(usage)[1:] == (0, 3_000, 0)


async def test_a_conversation_reads_up_to_its_last_turn(client: Client) -> None:
    turns = [{"role": "user", "content": [text(3_000, FIVE_MINUTES)]}]
    first = await client.usage(messages=turns)
    longer = [
        {"role": "user", "content": [text(3_000)]},
        {"role": "assistant", "content": words(50)},
        {"role": "user", "content": [text(100, FIVE_MINUTES)]},
    ]

    second = await client.usage(messages=longer)

    written = first["cache_creation_input_tokens"]
    assert written >= 3_000
    assert second["cache_read_input_tokens"] == written
    assert 150 <= second["cache_creation_input_tokens"] < 200


@pytest.mark.parametrize(("added", "is_found"), [(19, True), (20, False)])
async def test_a_breakpoint_looks_back_twenty_blocks(client: Client, added: int, is_found: bool) -> None:
    blocks = [text(100, start=f"part {number}") for number in range(40)]
    await client.usage([*blocks[:-1], {**blocks[-1], "cache_control": FIVE_MINUTES}])
    more = [text(10, start=f"more {number}") for number in range(added)]

    usage = await client.usage([*blocks, *more[:-1], {**more[-1], "cache_control": FIVE_MINUTES}])

    assert (usage["cache_read_input_tokens"] > 4_000) is is_found


async def test_an_earlier_breakpoint_reaches_what_the_last_cannot(client: Client) -> None:
    shared = text(3_000, FIVE_MINUTES)
    await client.usage(system=[shared])
    more = [text(10, start=f"more {number}") for number in range(30)]

    usage = await client.usage([*more[:-1], {**more[-1], "cache_control": FIVE_MINUTES}], system=[shared])

    assert usage["cache_read_input_tokens"] == 3_000


async def test_tools_come_before_system_and_system_before_messages(client: Client) -> None:
    tool = {"name": "look_up", "description": words(2_500), "input_schema": {"type": "object"}}
    await client.usage(tools=[{**tool, "cache_control": FIVE_MINUTES}], system=[text(100)])

    other_system = await client.usage(tools=[{**tool, "cache_control": FIVE_MINUTES}], system=[text(100, start="new")])
    other_tool = await client.usage(tools=[{**tool, "name": "find", "cache_control": FIVE_MINUTES}])

    assert other_system["cache_read_input_tokens"] > 2_500
    assert other_tool["cache_read_input_tokens"] == 0


@pytest.mark.parametrize(
    "change",
    [{"tool_choice": {"type": "none"}}, {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 2_000}],
    ids=["tool choice", "thinking"],
)
async def test_another_mode_keeps_the_system_and_loses_the_messages(client: Client, change: dict[str, Any]) -> None:
    tools = [{"name": "look_up", "input_schema": {"type": "object"}}]
    fields = {"content": [text(2_500, FIVE_MINUTES)], "system": [text(3_000, FIVE_MINUTES)], "tools": tools}
    await client.usage(**fields)

    usage = await client.usage(**fields, **change)

    assert 3_000 < usage["cache_read_input_tokens"] < 3_500
    assert usage["cache_creation_input_tokens"] >= 2_500


async def test_marking_a_block_does_not_change_the_prefix(client: Client) -> None:
    await client.usage(system=[text(3_000, FIVE_MINUTES), text(100)])

    usage = await client.usage(system=[text(3_000), text(100, FIVE_MINUTES)])

    assert counts(usage)[1:] == (3_000, 100, 0)


async def test_a_string_and_its_block_are_the_same_prefix(client: Client) -> None:
    first = await client.usage(words(3_000), cache_control=FIVE_MINUTES)
    second = await client.usage([{"type": "text", "text": words(3_000)}], cache_control=FIVE_MINUTES)

    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"] > 3_000


async def test_a_top_level_marker_caches_all_but_the_request_itself(client: Client) -> None:
    usage = await client.usage(words(3_000), cache_control=ONE_HOUR)

    assert usage["input_tokens"] == 3
    assert usage["cache_creation"]["ephemeral_1h_input_tokens"] > 3_000


async def test_organisations_share_nothing(client: Client) -> None:
    system = [text(3_000, FIVE_MINUTES)]
    await client.usage(system=system)

    client.key = "sk-ant-sim-other"

    assert (await client.usage(system=system))["cache_read_input_tokens"] == 0


async def test_two_keys_of_one_organisation_share_the_cache(client: Client) -> None:
    system = [text(3_000, FIVE_MINUTES)]
    client.key = "sk-ant-sim-acme-old"
    await client.usage(system=system)

    client.key = "sk-ant-sim-acme-new"

    assert (await client.usage(system=system))["cache_read_input_tokens"] == 3_000


async def test_models_share_nothing(client: Client) -> None:
    system = [text(5_000, FIVE_MINUTES)]
    await client.usage(system=system)

    assert (await client.usage(model="claude-opus-4-6", system=system))["cache_read_input_tokens"] == 0


async def test_an_alias_reaches_the_cache_of_its_model(client: Client) -> None:
    system = [text(5_000, FIVE_MINUTES)]
    await client.usage(model="claude-haiku-4-5", system=system)

    usage = await client.usage(model="claude-haiku-4-5-20251001", system=system)

    assert usage["cache_read_input_tokens"] == 5_000


async def test_five_breakpoints_are_refused(client: Client) -> None:
    status, kind, message = await client.error(request_of([text(10, FIVE_MINUTES)] * 5))

    assert (status, kind) == (400, "invalid_request_error")
    assert message == "A maximum of 4 blocks with cache_control may be provided. Found 5."


async def test_the_automatic_breakpoint_counts_as_one(client: Client) -> None:
    body = request_of([*[text(10, FIVE_MINUTES)] * 4, text(10)], cache_control=FIVE_MINUTES)

    assert (await client.error(body))[0] == 400


async def test_one_hour_behind_five_minutes_is_refused(client: Client) -> None:
    status, _, message = await client.error(request_of([text(10, FIVE_MINUTES), text(10, ONE_HOUR)]))

    assert status == 400
    assert "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block" in message


async def test_a_refused_request_writes_nothing(client: Client) -> None:
    system = [text(3_000, FIVE_MINUTES)]
    client.headers["x-simulate"] = "overloaded"
    await client.error(request_of(system=system))

    client.headers.clear()

    assert (await client.usage(system=system))["cache_read_input_tokens"] == 0


async def test_the_same_calls_give_the_same_answers(clock: Clock) -> None:
    async def run() -> list[dict[str, Any]]:
        transport = httpx.ASGITransport(app=Simulator(clock=Clock()))
        async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as http:
            fresh = Client(http)
            return [await fresh.message(system=[text(3_000, FIVE_MINUTES)]) for _ in range(3)]

    assert await run() == await run()


async def test_a_full_cache_drops_what_was_not_used_for_longest(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.cache.MOST_ENTRIES", 2)
    first, second, third = ([text(3_000, FIVE_MINUTES, start=start)] for start in ("one", "two", "three"))
    for system in (first, second, first, third):
        await client.usage(system=system)

    kept, dropped = [await client.usage(system=system) for system in (first, second)]

    assert kept["cache_read_input_tokens"] == 3_000
    assert dropped["cache_read_input_tokens"] == 0
