"""Entries as rows under headings: when, what, status, who, and below it why and which record."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows
from opstrail.kind_name import short_kind
from opstrail.screen import shown
from opstrail.timeline_text import STATUS_STYLES, duration_text, what_text

_CONFIDENCE_STYLES: Final = {"exact": "green", "likely": "yellow"}


def print_entries(
    console: Console, entries: Sequence[Mapping[str, Any]], *, day: str, workspace: str | None
) -> None:
    """One row an entry. The day is shown only where one is not on `day` (2026-03-24).

    An entry's workspace is shown where it is not `workspace`. With a `link`, an entry also says
    why it is there. Under each stands what `opstrail case` takes to go on from it.
    """
    if not entries:
        return
    is_one_day = all(entry["occurred_at"].startswith(day) for entry in entries)
    have_gaps = any(_link(entry).get("gap_ms") is not None for entry in entries)
    are_linked = any(_link(entry) for entry in entries)
    columns = [
        Column("time", is_fixed=True),
        Column("what"),
        Column("status", is_fixed=True),
        Column("who"),
    ]
    columns += [Column("gap", is_fixed=True, is_right=True)] if have_gaps else []
    columns += [Column("link", is_fixed=True)] if are_linked else []
    rows = []
    for entry in entries:
        link = _link(entry)
        cells = [
            shown(_time(entry["occurred_at"], is_one_day=is_one_day), "bold"),
            shown(what_text(entry)),
            status_text(entry["status"]),
            shown(entry["actor"]),
        ]
        if have_gaps:
            gap_ms = link.get("gap_ms")
            cells.append(shown(None if gap_ms is None else duration_text(gap_ms)))
        if are_linked:
            confidence = link.get("confidence")
            cells.append(shown(confidence, _CONFIDENCE_STYLES.get(confidence or "", "")))
        rows.append(Row(cells, _below(entry, link, workspace)))
    print_rows(console, columns, rows)


def status_text(status: str) -> Text:
    return shown(status, STATUS_STYLES.get(status, ""))


def _time(occurred_at: str, *, is_one_day: bool) -> str:
    return occurred_at[11:19] if is_one_day else f"{occurred_at[5:10]} {occurred_at[11:19]}"


def _link(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return entry.get("link") or {}


def _below(entry: Mapping[str, Any], link: Mapping[str, Any], workspace: str | None) -> list[Text]:
    lines = [shown(link["explanation"], "italic")] if link else []
    lines += [shown(f"reason: {entry['reason']}")] if entry["reason"] else []
    about = [f"{short_kind(entry['kind'])} {entry['id']}"]
    if entry["duration_ms"] is not None:
        about.append(f"took {duration_text(entry['duration_ms'])}")
    if entry["ticket"]:
        about.append(f"for {entry['ticket']}")
    if entry["workspace"] != workspace:
        about.append(f"in {place_text(entry)}")
    line = shown(", ".join(about), "dim")
    if entry["flags"]:
        line.append(", ").append_text(shown(", ".join(entry["flags"]), "yellow"))
    return [*lines, line]


def place_text(entry: Mapping[str, Any]) -> str:
    """`acme-prod (production)`."""
    environment = f" ({entry['environment']})" if entry["environment"] else ""
    return f"{entry['workspace']}{environment}"
