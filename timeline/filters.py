"""The filters of the timeline: from query parameters to checked values. Pure.

Values of one name are alternatives, names are all required. Source: the contract, section 5.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.kinds import Flag, Kind, Status
from schemas.limits import EXIT_CODE_MAX, EXIT_CODE_MIN
from timeline.cursor import Cursor, Order, read_cursor, refused_cursor
from timeline.parameters import INSTANCE_ID, LIMIT_DEFAULT, NAME, TEXT, Parameters, refuse

# The text filters and the columns they look into; several: any of them.
TEXT_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "actor": ("actor",),
    "user": ("user",),
    "os_user": ("os_user",),
    "cli_instance_id": ("cli_instance_id",),
    "hostname": ("hostname",),
    "host": ("host_inventory_name", "host_ansible_host", "host_hostname_reported"),
    "block": ("block",),
    "block_name": ("block_name",),
    "block_version": ("block_version",),
    "action": ("action",),
    "ticket": ("ticket",),
}
FILTERS: Final = (
    *("from", "to", "active_at", "active_from", "active_to", "kind", "workspace", "environment"),
    *TEXT_COLUMNS,
    *("status", "exit_code", "commit", "unexplained", "flag", "order", "limit", "cursor"),
)

_COMMIT: Final = re.compile(r"[0-9a-f]{4,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """In µs. `start` = `end`: that instant; else half-open."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Empty and None mean: not asked for. Times in µs."""

    from_us: int | None = None
    to_us: int | None = None
    active: tuple[Period, ...] = ()
    kinds: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name of the filter
    statuses: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()
    commits: tuple[str, ...] = ()  # prefixes
    unexplained: bool | None = None
    flags: tuple[str, ...] = ()
    order: Order = Order.DESC
    limit: int = LIMIT_DEFAULT
    cursor: Cursor | None = None


def parse_filters(pairs: Iterable[tuple[str, str]]) -> Filters:
    """The filters of a request's query parameters. Raises RefusedError naming one at fault."""
    given = Parameters(pairs, FILTERS)
    from_us, to_us = given.period_us()
    cursor, order = _place(given)
    texts = {
        name: given.texts(name, INSTANCE_ID if name == "cli_instance_id" else TEXT)
        for name in TEXT_COLUMNS
    }
    return Filters(
        from_us=from_us,
        to_us=to_us,
        active=_active(given),
        kinds=given.choices("kind", Kind),
        workspaces=given.texts("workspace", NAME),
        environments=given.texts("environment"),
        texts={name: values for name, values in texts.items() if values},
        statuses=given.choices("status", Status),
        exit_codes=given.whole_numbers("exit_code", EXIT_CODE_MIN, EXIT_CODE_MAX),
        commits=tuple(map(_commit, given.all("commit"))),
        unexplained=given.boolean("unexplained"),
        flags=given.choices("flag", Flag),
        order=order,
        limit=given.limit(),
        cursor=cursor,
    )


def _active(given: Parameters) -> tuple[Period, ...]:
    periods = []
    if (at := given.time_us("active_at")) is not None:
        periods.append(Period(at, at))
    start, end = given.time_us("active_from"), given.time_us("active_to")
    if start is None and end is not None:
        refuse("active_from", "needed together with `active_to`")
    if end is None and start is not None:
        refuse("active_to", "needed together with `active_from`")
    if start is not None and end is not None:
        if end < start:
            refuse("active_to", "lies before `active_from`")
        periods.append(Period(start, end))
    return tuple(periods)


def _place(given: Parameters) -> tuple[Cursor | None, Order]:
    """A cursor brings its order along; another one beside it would skip and repeat."""
    stated = given.choice("order", Order)
    text = given.one("cursor")
    if text is None:
        return None, Order(stated or Order.DESC)
    cursor, order = read_cursor(text)
    if stated is not None and stated != order:
        raise refused_cursor()
    return cursor, order


def _commit(text: str) -> str:
    if _COMMIT.fullmatch(text.lower()) is None:
        refuse("commit", "4 to 64 hexadecimal digits")
    return text.lower()
