"""A refusal, in the words of the Messages API; the other APIs translate it into their own."""

from collections.abc import Mapping


class ApiError(Exception):
    """An answer of status 4xx or 5xx; ``kind`` is the envelope's ``error.type``.

    ``failure`` names the failure on demand that it is (see instructions), '' for a refusal that the request earned.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, *, failure: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = dict(headers or {})
        self.failure = failure

    def envelope(self, request_id: str) -> dict[str, object]:
        """Return the body: ``{"type": "error", "error": {"type", "message"}, "request_id"}``."""
        error = {"type": self.kind, "message": self.message}
        return {"type": "error", "error": error, "request_id": request_id}


def invalid(message: str) -> ApiError:
    """Return the 400 that refuses a request as wrong."""
    return ApiError(400, "invalid_request_error", message)
