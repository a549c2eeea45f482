"""What nobody could read, for a person or a program: where it is and what is known, not what it is.

80 columns and up.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_facts, print_rows, print_text, print_title
from opstrail.completeness_text import moment_text
from opstrail.screen import shown
from processors.unreadable import Unreadable
from schemas import topics
from schemas.kinds import DeadLetterReason
from schemas.times import format_us

_COLUMNS: Final = (
    Column("place", is_fixed=True),
    Column("when (UTC)", is_fixed=True),
    Column("bytes", is_right=True),
    Column("what was wrong"),
)
_REMEDY: Final = (
    "If a newer version wrote it, upgrade; then its sender sends the events again, which is always"
    " safe. If nobody of yours wrote it, look at who may write to the log."
)
_REMEDY_READABLE: Final = (
    "This version can read it, so a newer one wrote it than the correlation was then. Resend it:"
    " repeats change nothing."
)


def unreadable_json(message: Unreadable) -> dict[str, Any]:
    """As a program gets it."""
    return {
        "id": message.address.text,
        "topic": topics.EVENTS,
        "partition": message.address.partition,
        "offset": message.address.offset,
        "reason": DeadLetterReason.UNDECODABLE.value,
        "detail": message.detail,
        "bytes": message.size_bytes,
        "found_at": None if message.found_at is None else format_us(message.found_at),
        "received_after": None if message.after is None else format_us(message.after),
        "is_readable_now": message.is_readable_now,
    }


def print_unreadables(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row a message."""
    if not items:
        console.print("nothing that nobody could read")
        return
    print_rows(console, _COLUMNS, [Row(_cells(item)) for item in items], indent=0)


def print_unreadable(console: Console, item: Mapping[str, Any]) -> None:
    """All that is known of one, and what can be done."""
    print_text(console, shown(f"message {item['id']}, which nobody could read", "bold"))
    print_facts(console, list(_facts(item)))
    print_title(console, "what can be done")
    print_text(console, shown(_REMEDY_READABLE if item["is_readable_now"] else _REMEDY), indent=2)


def _cells(item: Mapping[str, Any]) -> list[Text]:
    return [
        shown(item["id"], "bold"),
        shown(_when(item)),
        shown(f"{item['bytes']:,}"),
        shown(item["detail"]),
    ]


def _when(item: Mapping[str, Any]) -> str:
    if item["found_at"] is not None:
        return moment_text(item["found_at"])[:16]
    after = item["received_after"]
    return "not known" if after is None else f"after {moment_text(after)[:16]}"


def _facts(item: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    yield "reason", shown(item["reason"], "bold")
    yield "", shown(item["detail"])
    yield "bytes", shown(f"{item['bytes']:,}")
    yield "when", shown(f"{_when(item)} UTC" if _when(item) != "not known" else "not known")
    where = f"partition {item['partition']}, offset {item['offset']}"
    yield "on the log", shown(f"{item['topic']}, {where}")
