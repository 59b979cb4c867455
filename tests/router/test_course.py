"""What is tried after a failure, and how long is waited before."""

import pytest

from providers.base import Outcome
from router.course import LONGEST_RETRY_AFTER_S, MOST_ATTEMPTS, Course, Failed
from router.dialects.base import Retry
from router.plan import Candidate, Plan
from tests.router.candidates import candidate

ONE, TWO, OTHER = candidate("one"), candidate("two"), candidate("one", model="claude-opus-4-6", leg=1)
OVERLOADED = Failed(Outcome.OVERLOADED, 529)
LIMITED = Failed(Outcome.RATE_LIMITED, 429)
REFUSED = Failed(Outcome.INVALID_CREDENTIAL, 401)


def course(*candidates: Candidate, retry: int = 0, on_codes: tuple[int, ...] = (), account: str = "") -> Course:
    plan = Plan(candidates, Retry(retry, on_codes))
    return Course(plan, account_of=lambda _: account, draw=lambda: 1.0)


@pytest.mark.parametrize(
    "outcome",
    [Outcome.INVALID_CREDENTIAL, Outcome.NO_CREDIT, Outcome.NO_PERMISSION, Outcome.MODEL_NOT_AVAILABLE],
)
def test_refused_key_gives_way_to_the_next_at_once(outcome: Outcome) -> None:
    following = course(ONE, TWO, OTHER, retry=3).after(Failed(outcome, 403))

    assert following is not None
    assert (following.candidate, following.wait_s) == (TWO, 0)


def test_failing_upstream_is_tried_again_with_growing_waits() -> None:
    way = course(ONE, TWO, OTHER, retry=3)

    waits = [following.wait_s for _ in range(3) if (following := way.after(OVERLOADED)) and following.candidate == ONE]

    assert waits == [0.5, 1.0, 2.0]


def test_next_model_comes_when_the_retries_are_used_up() -> None:
    way = course(ONE, TWO, OTHER, retry=1)
    way.after(OVERLOADED)

    following = way.after(OVERLOADED)

    assert following is not None
    assert (following.candidate, following.wait_s) == (OTHER, 0)


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.TIMEOUT, Outcome.OVERLOADED, Outcome.PROVIDER_ERROR])
def test_failing_upstream_gives_way_to_a_key_of_another_place(outcome: Outcome) -> None:
    elsewhere = candidate("two", origin="https://there")

    following = course(ONE, TWO, elsewhere, OTHER).after(Failed(outcome, 503))

    assert following is not None
    assert following.candidate == elsewhere


def test_each_model_has_its_own_retries() -> None:
    way = course(ONE, OTHER, retry=1)
    tried = [following.candidate for _ in range(4) if (following := way.after(OVERLOADED))]

    assert tried == [ONE, OTHER, OTHER]


def test_nothing_follows_a_request_that_is_wrong() -> None:
    assert course(ONE, TWO, OTHER, retry=3).after(Failed(Outcome.INVALID_REQUEST, 400)) is None


def test_retry_after_is_waited_for() -> None:
    following = course(ONE, retry=1).after(Failed(Outcome.RATE_LIMITED, 429, 7.0))

    assert following is not None
    assert following.wait_s == 7.0


def test_too_long_a_wait_is_left_to_another_model_or_the_client() -> None:
    too_long = Failed(Outcome.RATE_LIMITED, 429, LONGEST_RETRY_AFTER_S + 1)

    following = course(ONE, OTHER, retry=1).after(too_long)
    assert following is not None
    assert following.candidate == OTHER
    assert course(ONE, retry=1).after(too_long) is None


def test_rate_limit_goes_to_a_key_of_another_account() -> None:
    following = course(ONE, TWO, account="").after(LIMITED)

    assert following is not None
    assert following.candidate == TWO
    assert course(ONE, TWO, account="the same").after(LIMITED) is None


def test_rate_limit_does_not_go_to_the_same_keys_older_version() -> None:
    assert course(ONE, candidate("one", version=2)).after(LIMITED) is None


def test_refused_version_gives_way_to_the_older_one() -> None:
    older = candidate("one", version=2)

    following = course(ONE, older).after(REFUSED)

    assert following is not None
    assert following.candidate == older


def test_another_model_comes_before_a_key_that_rests() -> None:
    # The planner puts what rests last, behind the other model.
    following = course(ONE, OTHER, TWO).after(REFUSED)

    assert following is not None
    assert following.candidate == OTHER


def test_only_the_statuses_asked_for_are_retried() -> None:
    assert course(ONE, retry=3, on_codes=(500,)).after(OVERLOADED) is None
    assert course(ONE, retry=3, on_codes=(529,)).after(OVERLOADED) is not None


def test_attempts_have_an_end() -> None:
    way = course(*(candidate(f"key {number}") for number in range(30)))

    tried = [following for _ in range(30) if (following := way.after(REFUSED))]

    assert len(tried) == MOST_ATTEMPTS - 1


def test_waits_scatter() -> None:
    plan = Plan([ONE], Retry(1))
    shortest = Course(plan, account_of=lambda _: "", draw=lambda: 0.0).after(OVERLOADED)
    longest = Course(plan, account_of=lambda _: "", draw=lambda: 1.0).after(OVERLOADED)

    assert shortest is not None
    assert longest is not None
    assert shortest.wait_s * 2 == longest.wait_s
