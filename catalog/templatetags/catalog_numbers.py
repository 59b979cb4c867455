"""How pages write the catalog's numbers."""

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def usd_rate(rate: Decimal | None) -> str:
    """Write a rate in USD with the digits it has, at least two after the point; unknown is a dash."""
    if rate is None:
        return "–"
    normal = rate.normalize()
    digits = max(2, -int(normal.as_tuple().exponent))
    return f"${normal:,.{digits}f}"


@register.filter
def token_size(tokens: int | None) -> str:
    """Write a number of tokens as models are compared by it: ``1.05M``, ``200K``, ``4,096``; unknown is a dash."""
    if tokens is None:
        return "–"
    if tokens >= 1_000_000:
        return f"{round(tokens / 1_000_000, 2):g}M"
    if tokens >= 10_000 or (tokens and tokens % 1_000 == 0):
        return f"{round(tokens / 1_000, 1):g}K"
    return f"{tokens:,}"
