"""What the usage pages are asked in their addresses: a period, and how to cut and filter it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils import timezone

from teams.access import WorkspaceRequest
from usage.queries import LONGEST_DAYS
from usage.ranges import Grain, zone_names
from usage.report_sql import DIMENSION_COLUMNS

RANGES: dict[str, tuple[str, timedelta]] = {
    "1h": ("1 h", timedelta(hours=1)),
    "6h": ("6 h", timedelta(hours=6)),
    "24h": ("24 h", timedelta(days=1)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
}
CUSTOM = "custom"
# Beyond these clocks and zones are guesswork, and Python's dates end soon.
FIRST_YEAR, LAST_YEAR = 2000, 2200
DEFAULT_RANGE = "30d"
# Up to these lengths a chart has a readable number of buckets.
_LONGEST_BY_GRAIN = (
    (timedelta(hours=8), Grain.QUARTER_HOUR),
    (timedelta(days=3), Grain.HOUR),
    (timedelta(days=100), Grain.DAY),
)
_LOCAL = "%Y-%m-%dT%H:%M"

DIMENSION_LABELS = {
    "model": "Model",
    "provider": "Provider",
    "provider_key": "Provider key",
    "provider_key_version": "Provider key version",
    "gateway_key": "Gateway key",
    "project": "Project",
    "region": "Region",
    "status_class": "Status",
    "dialect": "API",
    "kind": "Kind",
}
KINDS = {"live": "Live", "test": "Test"}
DEFAULT_KIND = "live"
FILTERS = tuple(name for name in DIMENSION_COLUMNS if name in DIMENSION_LABELS)
GRAIN_LABELS = {
    Grain.QUARTER_HOUR: "15 minutes",
    Grain.HOUR: "Hour",
    Grain.DAY: "Day",
    Grain.MONTH: "Month",
    Grain.TOTAL: "Whole period",
}


@dataclass(frozen=True)
class Period:
    """From ``begin`` up to ``end``, shown in ``zone``; ``name`` is one of RANGES or ``custom``.

    With ``errors`` it is the default, and ``typed`` both ends as they were asked for.
    """

    name: str
    begin: datetime
    end: datetime
    zone: ZoneInfo
    workspace_zone: ZoneInfo
    errors: tuple[str, ...] = ()
    typed: tuple[str, str] = ("", "")

    @property
    def grain(self) -> Grain:
        """The grain that charts of this length are read best in."""
        length = self.end - self.begin
        return next((grain for longest, grain in _LONGEST_BY_GRAIN if length <= longest), Grain.MONTH)

    @property
    def is_custom(self) -> bool:
        return self.name == CUSTOM

    @property
    def shown_ends(self) -> tuple[str, str]:
        """Both ends as ``datetime-local`` inputs take them; what was wrong stays as it was typed."""
        if self.errors:
            return self.typed
        return self._local(self.begin), self._local(self.end)

    @property
    def parameters(self) -> dict[str, str]:
        """What stands in an address for this period: relative ranges stay relative."""
        zone = {"zone": self.zone.key} if self.zone != self.workspace_zone else {}
        return {"range": self.name, **(self._ends if self.is_custom else {}), **zone}

    @property
    def fixed_parameters(self) -> dict[str, str]:
        """What stands in an address that shows the same figures whenever it is opened."""
        return {"range": CUSTOM, **self._ends, "zone": self.zone.key}

    def _local(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime(_LOCAL)

    @property
    def _ends(self) -> dict[str, str]:
        return {"from": _with_offset(self.begin, self.zone), "to": _with_offset(self.end, self.zone)}


class PeriodForm(forms.Form):
    """``range``, and for ``custom`` ``from`` and ``to``: local times of ``zone``, or with an offset."""

    range = forms.ChoiceField(choices=[*((name, label) for name, (label, _) in RANGES.items()), (CUSTOM, "Custom")])
    begin = forms.DateTimeField(label="From", required=False)
    end = forms.DateTimeField(label="To", required=False)

    def add_prefix(self, field_name: str) -> str:
        return super().add_prefix({"begin": "from", "end": "to"}.get(field_name, field_name))

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        begin, end = cleaned.get("begin"), cleaned.get("end")
        if cleaned.get("range") != CUSTOM or self.errors:
            return cleaned
        if begin is None or end is None:
            raise forms.ValidationError("Give both ends of the range.")
        if not FIRST_YEAR <= begin.year <= end.year <= LAST_YEAR:
            raise forms.ValidationError(f"Choose years from {FIRST_YEAR} to {LAST_YEAR}, the earlier end first.")
        # In UTC, for within one zone Python compares what the clock shows.
        begin = cleaned["begin"] = begin.astimezone(UTC)
        end = cleaned["end"] = end.astimezone(UTC)
        if begin >= end:
            raise forms.ValidationError("The range ends before it begins.")
        if end - begin > timedelta(days=LONGEST_DAYS):
            raise forms.ValidationError("The range is longer than ten years.")
        return cleaned


def read_period(request: WorkspaceRequest) -> Period:
    """Return the period that the address asks for; where it makes no sense the last 30 days, with what was wrong."""
    workspace_zone = request.workspace.zone
    zone = _zone(request.GET.get("zone", "")) or workspace_zone
    asked = request.GET.copy()
    asked.setdefault("range", CUSTOM if "from" in asked else DEFAULT_RANGE)
    form = PeriodForm(asked)
    # Local times in the address are those of the page's zone.
    with timezone.override(zone):
        is_valid = form.is_valid()
    name = form.cleaned_data["range"] if is_valid else DEFAULT_RANGE
    if name == CUSTOM:
        begin, end = form.cleaned_data["begin"], form.cleaned_data["end"]
    else:
        # The moment after now, for what has just begun belongs to it.
        end = timezone.now() + timedelta(microseconds=1)
        begin = end - RANGES[name][1]
    errors = tuple(f"{error}" for errors in form.errors.values() for error in errors)
    typed = (request.GET.get("from", ""), request.GET.get("to", ""))
    return Period(name, begin, end, zone, workspace_zone, errors, typed)


@dataclass(frozen=True)
class Breakdown:
    """How the Usage page cuts a period: its grain, up to two dimensions, and filters."""

    grain: Grain
    group_by: tuple[str, ...]
    filters: dict[str, list[str]]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        # No group is said, too, for an address without one means the default.
        chosen = [("grain", str(self.grain)), *(("group_by", name) for name in self.group_by or ("",))]
        return [*chosen, *((name, value) for name, values in self.filters.items() for value in values)]

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out that is there without filters."""
        return self.filters not in ({}, {"kind": [DEFAULT_KIND]})


def read_breakdown(asked: QueryDict, period: Period, *, default_group: tuple[str, ...] = ("model",)) -> Breakdown:
    """Return the breakdown that the address asks for; what it names wrongly is left out."""
    groups = asked.getlist("group_by") if "group_by" in asked else list(default_group)
    grain = asked.get("grain", "")
    return Breakdown(
        grain=Grain(grain) if grain in list(Grain) else period.grain,
        group_by=tuple(dict.fromkeys(name for name in groups if name in DIMENSION_LABELS)),
        filters={name: values for name in FILTERS if (values := [value for value in asked.getlist(name) if value])},
    )


def query_string(*parts: dict[str, str] | list[tuple[str, str]]) -> str:
    """Return ``parts`` as the query of an address."""
    return urlencode([pair for part in parts for pair in (part.items() if isinstance(part, dict) else part)])


def _zone(name: str) -> ZoneInfo | None:
    return ZoneInfo(name) if name in zone_names() else None


def _with_offset(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")
