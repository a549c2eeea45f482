"""The access log as a table in a terminal, 80 columns and up."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows
from opstrail.completeness_text import moment_text
from opstrail.screen import shown

_COLUMNS: Final = (
    Column("at (UTC)", is_fixed=True),
    Column("who"),
    Column("operation"),
    Column("status", is_fixed=True, is_right=True),
    Column("rows", is_fixed=True, is_right=True),
)
_REFUSED_STATUS_MIN: Final = 400
# The whole is in --json.
_QUERY_CHARACTERS_MAX: Final = 240
_CUT: Final = " …"


def print_access_log(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """One row an access, and below it what was asked for."""
    if not items:
        console.print("no accesses")
        return
    print_rows(console, _COLUMNS, [Row(_cells(item), [_below(item)]) for item in items], indent=0)


def _cells(item: Mapping[str, Any]) -> list[Text]:
    status = item["status"]
    is_refused = status is None or status >= _REFUSED_STATUS_MIN
    return [
        shown(moment_text(item["at"]), "bold"),
        shown(item["actor"] or "nobody", "" if item["actor"] else "dim"),
        shown(item["operation"] or item["action"]),
        shown("?" if status is None else status, "bold" if is_refused else ""),
        shown(item["rows"]),
    ]


def _below(item: Mapping[str, Any]) -> Text:
    about = [] if item["operation"] is None else [item["action"]]
    if item["count"] != 1:
        about.append(f"{item['count']:,} times")
    about += _target(item["target"])
    if item["key_id"]:
        about.append(item["key_id"])
    if item["client"]:
        about.append(f"from {item['client']}")
    return shown("; ".join(about), "dim")


def _target(target: Mapping[str, Any]) -> list[str]:
    """Values as words, a query of SQL on one line."""
    about: list[str] = []
    path = target.get("path")
    if isinstance(path, dict) and path:
        about.append("/".join(map(_word, path.values())))
    query = target.get("query")
    if isinstance(query, dict):
        about += [f"{name}={','.join(_words(values))}" for name, values in query.items()]
    if "sql" in target:
        text = " ".join(_word(target["sql"]).split())
        is_long = len(text) > _QUERY_CHARACTERS_MAX
        about.append(text[:_QUERY_CHARACTERS_MAX] + _CUT if is_long else text)
    about += [_word(target[name]) for name in ("reason", "changed") if target.get(name)]
    return about


def _words(values: Any) -> list[str]:
    return [_word(value) for value in (values if isinstance(values, list) else [values])]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
