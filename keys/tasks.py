"""Background work on provider keys. Each task looks at the database and may run twice."""

import time

from celery import shared_task

from catalog.providers import PROVIDERS
from catalog.queries import load_index
from keys.models import TestCall
from keys.services import (
    TestResult,
    claim_test_call,
    end_drained_versions,
    finish_test_call,
    perform_test_call,
    publish_waiting_test_calls,
)
from providers.base import Outcome, ProviderAPI, Target, WrongRegion
from providers.registry import PROVIDER_APIS
from usage.records import AttemptOpened, AttemptRecord, AttemptSettled, Certainty, uuid7
from usage.services import record_attempts


@shared_task(name="keys.run_test_call")
def run_test_call(call_id: str) -> None:
    """Make one queued test call. A message costs money, so it stands in the ledger before and after."""
    call = claim_test_call(call_id)
    if call is None:
        return
    if call.kind == TestCall.Kind.CHECK:
        finish_test_call(call, perform_test_call(call))
        return
    opened = _opened(call)
    record_attempts([AttemptRecord(opened)])
    result = perform_test_call(call)
    record_attempts([AttemptRecord(opened, _settled(opened, result))])
    finish_test_call(call, result)


@shared_task(name="keys.publish_waiting_test_calls")
def publish_waiting() -> None:
    """Publish again the test calls whose message or worker was lost."""
    publish_waiting_test_calls()


@shared_task(name="keys.end_drained_versions")
def end_drained() -> None:
    """Revoke the fallback versions whose time is up."""
    end_drained_versions()


def _opened(call: TestCall) -> AttemptOpened:
    key = call.version.provider_key
    offering = load_index().find(key.provider, call.model)
    api, target = PROVIDER_APIS[key.provider], Target(key.url, key.settings)
    return AttemptOpened(
        id=uuid7(),
        request_id=str(call.pk),
        kind="test",
        dialect=api.build_test_message(call.model, target).shape,
        workspace=key.workspace_id,
        gateway_key=None,
        provider_key=key.pk,
        provider_key_version=call.version.number,
        provider=key.provider,
        region=_region_of(api, call.model, target),
        model_asked=f"{PROVIDERS[key.provider].prefix}{call.model}",
        model=offering.model if offering else call.model,
        stream=False,
        started_at_us=time.time_ns() // 1000,
    )


def _region_of(api: ProviderAPI, model: str, target: Target) -> str:
    try:
        return api.region_of(model, target)
    except WrongRegion:
        # Nothing will be sent; the call itself says why.
        return ""


def _settled(opened: AttemptOpened, result: TestResult) -> AttemptSettled:
    is_ok = result.outcome == Outcome.OK
    # A refused or unsent message used no tokens; of a success without usage, or no answer in time, that is not known.
    is_certain = result.counts.is_known or result.outcome not in (Outcome.OK, Outcome.TIMEOUT)
    return AttemptSettled(
        certainty=Certainty.EXACT if is_certain else Certainty.UNKNOWN,
        status=result.status,
        error_code="" if is_ok else result.outcome,
        final=True,
        ended_at_us=opened.started_at_us + result.latency_ms * 1000,
        latency_ms=result.latency_ms,
        ttft_ms=None,
        counts=result.counts,
        upstream_request_id=result.upstream_request_id,
    )
