"""Figures are written so that nothing is rounded away to nothing, and unknown is not zero."""

from decimal import Decimal

import pytest

from usage.measures import Latency, Measures, usd, usd_text
from usage.models import LATENCY_BOUNDS_MS
from usage.templatetags.usage_numbers import change, count, duration, exact_money, money, share


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (4_100_000, "0.0041"),
        (1_000_000_000, "1"),
        (10_000_000_000, "10"),
        (-2_500_000_000, "-2.5"),
        (123_456_789_012_345_678, "123456789.012345678"),
    ],
)
def test_money_of_the_api_is_exact(nano: int, text: str) -> None:
    assert usd_text(nano) == text
    assert usd(nano) == Decimal(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("0.0041", "$0.0041"),
        ("0.00414", "$0.0041"),
        ("0.000000001", "$0.000000001"),
        ("0.05", "$0.05"),
        ("0.0999", "$0.10"),
        ("0.1", "$0.10"),
        ("12.345", "$12.35"),
        ("1234567.891", "$1,234,567.89"),
        ("-0.0041", "−$0.0041"),
        ("-12", "−$12.00"),
    ],
)
def test_money_on_pages_keeps_significant_digits(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "digits", "text"),
    [("12.3", 4, "$12.3000"), ("-0.00414", 4, "−$0.0041"), ("0", 4, "$0.0000"), ("0.00001", 4, "$0.00001")],
)
def test_money_of_a_table_has_as_many_digits_in_each_row(amount: str, digits: int, text: str) -> None:
    assert money(Decimal(amount), digits) == text


def test_exact_money_has_every_digit() -> None:
    assert exact_money(usd(1_234_567_800_000)) == "$1,234.5678"
    assert exact_money(usd(-1)) == "−$0.000000001"
    assert exact_money(usd(3_000_000_000)) == "$3.00"


def test_unknown_is_a_dash() -> None:
    assert {count(None), money(None), exact_money(None), share(None), duration(None)} == {"–"}
    assert change(Decimal(3), Decimal(0)) == "–"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (412, "412 ms"), (1240, "1.24 s"), (12_345, "12.3 s"), (59_999, "1 min 0 s"), (125_000, "2 min 5 s")],
)
def test_durations(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


def test_changes_have_their_sign() -> None:
    assert change(Decimal("1.12"), Decimal(1)) == "+12 %"
    assert change(Decimal("0.5"), Decimal(1)) == "−50 %"


def test_hit_rate_counts_all_four_input_classes() -> None:
    measures = Measures(
        uncached_input_tokens=10,
        cache_read_input_tokens=60,
        cache_write_5m_input_tokens=20,
        cache_write_1h_input_tokens=10,
    )

    assert measures.cache_hit_rate == 0.6


@pytest.mark.parametrize("latency_ms", [3, 40, 412, 5000, 250_000])
def test_percentile_is_in_the_bucket_of_what_was_measured(latency_ms: int) -> None:
    counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    position = sum(bound <= latency_ms for bound in LATENCY_BOUNDS_MS)
    counts[position] = 9

    percentile = Latency(counts, LATENCY_BOUNDS_MS).percentile_ms(0.95)

    assert percentile is not None
    assert LATENCY_BOUNDS_MS[position - 1] <= percentile <= LATENCY_BOUNDS_MS[position]


def test_percentile_beyond_the_last_bound_is_that_bound() -> None:
    counts = [0] * len(LATENCY_BOUNDS_MS) + [1]

    assert Latency(counts, LATENCY_BOUNDS_MS).percentile_ms(0.5) == LATENCY_BOUNDS_MS[-1]


def test_nothing_timed_has_no_percentile() -> None:
    assert Latency([0] * 40, LATENCY_BOUNDS_MS).percentile_ms(0.5) is None
