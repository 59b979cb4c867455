"""Usage and requests over the REST API: the same report, as JSON or CSV, and the same list that the pages show."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from teams.rest import ApiRequest, Timestamp, refuse_unknown_parameters
from usage.exports import CONTENT_TYPE, file_name, report_as_csv
from usage.measures import usd_text
from usage.models import Attempt
from usage.queries import UsageReport, usage_report
from usage.ranges import Grain, zone_names
from usage.report_sql import DIMENSION_COLUMNS
from usage.request_log import LoggedRequest, Shown, list_requests, request_log

usage_router = Router(tags=["Usage"])
requests_router = Router(tags=["Requests"])

# Beyond these years clocks and zones are guesswork, and Python's dates end soon.
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


def _read_moment(text: str) -> datetime:
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise PydanticCustomError("moment", "Write a time as in 2026-11-01T00:00:00+01:00.") from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise PydanticCustomError("moment", "No usage can be from that year.")
    return moment


def _known_zone(name: str) -> str:
    if name not in zone_names():
        raise PydanticCustomError("time_zone", "This is no time zone; write one as in Europe/Berlin.")
    return name


Moment = Annotated[datetime, BeforeValidator(_read_moment)]
Listed = Annotated[str, Field(description="Comma separated.")]
Values = Annotated[list[str], Field(description="Repeat it for several; empty means none.")]


class Period(BaseModel):
    """``from`` up to ``to``, without it; a time without an offset is one of ``time_zone``."""

    begin: Moment | None = Field(None, alias="from", description="Default: 30 days before the end.")
    end: Moment | None = Field(None, alias="to", description="Default: now.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        None, description="An IANA zone. Default: the workspace's."
    )


class UsageQuestion(Period):
    """What to count. Without ``kind`` only live traffic counts."""

    grain: Grain = Grain.DAY
    group_by: Listed = ""
    model: Values = []
    provider: Values = []
    provider_key: Values = []
    provider_key_version: Values = []
    gateway_key: Values = []
    project: Values = []
    region: Values = []
    status_class: Values = []
    dialect: Values = []
    kind: Values = []


class UsageAnswer(BaseModel):
    """One row per bucket and group that has something in it; ``totals`` are of all rows."""

    data: list[dict[str, Any]]
    totals: dict[str, Any]
    counted_until: str | None
    time_zone: str


_CSV_TOO = {"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}}


@usage_router.get("", response=UsageAnswer, openapi_extra=_CSV_TOO)
def usage_get(request: ApiRequest, question: Query[UsageQuestion]) -> dict[str, Any] | HttpResponse:
    """Return usage. With ``Accept: text/csv`` the same as CSV."""
    refuse_unknown_parameters(request, UsageQuestion)
    report = _report(request, question)
    if request.get_preferred_type(["application/json", "text/csv"]) != "text/csv":
        return report.as_dict()
    headers = {"Content-Disposition": f'attachment; filename="{file_name(report)}"', "Vary": "Accept"}
    return HttpResponse(report_as_csv(report), content_type=CONTENT_TYPE, headers=headers)


def _report(request: ApiRequest, question: UsageQuestion) -> UsageReport:
    workspace = request.auth.workspace
    zone = ZoneInfo(question.time_zone) if question.time_zone else workspace.zone
    filters = {name: values for name in DIMENSION_COLUMNS if (values := getattr(question, name))}
    return usage_report(
        workspace,
        begin=_in_zone(question.begin, zone),
        end=_in_zone(question.end, zone),
        grain=question.grain,
        time_zone=zone,
        group_by=[name.strip() for name in question.group_by.split(",") if name.strip()],
        filters=filters,
    )


def _in_zone(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment.replace(tzinfo=zone) if moment and moment.tzinfo is None else moment


class RequestShown(BaseModel):
    """The attempt that a request is judged by, or (``state`` refused) what it met instead of one.

    ``status`` is the provider's, null if none came; of a refused request the gateway's. Token counts are null where
    they are not known, or none were used (``certainty`` exact). ``cost_usd`` leaves out classes without a price if
    ``is_unpriced``.
    """

    id: UUID
    request_id: str
    at: Timestamp
    state: str
    status: int | None
    error_code: str | None
    error: str | None
    what_to_do: str | None
    dialect: str
    model_asked: str
    gateway_key: UUID | None
    gateway_key_name: str | None
    kind: str = "live"
    attempt: int | None = None
    final: bool | None = None
    certainty: str | None = None
    ended_at: Timestamp | None = None
    queue_ms: int | None = None
    connect_ms: int | None = None
    first_byte_ms: int | None = None
    ttft_ms: int | None = None
    latency_ms: int | None = None
    stream: bool | None = None
    provider: str | None = None
    region: str | None = None
    route: str | None = None
    model: str | None = None
    model_served: str | None = None
    provider_key: UUID | None = None
    provider_key_name: str | None = None
    provider_key_version: int | None = None
    upstream_request_id: str | None = None
    identity: str | None = None
    session: str | None = None
    tags: list[str] = []
    uncached_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_5m_input_tokens: int | None = None
    cache_write_1h_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    input_tokens: int | None = None
    cost_usd: str | None = None
    cache_savings_usd: str | None = None
    is_unpriced: bool | None = None


class RequestList(BaseModel):
    """Some requests, the newest first; ``next_before`` is the ``before`` of the next page, null on the last."""

    data: list[RequestShown]
    next_before: UUID | None


class RequestQuestion(BaseModel):
    """``search`` is a trace id or a provider's request id, or a session or identity of the last 31 days."""

    shown: Shown = Shown.ALL
    search: Annotated[str, Field(max_length=200)] = ""
    before: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


