"""How long a provider asks to wait. Pure. Source: RFC 9110, section 10.2.3; ``retry-after-ms`` is OpenAI's."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

# Beyond a day it is no waiting time.
_LONGEST_S = 86_400.0


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the wait in seconds, None if none is asked for; ``now`` is in Unix seconds, header names in lower case."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _plausible(milliseconds / 1000)
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return _plausible(seconds)
    try:
        return _plausible(parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _plausible(seconds: float) -> float | None:
    # Written so that "nan" is none either.
    return max(seconds, 0.0) if seconds <= _LONGEST_S else None
