"""API keys as a table in a terminal, 80 columns and up. The keys themselves are not in it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows
from opstrail.completeness_text import moment_text
from opstrail.screen import shown

_COLUMNS: Final = (
    Column("key", is_fixed=True),
    Column("principal"),
    Column("roles"),
    Column("state", is_fixed=True),
)


def print_keys(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row a key, by id."""
    if not items:
        console.print("no keys")
        return
    print_rows(console, _COLUMNS, [Row(_cells(item), [_below(item)]) for item in items], indent=0)


def workspaces_text(patterns: Sequence[str] | None) -> str:
    """Where a key may work."""
    return "every workspace" if patterns is None else f"workspaces {', '.join(patterns)}"


def _cells(item: Mapping[str, Any]) -> list[Text]:
    state, style = _state(item)
    return [
        shown(item["key_id"], "bold"),
        shown(item["principal"]),
        shown(", ".join(item["roles"]) or "none known here"),
        shown(state, style),
    ]


def _state(item: Mapping[str, Any]) -> tuple[str, str]:
    if item["active"]:
        return "active", "green"
    return ("revoked", "red") if item["revoked_at"] else ("expired", "yellow")


def _below(item: Mapping[str, Any]) -> Text:
    about = [item["name"], workspaces_text(item["workspaces"])]
    about += [f"made {item['created_at'][:10]}", f"last used {item['last_used_on'] or 'never'}"]
    if item["expires_at"]:
        about.append(f"expires {moment_text(item['expires_at'])[:16]}")
    if item["revoked_at"]:
        about.append(f"revoked {moment_text(item['revoked_at'])[:16]}")
    return shown("; ".join(about), "dim")
