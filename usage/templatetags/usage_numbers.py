"""How pages write tokens, money, shares and times."""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template

from usage.charts import bucket_label
from usage.measures import usd
from usage.queries import UsageReport, UsageRow
from usage.ranges import Grain

register = template.Library()

UNKNOWN = "–"
_CENT = Decimal("0.01")
_CENT_DIGITS = 2
_SIGNIFICANT = 2
_MOST_DIGITS = 6
_LONGEST_COUNT = 100_000_000


@register.filter
def count(number: int | None) -> str:
    """Write a count with thousands separators; unknown is a dash, never a zero."""
    return UNKNOWN if number is None else f"{number:,}"


@register.filter
def compact(number: int) -> str:
    """Write a count with all its digits up to a hundred million, and beyond that in millions: ``1,666.7 M``."""
    return f"{number:,}" if number < _LONGEST_COUNT else f"{number / 1_000_000:,.1f} M"


@register.filter
def money(amount: Decimal | None, digits: int = _CENT_DIGITS) -> str:
    """Write dollars to the cent; what is less than ten cents keeps two significant digits: ``$0.0041``.

    With more ``digits``, as ``money_digits`` finds them, it has just as many, unless nothing would be left of it.
    """
    if amount is None:
        return UNKNOWN
    size = abs(amount)
    if digits > _CENT_DIGITS and (not size or size >= Decimal(1).scaleb(-digits)):
        return f"{'−' if amount < 0 else ''}${size.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,f}"
    if not size:
        return "$0.00"
    unit = _CENT if size >= _CENT * 10 else Decimal(1).scaleb(min(size.adjusted() + 1 - _SIGNIFICANT, -2))
    return _dollars(amount < 0, size.quantize(unit, ROUND_HALF_UP))


@register.filter
def money_digits(report: UsageReport) -> int:
    """Return with how many digits after the point to write each amount of a table, so that they can be compared."""
    measures = [report.totals, *(row.measures for row in report.rows)]
    # The smallest needs the most. Whole numbers, for a report has thousands of rows.
    smallest = min(
        (abs(nano) for each in measures for nano in (each.cost_nano, each.cache_savings_nano) if nano), default=0
    )
    return min(len(money(usd(smallest)).partition(".")[2]), _MOST_DIGITS)


@register.filter
def exact_money(amount: Decimal | None) -> str:
    """Write dollars to the last nano-dollar, without trailing zeros; for titles and single requests."""
    if amount is None:
        return UNKNOWN
    return _dollars(amount < 0, abs(amount))


@register.filter
def share(part: float | None) -> str:
    """Write 0 to 1 as a percentage with one digit after the point; undefined is a dash."""
    return UNKNOWN if part is None else f"{part:.1%}"


@register.filter
def duration(milliseconds: int | None) -> str:
    """Write a time as ``412 ms``, ``1.24 s`` or ``2 min 5 s``."""
    if milliseconds is None:
        return UNKNOWN
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 59_995:
        return f"{milliseconds / 1000:.3g} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


@register.filter
def change(now: Decimal, before: Decimal) -> str:
    """Write how much ``now`` is above or below ``before``: ``+12 %``; a dash where there was nothing before."""
    if not before:
        return UNKNOWN
    percent = int(((now - before) / before * 100).to_integral_value(ROUND_HALF_UP))
    return f"{'−' if percent < 0 else '+' if percent else ''}{abs(percent):,} %"


@register.filter
def bucket(begin: datetime, grain: Grain) -> str:
    """Write a bucket as its chart does: ``10 Mar 14:00``."""
    return bucket_label(begin, grain)


@register.filter
def group_label(row: UsageRow, dimension: str) -> str:
    """Write what a row's group is called in one dimension."""
    return row.label(dimension)


@register.filter
def is_nameless(row: UsageRow, dimension: str) -> bool:
    """Whether the group is a key or project without a name, whose id is shown."""
    return bool(row.dimensions[dimension]) and row.dimensions.get(f"{dimension}_name", "") is None


@register.filter
def item(mapping: Mapping[str, str], key: str) -> str:
    return mapping[key]


def _dollars(is_negative: bool, size: Decimal) -> str:
    whole, _, fraction = f"{size:,f}".partition(".")
    return f"{'−' if is_negative else ''}${whole}.{fraction.rstrip('0').ljust(2, '0')}"
