"""What a test call says of a key."""

import pytest

from keys.models import KeyVersion, ProviderKey, TestCall
from keys.status import status_of_call
from keys.words import advise
from providers.base import Outcome

Kind = TestCall.Kind


def make_call(provider: str, kind: Kind, outcome: Outcome = Outcome.NO_PERMISSION) -> TestCall:
    version = KeyVersion(provider_key=ProviderKey(provider=provider))
    call = TestCall(version=version, kind=kind, state=TestCall.State.DONE, outcome=outcome)
    call.message = advise(call, outcome)
    return call


@pytest.mark.parametrize("provider", ["aws", "openai"])
def test_a_key_that_may_not_list_models_may_work_all_the_same(provider: str) -> None:
    status = status_of_call(make_call(provider, Kind.CHECK))

    assert (status.tone, status.word) == ("warn", "Not checked: no permission to list models")
    assert "all the same" in " ".join(status.reason.split())
    assert "send a test message" in status.reason


@pytest.mark.parametrize("outcome", [Outcome.MODEL_NOT_AVAILABLE, Outcome.PROVIDER_ERROR])
def test_an_account_that_google_does_not_count_for_may_work_all_the_same(outcome: Outcome) -> None:
    assert status_of_call(make_call("google", Kind.CHECK, outcome)).word == "Not checked"
    assert status_of_call(make_call("google", Kind.MESSAGE, outcome)).word != "Not checked"


@pytest.mark.parametrize(
    ("provider", "kind"),
    [("aws", Kind.MESSAGE), ("openai", Kind.MESSAGE), ("google", Kind.CHECK), ("anthropic", Kind.CHECK)],
)
def test_a_key_that_may_not_call_fails(provider: str, kind: Kind) -> None:
    status = status_of_call(make_call(provider, kind))

    assert (status.is_failing, status.word) == (True, "No permission")
