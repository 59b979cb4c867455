"""Verifies AWS Signature Version 4 as the service does: from the request as it came, and nothing a client library says.

Source: AWS documentation, "Create a signed AWS API request"; wording of refusals as recorded from the live service.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from simulator.call import Call
from simulator.errors import ApiError

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW_S = 300
_TERMINATOR = "aws4_request"
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# What the canonical form leaves as it is, besides letters and digits.
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Signature:
    """What an Authorization header says: who signed, for which day, region and service, and which headers."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    value: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


def read_signature(authorization: str) -> Signature:
    """Return the parts of an Authorization header. Raises ApiError for a header of another form."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter. Authorization={authorization}")
    credential = fields["Credential"].split("/")
    if len(credential) != 5:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{fields['Credential']}'"
        )
    key_id, date, region, service, terminator = credential
    signed = tuple(fields["SignedHeaders"].split(";"))
    return Signature(key_id, date, region, service, terminator, signed, fields["Signature"])


def check_signature(call: Call, signature: Signature, secret: str, *, service: str, now: float) -> None:
    """Raise ApiError 403 unless ``call`` was signed with ``secret`` for ``service``, within five minutes of ``now``."""
    sent_at = call.headers.get("x-amz-date", "")
    _check_scope(signature, call.headers.get("host", ""), service)
    _check_time(sent_at, signature.date, now)
    _check_signed_headers(call.headers, signature.signed_headers)
    body_hash = hashlib.sha256(call.body).hexdigest()
    if call.headers.get("x-amz-content-sha256", body_hash) != body_hash:
        raise _refused("The value of x-amz-content-sha256 does not match the calculated SHA-256 of the payload.")
    request_hash = hashlib.sha256(canonical_request(call, signature.signed_headers, body_hash).encode()).hexdigest()
    to_sign = "\n".join((ALGORITHM, sent_at, signature.scope, request_hash))
    expected = hmac.new(_signing_key(secret, signature), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.value.encode()):
        raise _refused(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        )


def canonical_request(call: Call, signed_headers: tuple[str, ...], body_hash: str) -> str:
    """Return what is signed of a request: method, path, query, the signed headers and the body's hash in hex.

    The path is encoded once more than it was sent, as every service but S3 does.
    """
    headers = "".join(f"{name}:{' '.join(call.headers[name].split())}\n" for name in signed_headers)
    path = quote(call.raw_path, safe=f"/{_UNRESERVED}")
    return "\n".join((call.method, path, _canonical_query(call.query), headers, ";".join(signed_headers), body_hash))


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    encoded = [tuple(quote(unquote_to_bytes(text), safe=_UNRESERVED) for text in pair) for pair in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _check_scope(signature: Signature, host: str, service: str) -> None:
    if signature.service != service:
        raise _refused(f"Credential should be scoped to correct service: '{service}'.")
    if signature.terminator != _TERMINATOR:
        raise _refused(
            f"Credential should be scoped with a valid terminator: '{_TERMINATOR}', not '{signature.terminator}'."
        )
    named = re.fullmatch(r"bedrock(?:-runtime)?\.([a-z0-9-]+)\.amazonaws\.com(?::\d+)?", host)
    wanted = named[1] if named else signature.region
    if signature.region != wanted or not _REGION.fullmatch(signature.region):
        raise _refused("Credential should be scoped to a valid region.")


def _check_time(sent_at: str, scope_date: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(sent_at, _TIME_FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{sent_at}'.") from None
    if sent_at[:8] != scope_date:
        raise _refused(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope_date}' != '{sent_at[:8]}', from '{sent_at}'."
        )
    if signed_at < now - MAX_SKEW_S:
        raise _refused(
            f"Signature expired: {sent_at} is now earlier than {_stamp(now - MAX_SKEW_S)} ({_stamp(now)} - 5 min.)"
        )
    if signed_at > now + MAX_SKEW_S:
        raise _refused(
            f"Signature not yet current: {sent_at} is still later than {_stamp(now + MAX_SKEW_S)} "
            f"({_stamp(now)} + 5 min.)"
        )


def _check_signed_headers(headers: Mapping[str, str], signed: tuple[str, ...]) -> None:
    """The host and every x-amz-… header must be signed, and what is signed must have been sent."""
    needed = {"host", *(name for name in headers if name.startswith("x-amz-"))}
    unsigned = sorted(needed - set(signed))
    if unsigned:
        raise _refused(f"{', '.join(unsigned)} must be a 'SignedHeader' in the AWS Authorization.")
    missing = sorted(set(signed) - set(headers))
    if missing or list(signed) != sorted(signed):
        raise _refused(f"SignedHeaders is not the sorted list of headers sent: {';'.join(signed)}.")


def _signing_key(secret: str, signature: Signature) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (signature.date, signature.region, signature.service, signature.terminator):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME_FORMAT)


def _refused(message: str) -> ApiError:
    return ApiError(403, "InvalidSignatureException", message)


def _incomplete(message: str) -> ApiError:
    return ApiError(403, "IncompleteSignatureException", message)
