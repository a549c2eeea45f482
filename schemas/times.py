"""RFC 3339 times as whole microseconds since 1970-01-01T00:00:00Z, and back.

Source: the contract, section 2. Pure; no clock is read here.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.limits import US_PER_S

# Python's own parser takes more than RFC 3339 (week dates, basic format, no offset), so the shape
# is checked first and the parser only does the calendar.
_SHAPE: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:\.([0-9]+))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_END_US: Final = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def parse_us(text: str) -> int:
    """Microseconds since 1970 UTC of an RFC 3339 time with an offset; digits past µs are cut.

    Raises ValueError: not of that shape, no such day, second 60, or outside 1970..2199 (in UTC).
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError("not an RFC 3339 time with an offset")
    day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    days = datetime.fromisoformat(day).toordinal() - _EPOCH_ORDINAL
    seconds = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    if sign is not None:
        offset_s = int(offset_hours) * 3_600 + int(offset_minutes) * 60
        seconds += offset_s if sign == "-" else -offset_s
    time_us = seconds * US_PER_S
    if fraction is not None:
        time_us += int(fraction[:6].ljust(6, "0"))
    if not 0 <= time_us < _END_US:
        raise ValueError("outside the years 1970 to 2199")
    return time_us


def format_us(time_us: int) -> str:
    """`2026-03-24T10:12:03.000000Z`: always UTC, always six digits, so that text sorts as time."""
    # Naive, because isoformat would write +00:00; and half the time that strftime takes.
    moment = _NAIVE_EPOCH + timedelta(microseconds=time_us)
    return moment.isoformat("T", "microseconds") + "Z"


def to_datetime(time_us: int) -> datetime:
    """Aware UTC."""
    return _EPOCH + timedelta(microseconds=time_us)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime. Raises TypeError for a naive one."""
    return (moment - _EPOCH) // _MICROSECOND
