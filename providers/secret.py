"""The type that carries a credential's plaintext, made so that it cannot slip out by accident."""

from typing import Any, Final, NoReturn


class Secret:
    """A plaintext that refuses repr, pickling, JSON and comparison by anything but ``reveal``.

    It lives only between the form that brings it and ``authorize``, which sends it.
    """

    __slots__ = ("_plaintext",)

    _plaintext: Final[str]  # type: ignore[misc]  # set once through object.__setattr__ below

    def __init__(self, plaintext: str) -> None:
        object.__setattr__(self, "_plaintext", plaintext)

    def reveal(self) -> str:
        """Return the plaintext. Only ``authorize`` functions and the sealing code call this."""
        return self._plaintext

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("A secret is immutable.")

    def __repr__(self) -> str:
        return "Secret(••••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("A secret cannot be pickled or copied.")
