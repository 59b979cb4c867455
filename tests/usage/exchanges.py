"""A stored prompt and answer, made as a gateway and its shipper make them."""

from datetime import timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from keys.prompts import Side, load_sealers
from teams.models import Workspace
from usage.exchanges import store_exchanges
from usage.models import StoredExchange
from usage.records import ExchangeRecord, microseconds_of, uuid7

ASKED, ANSWERED = b'{"messages": [{"role": "user", "content": "a question"}]}', b"an answer"


def keep(
    workspace: Workspace,
    *,
    days_ago: float = 0,
    request_id: str = "",
    gateway_key: UUID | None = None,
    asked: bytes = ASKED,
    answered: bytes = ANSWERED,
    is_answer_cut: bool = False,
) -> StoredExchange:
    """Store an exchange of ``workspace``, which must have storage switched on."""
    sealer, attempt = load_sealers()[workspace.pk], uuid7()
    request_id = request_id or uuid4().hex
    at = timezone.now() - timedelta(days=days_ago)
    record = ExchangeRecord(
        attempt=attempt,
        request_id=request_id,
        workspace=workspace.pk,
        gateway_key=gateway_key,
        prompt_key=sealer.key_id,
        at_us=microseconds_of(at),
        expires_at_us=microseconds_of(at + timedelta(days=sealer.retention_days)),
        sealed_request=sealer.seal(Side.REQUEST, asked, request_id=request_id, attempt=attempt),
        sealed_answer=sealer.seal(Side.ANSWER, answered, request_id=request_id, attempt=attempt),
        request_bytes=len(asked),
        answer_bytes=len(answered),
        is_answer_cut=is_answer_cut,
    )
    assert store_exchanges([record]) == 1
    return StoredExchange.objects.get(pk=attempt)
