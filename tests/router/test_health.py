"""Which keys and upstreams are left alone, for how long, and how they come back."""

from uuid import uuid4

import msgspec
import pytest

from providers.base import Outcome
from router import health
from router.health import FAILURES_TO_OPEN, OPEN_S, REST_S, SET_ASIDE_S, Health
from tests.router.candidates import candidate
from usage.records import SetAsideRecord

KEY, OTHER_KEY, OTHER_MODEL = candidate("one"), candidate("two"), candidate("one", model="claude-opus-4-6")


@pytest.fixture
def told() -> list[SetAsideRecord]:
    return []


@pytest.fixture
def seen(told: list[SetAsideRecord]) -> Health:
    return Health(told.append)


@pytest.mark.parametrize("outcome", [Outcome.INVALID_CREDENTIAL, Outcome.NO_CREDIT])
def test_refused_key_is_set_aside_for_all_models(seen: Health, told: list[SetAsideRecord], outcome: Outcome) -> None:
    seen.note_failure(KEY, outcome, 100, detail="why")

    assert not seen.is_fresh(KEY, 101)
    assert not seen.is_fresh(OTHER_MODEL, 101)
    assert seen.is_fresh(OTHER_KEY, 101)
    until_us = round((100 + SET_ASIDE_S) * 1e6)
    assert told == [SetAsideRecord(KEY.key.id, 1, "", outcome, "why", until_us)]


@pytest.mark.parametrize("outcome", [Outcome.NO_PERMISSION, Outcome.MODEL_NOT_AVAILABLE])
def test_forbidden_model_is_set_aside_alone(seen: Health, outcome: Outcome) -> None:
    seen.note_failure(KEY, outcome, 100)

    assert not seen.is_fresh(KEY, 101)
    assert seen.is_fresh(OTHER_MODEL, 101)


def test_rate_limit_rests_that_model_for_its_retry_after(seen: Health, told: list[SetAsideRecord]) -> None:
    seen.note_failure(KEY, Outcome.RATE_LIMITED, 100, retry_after_s=3)

    assert not seen.is_fresh(KEY, 102.9)
    assert seen.is_fresh(KEY, 103)
    assert seen.is_fresh(OTHER_MODEL, 101)
    assert told == [], "a rest of seconds is over before anybody could look"


def test_rate_limit_without_a_wait_rests_a_little(seen: Health) -> None:
    seen.note_failure(KEY, Outcome.RATE_LIMITED, 100)

    assert not seen.is_fresh(KEY, 100 + REST_S - 0.1)
    assert seen.is_fresh(KEY, 100 + REST_S)


def test_one_probe_goes_and_the_others_wait_for_it(seen: Health) -> None:
    seen.note_failure(KEY, Outcome.INVALID_CREDENTIAL, 100)
    due = 100 + SET_ASIDE_S

    assert seen.is_fresh(KEY, due)
    seen.note_start(KEY, due)
    assert not seen.is_fresh(KEY, due + 1)
    assert seen.is_fresh(KEY, due + health.PROBE_S), "a probe that never reports back is given up"


def test_probe_that_succeeds_brings_it_back(seen: Health, told: list[SetAsideRecord]) -> None:
    seen.note_failure(KEY, Outcome.INVALID_CREDENTIAL, 100)
    seen.note_success(KEY)

    assert seen.is_fresh(KEY, 101)
    assert told[-1].until_us == 0


def test_probe_that_fails_doubles_the_wait(seen: Health, told: list[SetAsideRecord]) -> None:
    now, waits = 100.0, []
    for _ in range(6):
        seen.note_failure(KEY, Outcome.INVALID_CREDENTIAL, now)
        waits.append(told[-1].until_us / 1e6 - now)
        now = told[-1].until_us / 1e6

    assert waits == [60, 120, 240, 480, 900, 900]


def test_key_that_nobody_mends_for_weeks_is_still_probed(seen: Health, told: list[SetAsideRecord]) -> None:
    now = 100.0
    for _ in range(1_100):
        seen.note_failure(KEY, Outcome.NO_CREDIT, now)
        now = told[-1].until_us / 1e6

    assert seen.is_fresh(KEY, now)
    assert now - 100 < 1_100 * health.LONGEST_SET_ASIDE_S


def test_last_resort_puts_no_probe_off(seen: Health) -> None:
    seen.note_failure(KEY, Outcome.RATE_LIMITED, 100)
    seen.note_start(KEY, 101)

    assert seen.is_fresh(KEY, 100 + REST_S)


def test_failures_at_the_same_time_count_once(seen: Health, told: list[SetAsideRecord]) -> None:
    for _ in range(50):
        seen.note_failure(KEY, Outcome.INVALID_CREDENTIAL, 100)

    assert len(told) == 1


