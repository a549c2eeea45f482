"""Reads query parameters: repeated ones, single ones, and what each may hold. Pure.

Every refusal names the parameter and never repeats a value.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

from pydantic import TypeAdapter, ValidationError

from runtime.errors import RefusedError
from schemas.events import PATTERN_DETAILS, InstanceId, Name, Text, Uuid
from schemas.rejections import is_harmless_name
from schemas.times import parse_us

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1_000
# Who looks for more at once wants another filter.
VALUES_MAX: Final = 100

TEXT: Final[TypeAdapter[str]] = TypeAdapter(Text)
NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)
INSTANCE_ID: Final[TypeAdapter[str]] = TypeAdapter(InstanceId)
UUID: Final[TypeAdapter[str]] = TypeAdapter(Uuid)

# A `+` that was not written as %2B arrives as a space; no RFC 3339 time holds one.
_BARE_PLUS: Final = re.compile(r" (?=[0-9]{2}:[0-9]{2}$)")
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def refuse(name: str, detail: str) -> NoReturn:
    """Raise the RefusedError for a bad value of this parameter."""
    raise RefusedError(f"{name}: {detail}", code="bad_value", field=name)


class Parameters:
    """The parameters of one request by name, in the order given."""

    def __init__(self, pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        """Raises RefusedError: a parameter that is not known, or one given too often."""
        names = frozenset(known)
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in names:
                shown = name if is_harmless_name(name) else None
                raise RefusedError(
                    f"{shown or 'a parameter'}: there is no such parameter here",
                    code="unknown_parameter",
                    field=shown,
                )
            self._values.setdefault(name, []).append(value)
        for name, values in self._values.items():
            if len(values) > VALUES_MAX:
                refuse(name, f"given more than {VALUES_MAX} times")

    def one(self, name: str) -> str | None:
        """Raises RefusedError when it is given twice."""
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            refuse(name, "given more than once")
        return values[0]

    def time_us(self, name: str) -> int | None:
        """µs since 1970 UTC."""
        text = self.one(name)
        if text is None:
            return None
        try:
            return parse_us(_BARE_PLUS.sub("+", text))
        except ValueError as error:
            refuse(name, str(error))

    def period_us(self) -> tuple[int | None, int | None]:
        """`from` and `to`, each as above."""
        from_us, to_us = self.time_us("from"), self.time_us("to")
        if from_us is not None and to_us is not None and to_us < from_us:
            refuse("to", "lies before `from`")
        return from_us, to_us

    def whole_number(self, name: str, least: int, most: int) -> int | None:
        text = self.one(name)
        return None if text is None else _whole_number(name, text, least, most)

    def whole_numbers(self, name: str, least: int, most: int) -> tuple[int, ...]:
        return tuple(_whole_number(name, text, least, most) for text in self.all(name))

    def limit(self) -> int:
        limit = self.whole_number("limit", 1, LIMIT_MAX)
        return LIMIT_DEFAULT if limit is None else limit

    def all(self, name: str) -> Sequence[str]:
        """Every value of a repeatable parameter; none when it is not given."""
        return self._values.get(name, ())

    def texts(self, name: str, adapter: TypeAdapter[str] = TEXT) -> tuple[str, ...]:
        """Values of a repeatable parameter that holds text of the shape `adapter` checks."""
        return tuple(_text(name, text, adapter) for text in self.all(name))

    def choices(self, name: str, vocabulary: Iterable[str]) -> tuple[str, ...]:
        """Values of a repeatable parameter that come from a closed vocabulary."""
        allowed = sorted(vocabulary)
        values = tuple(self.all(name))
        if not set(values) <= set(allowed):
            refuse(name, f"one of: {', '.join(allowed)}")
        return values

    def choice(self, name: str, vocabulary: Iterable[str]) -> str | None:
        self.one(name)
        return next(iter(self.choices(name, vocabulary)), None)

    def boolean(self, name: str) -> bool | None:
        text = self.choice(name, ("true", "false"))
        return None if text is None else text == "true"


def _whole_number(name: str, text: str, least: int, most: int) -> int:
    if _WHOLE_NUMBER.fullmatch(text) is None or not least <= int(text) <= most:
        refuse(name, f"a whole number from {least} to {most}")
    return int(text)


def _text(name: str, text: str, adapter: TypeAdapter[str]) -> str:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        pattern = first.get("ctx", {}).get("pattern")
        refuse(name, PATTERN_DETAILS.get(pattern, first["msg"].removeprefix("Value error, ")))
