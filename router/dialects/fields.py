"""Reading JSON objects field by field: what has the wrong type is refused with the path of the field."""

from collections.abc import Collection, Mapping
from typing import Any, Self

from router.dialects.base import RequestRefused


def whole(value: object) -> object:
    """Return ``value``, a number without a fraction as an integer: in JSON 3.0 is 3, and Orq's package writes it so."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


class Fields:
    """One JSON object of a request and where it stands in the body. A null field reads as absent."""

    __slots__ = ("path", "values")

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise RequestRefused(f"{path or 'The body'} must be an object.", param=path or None)
        self.values: dict[str, Any] = value
        self.path = path

    def at(self, name: str | int) -> str:
        """Return the path of field ``name``."""
        return f"{self.path}.{name}" if self.path else str(name)

    def refuse(self, name: str, complaint: str) -> RequestRefused:
        """Return the refusal "<path of name> <complaint>"."""
        return RequestRefused(f"{self.at(name)} {complaint}", param=self.at(name))

    def get(self, name: str) -> Any:
        """Return the field as it is, or None."""
        return self.values.get(name)

    def string(self, name: str) -> str | None:
        """Return the string, or None if absent."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self.refuse(name, "must be a string.")

    def required_string(self, name: str) -> str:
        """Return the string, which must be there and not empty."""
        value = self.string(name)
        if not value:
            raise self.refuse(name, "is required and must be a string that is not empty.")
        return value

    def one_of(self, name: str, choices: Collection[str]) -> str | None:
        """Return the string, one of ``choices``, or None if absent."""
        value = self.values.get(name)
        if value is None or (isinstance(value, str) and value in choices):
            return value
        raise self.refuse(name, f"must be one of {', '.join(choices)}.")

    def boolean(self, name: str) -> bool | None:
        """Return the boolean, or None if absent."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.refuse(name, "must be true or false.")

    def integer(self, name: str, least: int = 1, most: int | None = None) -> int | None:
        """Return the integer from ``least`` to ``most``, or None if absent."""
        value = whole(self.values.get(name))
        if value is None:
            return None
        if type(value) is not int or value < least or (most is not None and value > most):
            wanted = f"from {least} to {most}" if most is not None else f"of at least {least}"
            raise self.refuse(name, f"must be an integer {wanted}.")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """Return the number from ``least`` to ``most``, or None if absent."""
        value = self.values.get(name)
        if value is None:
            return None
        if type(value) not in (int, float) or not least <= value <= most:
            raise self.refuse(name, f"must be a number from {least:g} to {most:g}.")
        return float(value) if isinstance(value, float) else int(value)

    def object(self, name: str) -> Self | None:
        """Return the object, or None if absent."""
        value = self.values.get(name)
        return None if value is None else type(self)(value, self.at(name))

    def required_object(self, name: str) -> Self:
        """Return the object, which must be there."""
        return type(self)(self.values.get(name), self.at(name))

    def array(self, name: str) -> list[Any] | None:
        """Return the array, or None if absent."""
        value = self.values.get(name)
        if value is None or isinstance(value, list):
            return value
        raise self.refuse(name, "must be an array.")

    def objects(self, name: str) -> list[Self]:
        """Return the objects of an array; none if absent."""
        return [type(self)(value, f"{self.at(name)}.{index}") for index, value in enumerate(self.array(name) or ())]

    def strings(self, name: str) -> list[str]:
        """Return the strings of an array; none if absent."""
        values = self.array(name) or []
        if not all(isinstance(value, str) for value in values):
            raise self.refuse(name, "must be an array of strings.")
        return values

    def string_map(self, name: str) -> Mapping[str, str]:
        """Return the object of strings; empty if absent."""
        fields = self.object(name)
        if fields is None:
            return {}
        for key in fields.values:
            fields.string(key)
        return {key: value for key, value in fields.values.items() if value is not None}
