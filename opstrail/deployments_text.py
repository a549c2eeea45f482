"""Deployments as a table in a terminal, 80 columns and up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows
from opstrail.screen import shown
from opstrail.timeline_text import duration_text

_COLUMNS: Final = (
    Column("deployed (UTC)", is_fixed=True),
    Column("env"),
    Column("workspace"),
    Column("block"),
    Column("version"),
    Column("took", is_fixed=True, is_right=True),
    Column("by"),
)


def print_deployments(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row a deployment, and below it what the columns leave out."""
    if not items:
        console.print("no deployments")
        return
    print_rows(console, _COLUMNS, [Row(_cells(item), [_below(item)]) for item in items], indent=0)


def _cells(item: Mapping[str, Any]) -> list[Text]:
    took = "" if item["duration_ms"] is None else duration_text(item["duration_ms"])
    return [
        shown(f"{item['deployed_at'][:10]} {item['deployed_at'][11:16]}", "bold"),
        shown(item["environment"] or "none", "" if item["environment"] else "dim"),
        shown(item["workspace"]),
        shown(item["block"]),
        shown(item["block_version"], "bold"),
        shown(took),
        shown(item["actor"]),
    ]


def _below(item: Mapping[str, Any]) -> Text:
    about = [item["action"], f"run {item['run_id']}"]
    if item["commit"]:
        about.append(f"commit {item['commit']}")
    if item["hostname"]:
        about.append(f"from {item['hostname']}")
    return shown(", ".join(about), "dim")
