"""Changes to a JSON body that leave every other value its bytes."""

from collections.abc import Collection, Mapping

import msgspec

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def edit_body(body: bytes, *, drop: Collection[str] = (), put: Mapping[str, object] | None = None) -> bytes:
    """Return the JSON object ``body`` without the top-level fields in ``drop`` and with those in ``put``.

    A field that is put takes the place of the one of its name, else the first place. Values not named keep their
    bytes, and fields their order. Raises msgspec.DecodeError if ``body`` is no object.
    """
    fields = _decoder.decode(body)
    added = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in (put or {}).items()}
    kept = {name: added.get(name, value) for name, value in fields.items() if name not in drop}
    return msgspec.json.encode({name: value for name, value in added.items() if name not in kept} | kept)


def peek_field(body: bytes, name: str) -> msgspec.Raw | None:
    """Return the bytes of one top-level field, None if the object has none of that name."""
    return _decoder.decode(body).get(name)
