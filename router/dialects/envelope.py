"""The error envelope of ``/v3/router``, which chat and responses share."""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.dialects.base import error_type_of


def render_error(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    error_type: str | None = None,
    extra: Mapping[str, Any] | None = None,
    request_id: str | None = None,
) -> bytes:
    """Return ``{"error": {"message", "type", "param", "code"}}``; ``extra`` adds fields to the inner object.

    The request id goes in the reply's header, not in here.
    """
    error = {"message": message, "type": error_type or error_type_of(status), "param": param, "code": code}
    return msgspec.json.encode({"error": {**error, **(extra or {})}})
