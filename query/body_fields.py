"""The fields of a JSON body, each by name and type. Pure.

What is null counts as absent. No refusal repeats a value, or a name that may be unsafe.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from query.json_body import JsonObject
from runtime.errors import RefusedError
from schemas.rejections import RejectionCode, is_harmless_name
from schemas.times import parse_us, to_datetime


class BodyFields:
    """The fields of one body. Every method raises RefusedError naming the field at fault."""

    def __init__(self, body: JsonObject, known: Sequence[str]) -> None:
        """Raises RefusedError: a field that is not known."""
        for name in body:
            if name not in known:
                shown = name if is_harmless_name(name) else None
                raise RefusedError(
                    f"{shown or 'a field'}: there is no such field; there are {', '.join(known)}",
                    code=RejectionCode.UNKNOWN_FIELD,
                    field=shown,
                )
        self._body: Final = body

    def text(self, name: str) -> str:
        value = self._needed(name)
        if not isinstance(value, str):
            raise _wrong_type(name, "a string")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._needed(name)
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise _wrong_type(name, "a list of strings")
        return tuple(value)

    def optional_texts(self, name: str) -> tuple[str, ...] | None:
        return None if self._body.get(name) is None else self.texts(name)

    def choice(self, name: str, vocabulary: Iterable[str]) -> str:
        """One text of a closed vocabulary."""
        value = self.text(name)
        _check_choices(name, [value], vocabulary)
        return value

    def choices(self, name: str, vocabulary: Iterable[str]) -> tuple[str, ...]:
        """A list of such texts."""
        values = self.texts(name)
        _check_choices(name, values, vocabulary)
        return values

    def optional_time(self, name: str) -> datetime | None:
        """Aware UTC."""
        if self._body.get(name) is None:
            return None
        try:
            return to_datetime(parse_us(self.text(name)))
        except ValueError as error:
            raise _bad_value(name, str(error)) from error

    def _needed(self, name: str) -> Any:
        value = self._body.get(name)
        if value is None:
            raise RefusedError(
                f"{name}: must be there", code=RejectionCode.MISSING_FIELD, field=name
            )
        return value


def _check_choices(name: str, values: Sequence[str], vocabulary: Iterable[str]) -> None:
    allowed = sorted(vocabulary)
    if not set(values) <= set(allowed):
        raise _bad_value(name, f"of: {', '.join(allowed)}")


def _bad_value(name: str, detail: str) -> RefusedError:
    return RefusedError(f"{name}: {detail}", code=RejectionCode.BAD_VALUE, field=name)


def _wrong_type(name: str, expected: str) -> RefusedError:
    return RefusedError(f"{name}: must be {expected}", code=RejectionCode.WRONG_TYPE, field=name)
