"""When a key ends, as people say it on the command line: `90d`, `12h`, or a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from schemas.times import parse_us, to_datetime

_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([hd])", re.ASCII)


class Expiry(click.ParamType):
    """Becomes an aware datetime, a duration being counted from now."""

    name = "expiry"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        if found := _DURATION.fullmatch(str(value)):
            return datetime.now(UTC) + int(found[1]) * _UNITS[found[2]]
        try:
            return to_datetime(parse_us(str(value)))
        except ValueError:
            self.fail("a duration such as 90d or 12h, or an RFC 3339 time with an offset")
