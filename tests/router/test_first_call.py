"""Which call a plan begins with, where some of what it names cannot do what is asked."""

from typing import Any

import pytest

from router import translation
from router.dialects import MESSAGES
from router.fetching import NotFetched
from router.headers import read_headers
from router.plan import Plan
from router.translation import translate_first
from tests.router.candidates import candidate

PARSED = MESSAGES.parse(b'{"model":"route/both","max_tokens":9,"messages":[]}')


async def test_a_file_that_cannot_be_had_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fetchers: list[Any] = []

    async def translate(*args: Any, fetcher: Any, **options: Any) -> None:
        fetchers.append(fetcher)
        raise NotFetched(f"Refused {len(fetchers)}.")

    monkeypatch.setattr(translation, "translate", translate)
    plan, fetcher = Plan([candidate(leg=leg) for leg in range(3)], route="both"), object()

    with pytest.raises(NotFetched, match="Refused 1"):
        await translate_first(MESSAGES, PARSED, read_headers([]), plan, is_count=False, fetcher=fetcher)  # type: ignore[arg-type]

    assert fetchers == [fetcher, None, None]
