"""The timeline as a person likes to read it in a terminal, 80 columns and up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

_STATUS_STYLES: Final = {
    "successful": "green",
    "ended": "green",
    "failed": "bold red",
    "aborted": "yellow",
    "running": "cyan",
    "lost": "bold magenta",
}
_SHORT_ID: Final = 8
_INDENT: Final = 10


def print_timeline(
    console: Console, entries: Sequence[Mapping[str, Any]], *, with_links: bool
) -> None:
    """One paragraph an entry: when, what, who, and below it why it is linked to what."""
    if not entries:
        console.print("no entries")
        return
    day = ""
    for entry in entries:
        if entry["occurred_at"][:10] != day:
            day = entry["occurred_at"][:10]
            console.print(Text(f"{day} (UTC)", style="bold underline"))
        console.print(entry_text(entry, with_links=with_links))


def entry_text(entry: Mapping[str, Any], *, with_links: bool) -> RenderableType:
    """One entry."""
    line = Text()
    line.append(entry["occurred_at"][11:19], style="bold")
    line.append(f"  {_what(entry)}  ")
    line.append(entry["status"], style=_STATUS_STYLES.get(entry["status"], ""))
    if entry["duration_ms"] is not None:
        line.append(f" {_duration(entry['duration_ms'])}")
    below = [f"by {entry['actor']}"]
    if entry["hostname"]:
        below.append(f"on {entry['hostname']}")
    if entry["cli_instance_id"]:
        version = f" {entry['cli_version']}" if entry["cli_version"] else ""
        below.append(f"with {entry['cli_instance_id']}{version}")
    below.append(f"in {entry['workspace']}")
    if entry["ticket"]:
        below.append(f"for {entry['ticket']}")
    lines: list[RenderableType] = [line, _indented(Text(", ".join(below), style="dim"))]
    if entry["flags"]:
        lines.append(_indented(Text("flags: " + ", ".join(entry["flags"]), style="yellow")))
    if entry["unexplained"]:
        lines.append(_indented(Text("no run of the same origin explains this", style="yellow")))
    if with_links:
        lines += _link_lines(entry)
    return Group(*lines)


def _indented(text: Text, by: int = _INDENT) -> Padding:
    """Below the first line, also where a narrow terminal breaks it."""
    return Padding(text, (0, 0, 0, by), expand=False)


def _link_lines(entry: Mapping[str, Any]) -> list[RenderableType]:
    lines: list[RenderableType] = []
    configured_by = entry["configured_by"]
    if configured_by is not None:
        behind = ", behind the workspace's latest" if configured_by["behind"] else ""
        target = (
            f"commit {configured_by['commit']} ({configured_by['branch'] or 'no branch'},"
            f" sync {configured_by['sync_id'][:_SHORT_ID]}){behind}"
        )
        lines += _link_text("configured by", target, configured_by)
    for link in entry["links"]:
        target = f"{link['target']['kind'].replace('_', ' ')} {link['target']['id'][:_SHORT_ID]}"
        lines += _link_text(link["rule"].replace("_", " "), target, link)
    if entry["links_omitted"]:
        lines.append(_indented(Text("… and more links than are kept", style="dim")))
    return lines


def _link_text(rule: str, target: str, link: Mapping[str, Any]) -> list[RenderableType]:
    line = Text("→ ")
    line.append(rule, style="bold")
    line.append(f" {target}")
    line.append(f" [{link['confidence']}]", style="dim")
    why = Text(link["explanation"], style="italic")
    return [_indented(line), _indented(why, _INDENT + 2)]


def _what(entry: Mapping[str, Any]) -> str:
    match entry["kind"]:
        case "action_run":
            version = f" {entry['block_version']}" if entry["block_version"] else ""
            return f"run {entry['block']} {entry['action']}{version}"
        case "ssh_session":
            return f"ssh {entry['host']['inventory_name']}"
        case "workspace_sync":
            git = entry["git"] or {}
            return f"sync {git.get('before_sha') or '?'} → {git.get('after_sha') or '?'}"
        case other:
            return f"{other} {entry['id'][:_SHORT_ID]}"


def _duration(duration_ms: int) -> str:
    seconds = duration_ms // 1000
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} h"
    if seconds >= 60:
        return f"{seconds // 60}:{seconds % 60:02} min"
    return f"{duration_ms / 1000:g} s"
