"""Dead letters in a terminal, 80 columns and up: the list as a table, and one as facts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_facts, print_rows, print_text, print_title
from opstrail.completeness_text import moment_text
from opstrail.kind_name import short_kind
from opstrail.screen import shown

_COLUMNS: Final = (
    Column("place", is_fixed=True),
    Column("received (UTC)", is_fixed=True),
    Column("reason"),
    Column("workspace"),
    Column("by"),
)
# Said above the event already.
_SAID: Final = frozenset({"type", "id", "workspace"})


def print_dead_letters(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row a dead letter, and below it of which record it is."""
    if not items:
        console.print("no dead letters")
        return
    print_rows(
        console, _COLUMNS, [Row(_cells(item), list(_below(item))) for item in items], indent=0
    )


def print_dead_letter(console: Console, item: Mapping[str, Any]) -> None:
    """All of one: why, what can be done, and what was sent."""
    print_text(console, shown(f"dead letter {item['id']}", "bold"))
    print_facts(console, list(_facts(item)))
    print_title(console, "what can be done")
    print_text(console, shown(item["remedy"]), indent=2)
    print_title(console, "the event")
    print_facts(
        console,
        [(name, _value(value)) for name, value in item["event"].items() if name not in _SAID],
    )


def _cells(item: Mapping[str, Any]) -> list[Text]:
    return [
        shown(item["id"], "bold"),
        shown(moment_text(item["received_at"])[:16]),
        shown(item["reason"]),
        shown(item["workspace"]),
        shown(item["actor"]),
    ]


def _below(item: Mapping[str, Any]) -> Iterator[Text]:
    yield shown(f"{short_kind(item['kind'])} {item['record_id']}", "dim")
    if item.get("resent_at") is not None:
        yield shown(f"resent {_resent(item)}", "dim")


def _resent(item: Mapping[str, Any]) -> str:
    at = f"{moment_text(item['resent_at'])[:16]} UTC"
    return at if item["resent_position"] else f"{at}; whether the log took it is not known"


def _facts(item: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    source = item["source"]
    yield "reason", shown(item["reason"], "bold")
    yield "", shown(item["detail"])
    yield "record", shown(f"{short_kind(item['kind'])} {item['record_id']}")
    yield "workspace", shown(item["workspace"])
    yield "sent by", shown(f"{item['actor']} ({item['actor_kind']}), {item['key_id']}")
    yield "received", shown(f"{moment_text(item['received_at'])} UTC")
    where = f"partition {source['partition']}, offset {source['offset']}, event {source['index']}"
    yield "on the log", shown(f"{source['topic']}, {where}")
    if item.get("resent_at") is not None:
        yield "resent", shown(_resent(item))


def _value(value: Any) -> Text:
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