@requests_router.get("", response=RequestList)
def request_list(request: ApiRequest, question: Query[RequestQuestion]) -> RequestList:
    """Return requests one by one, refused ones too, the newest first."""
    refuse_unknown_parameters(request, RequestQuestion)
    page = list_requests(
        request.auth.workspace,
        shown=question.shown,
        search=question.search.strip(),
        before=question.before,
        limit=question.limit,
    )
    return RequestList(data=[_request_shown(logged) for logged in page.requests], next_before=page.next_before)


@requests_router.get("/{request_id}", response=RequestList)
def request_get(request: ApiRequest, request_id: str) -> RequestList:
    """Return all there is of one request, by its x-orq-trace-id: each attempt, in the order they were made."""
    logged = request_log(request.auth.workspace, request_id)
    if not logged:
        raise Http404
    return RequestList(data=[_request_shown(one) for one in logged], next_before=None)


def _request_shown(logged: LoggedRequest) -> RequestShown:
    entry, attempt, explanation = logged.entry, logged.attempt, logged.explanation
    return RequestShown(
        id=logged.id,
        request_id=logged.request_id,
        at=logged.at,
        state=attempt.state if attempt else "refused",
        status=entry.status,
        error_code=entry.error_code or None,
        error=explanation.what if explanation else None,
        what_to_do=explanation.do if explanation else None,
        dialect=entry.dialect,
        model_asked=entry.model_asked,
        gateway_key=entry.gateway_key_id,
        gateway_key_name=logged.gateway_key_name,
        provider_key_name=logged.provider_key_name,
        **(_attempt_shown(attempt) if attempt else {}),
    )


# Shown under the names they have in the ledger.
_SAME_NAME = (
    "kind",
    "attempt",
    "final",
    "certainty",
    "ended_at",
    "queue_ms",
    "connect_ms",
    "first_byte_ms",
    "ttft_ms",
    "latency_ms",
    "stream",
    "provider",
    "model",
    "provider_key_version",
    "tags",
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "input_tokens",
    "is_unpriced",
)


def _attempt_shown(attempt: Attempt) -> dict[str, Any]:
    is_settled = attempt.state == Attempt.State.SETTLED
    return {name: getattr(attempt, name) for name in _SAME_NAME} | {
        "region": attempt.region or None,
        "route": attempt.route or None,
        "model_served": attempt.model_served or None,
        "provider_key": attempt.provider_key_id,
        "upstream_request_id": attempt.upstream_request_id or None,
        "identity": attempt.identity or None,
        "session": attempt.session or None,
        "cost_usd": usd_text(attempt.cost_nano) if is_settled else None,
        "cache_savings_usd": None if attempt.cache_savings_nano is None else usd_text(attempt.cache_savings_nano),
    }
