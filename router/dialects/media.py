"""Images and documents: from the forms clients send to Messages blocks."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_to_bytes

from router.dialects.base import RequestRefused
from router.dialects.fetching import UrlSource

PDF = "application/pdf"
# A name that many clients write and no registry knows.
_RENAMED = {"image/jpg": "image/jpeg"}


def image_block(url: str, path: str) -> dict[str, Any]:
    """Return the image block for an http(s) or data URL that stands at ``path``."""
    if _is_web_address(url):
        return {"type": "image", "source": UrlSource(url, path)}
    media_type, data = _read_data_url(url, path)
    return _image(media_type, data, path)


def document_block(
    content: str, path: str, *, media_type: str | None = None, title: str | None = None
) -> dict[str, Any]:
    """Return the document block for an http(s) URL, a data URL or bare base64 (a PDF unless ``media_type`` says).

    A file that turns out to be an image becomes an image block.
    """
    titled = {"title": title} if title else {}
    if _is_web_address(content):
        if media_type and media_type.startswith("image/"):
            return image_block(content, path)
        return {"type": "document", "source": UrlSource(content, path), **titled}
    if content.startswith("data:"):
        media_type, data = _read_data_url(content, path)
    else:
        media_type, data = media_type or PDF, content
    if media_type.startswith("image/"):
        return _image(media_type, data, path)
    if media_type.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": _decode_text(data, path)}
        return {"type": "document", "source": source, **titled}
    if media_type != PDF:
        raise RequestRefused(f"{path} is {media_type}; files can be PDF, plain text or images.", param=path)
    return {"type": "document", "source": _base64_source(media_type, data, path), **titled}


def _image(media_type: str, data: str, path: str) -> dict[str, Any]:
    if not media_type.startswith("image/"):
        raise RequestRefused(f"{path} is {media_type}, not an image.", param=path)
    return {"type": "image", "source": _base64_source(media_type, data, path)}


def _base64_source(media_type: str, data: str, path: str) -> dict[str, Any]:
    if not data:
        raise RequestRefused(f"{path} holds no data.", param=path)
    return {"type": "base64", "media_type": _RENAMED.get(media_type, media_type), "data": data}


def _is_web_address(url: str) -> bool:
    return url[:8].lower().startswith(("https://", "http://"))


def _read_data_url(url: str, path: str) -> tuple[str, str]:
    """Return media type and base64 text of a data URL (RFC 2397)."""
    head, comma, data = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        raise RequestRefused(f"{path} must be an http(s) URL or a data URI.", param=path)
    media_type, *parameters = head[5:].split(";")
    if "base64" not in (parameter.strip().lower() for parameter in parameters):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type.strip().lower() or "text/plain", data


def _decode_text(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise RequestRefused(f"{path} is not base64 of UTF-8 text.", param=path) from None
