"""Usage over the REST API, as JSON and as CSV: the same report that the pages show."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpResponse
from ninja import Query, Router
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from teams.rest import ApiRequest, refuse_unknown_parameters
from usage.exports import CONTENT_TYPE, file_name, report_as_csv
from usage.queries import UsageReport, usage_report
from usage.ranges import Grain
from usage.report_sql import DIMENSION_COLUMNS

usage_router = Router(tags=["Usage"])

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


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _zone_names():
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
