"""The register of CLI instances as a table in a terminal, 80 columns and up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows
from opstrail.completeness_text import moment_text
from opstrail.screen import shown

_COLUMNS: Final = (
    Column("CLI instance", is_fixed=True),
    Column("version"),
    Column("system"),
    Column("last seen (UTC)", is_fixed=True),
)


def print_instances(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row an instance, by id."""
    if not items:
        console.print("no CLI instances")
        return
    print_rows(console, _COLUMNS, [Row(_cells(item), [_below(item)]) for item in items], indent=0)


def _below(item: Mapping[str, Any]) -> Text:
    about = [f"on {item['hostname']}"] if item["hostname"] else []
    if item["actors"]:
        about.append(f"with {', '.join(item['actors'])}")
    about.append(f"first seen {moment_text(item['first_seen'])[:16]}")
    earlier = [version["version"] for version in item["versions"][:-1]]
    if earlier:
        about.append(f"earlier versions {', '.join(earlier)}")
    return shown("; ".join(about), "dim")


def _cells(item: Mapping[str, Any]) -> list[Text]:
    system = " ".join(part for part in (item["os"], item["arch"]) if part)
    return [
        shown(item["id"], "bold"),
        shown(item["cli_version"] or "not known", "" if item["cli_version"] else "dim"),
        shown(system),
        shown(moment_text(item["last_seen"])[:16]),
    ]