def test_unknown_model_says_nothing_of_the_key(seen: Health) -> None:
    unknown = candidate("one", model="claude-nothing-9")
    unknown = type(unknown)(
        type(unknown.offered)("anthropic", unknown.offered.api, "x", "x", None), unknown.key, unknown.version, ""
    )

    seen.note_failure(unknown, Outcome.MODEL_NOT_AVAILABLE, 100)

    assert seen.is_fresh(unknown, 101)


@pytest.mark.parametrize("outcome", [Outcome.TIMEOUT, Outcome.OVERLOADED, Outcome.PROVIDER_ERROR, Outcome.UNREACHABLE])
def test_circuit_opens_on_repeated_failures_and_closes_by_a_probe(seen: Health, outcome: Outcome) -> None:
    for number in range(FAILURES_TO_OPEN):
        assert seen.is_fresh(KEY, 100 + number)
        seen.note_failure(KEY, outcome, 100 + number)
    opened = 100 + FAILURES_TO_OPEN - 1

    assert not seen.is_fresh(KEY, opened + OPEN_S - 0.1)
    assert not seen.is_fresh(OTHER_KEY, opened + 1), "the upstream fails, whichever key is sent"
    assert seen.is_fresh(OTHER_MODEL, opened + 1)
    seen.note_start(KEY, opened + OPEN_S)
    assert not seen.is_fresh(OTHER_KEY, opened + OPEN_S)
    seen.note_success(KEY)
    assert seen.is_fresh(OTHER_KEY, opened + OPEN_S)


def test_circuit_of_one_workspace_is_not_anothers(seen: Health) -> None:
    other = msgspec.structs.replace(KEY, key=msgspec.structs.replace(KEY.key, workspace=uuid4()))
    for _ in range(FAILURES_TO_OPEN):
        seen.note_failure(KEY, Outcome.OVERLOADED, 100)

    assert not seen.is_fresh(KEY, 101)
    assert seen.is_fresh(other, 101)


def test_circuit_that_fails_its_probe_stays_open_longer(seen: Health) -> None:
    for _ in range(FAILURES_TO_OPEN):
        seen.note_failure(KEY, Outcome.OVERLOADED, 100)
    seen.note_failure(KEY, Outcome.OVERLOADED, 100 + OPEN_S)

    assert not seen.is_fresh(KEY, 100 + OPEN_S + 1.9 * OPEN_S)
    assert seen.is_fresh(KEY, 100 + OPEN_S + 2 * OPEN_S)


def test_success_in_between_keeps_a_circuit_closed(seen: Health) -> None:
    for _ in range(3 * FAILURES_TO_OPEN):
        seen.note_failure(KEY, Outcome.OVERLOADED, 100)
        seen.note_success(KEY)

    assert seen.is_fresh(KEY, 100)


def test_failures_far_apart_are_no_outage(seen: Health) -> None:
    for number in range(3 * FAILURES_TO_OPEN):
        seen.note_failure(KEY, Outcome.OVERLOADED, 100 + number * (health.FAILURES_WITHIN_S + 1))

    assert seen.is_fresh(KEY, 100 + 3 * FAILURES_TO_OPEN * (health.FAILURES_WITHIN_S + 1))


def test_what_others_found_is_taken_over_and_given_up_with_them(seen: Health) -> None:
    name = (KEY.key.id, 1, "")
    seen.sync({name: ("invalid_credential", 200.0)})
    assert not seen.is_fresh(KEY, 150)

    seen.sync({})
    assert seen.is_fresh(KEY, 150)


def test_what_was_found_here_outlives_a_snapshot_that_does_not_have_it_yet(seen: Health) -> None:
    seen.note_failure(KEY, Outcome.INVALID_CREDENTIAL, 100)

    seen.sync({})

    assert not seen.is_fresh(KEY, 101)


def test_names_do_not_pile_up(seen: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MOST_NAMES", 50)
    for number in range(500):
        seen.note_failure(candidate(f"key {number}"), Outcome.INVALID_CREDENTIAL, 100)
        seen.note_failure(candidate(model=f"model {number}"), Outcome.OVERLOADED, 100)

    assert len(seen._rests) <= 50
    assert len(seen._circuits) <= 50


def test_longer_wait_of_another_process_is_taken_over(seen: Health) -> None:
    seen.note_failure(KEY, Outcome.INVALID_CREDENTIAL, 100)

    seen.sync({(KEY.key.id, 1, ""): ("invalid_credential", 500.0)})

    assert not seen.is_fresh(KEY, 499)
    assert seen.is_fresh(KEY, 500)
