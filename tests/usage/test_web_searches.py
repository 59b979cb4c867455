"""Searches have no rate, so what used some is never shown as fully priced."""

from decimal import Decimal

from catalog.prices import Rates
from providers.base import TokenCounts
from usage.pricing import price_counts

RATES = Rates(*[Decimal(1)] * 5)


def test_attempt_with_web_searches_is_unpriced() -> None:
    assert price_counts(TokenCounts(1, 0, 0, 0, 1, web_searches=2), RATES).is_unpriced


def test_attempt_without_web_searches_is_priced() -> None:
    assert not price_counts(TokenCounts(1, 0, 0, 0, 1, web_searches=0), RATES).is_unpriced
