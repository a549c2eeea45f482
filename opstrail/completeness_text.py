"""What may be missing from an answer: gaps, lists that were cut, and the last sentence."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows, print_text
from opstrail.screen import shown

_LISTS: Final = {
    "before": "before",
    "during": "during",
    "after": "after",
    "actor_work": "the actor's work",
    "tools": "tools",
    "actors": "people and services",
    "gaps": "gaps",
}


def print_gaps(console: Console, gaps: Sequence[Mapping[str, Any]]) -> None:
    """Events that CLI instances counted and that never arrived."""
    columns = (
        Column("CLI instance"),
        Column("missing", is_fixed=True, is_right=True),
        Column("counts"),
        Column("between", is_fixed=True),
        Column("and", is_fixed=True),
    )
    rows = [
        Row(
            (
                shown(gap["cli_instance_id"]),
                shown(gap["missing"], "bold yellow"),
                shown(_range(gap["first_missing"], gap["last_missing"])),
                shown(moment_text(gap["from"])),
                shown(moment_text(gap["to"])),
            )
        )
        for gap in gaps
    ]
    print_rows(console, columns, rows)


def print_omitted(console: Console, omitted: Mapping[str, bool], more: str) -> None:
    """Which lists were cut; `more` says where the rest is."""
    cut = [_LISTS.get(name, name) for name, is_cut in omitted.items() if is_cut]
    if cut:
        print_text(console, shown(f"Not all is shown of: {', '.join(cut)}. {more}", "yellow"))


def print_completeness(
    console: Console, *, is_complete: bool, reasons: Sequence[str], watermark: Mapping[str, Any]
) -> None:
    """The last sentence: is this the whole picture, and if not, why."""
    until = watermark["complete_until"]
    if is_complete:
        text = Text().append("This picture is complete", style="green")
        text.append(f": all that was accepted before {moment_text(until)} UTC is in it.")
        print_text(console, text)
        return
    text = Text().append("This picture may not be complete: ", style="bold yellow")
    text.append(shown("; ".join(reasons) or "more may still arrive"))
    text.append(".")
    print_text(console, text)


def gap_reasons(gaps: Sequence[Mapping[str, Any]]) -> list[str]:
    if not gaps:
        return []
    missing = sum(gap["missing"] for gap in gaps)
    events = (
        "one event that a CLI counted" if missing == 1 else f"{missing} events that CLIs counted"
    )
    return [f"{events} never arrived (see Gaps)"]


def moment_text(time: str | None) -> str:
    """`2026-03-24 10:12:03`, UTC."""
    return "" if time is None else f"{time[:10]} {time[11:19]}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
