"""The timeline as a person likes to read it in a terminal, 80 columns and up."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import Column, Row, print_rows, print_text
from opstrail.kind_name import short_kind

STATUS_STYLES: Final = {
    "successful": "green",
    "ended": "green",
    "failed": "bold red",
    "aborted": "yellow",
    "running": "cyan",
    "lost": "bold magenta",
}
_SHORT_ID: Final = 8
_SHORT_SHA: Final = 12
_COLUMNS: Final = (Column("", is_fixed=True), Column(""))
# Under the second of them.
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
        time = Text(entry["occurred_at"][11:19], style="bold")
        print_rows(console, _COLUMNS, [Row((time, _headline(entry)))], indent=0)
        for indent, text in _below(entry, with_links=with_links):
            print_text(console, text, indent=indent)


def _headline(entry: Mapping[str, Any]) -> Text:
    line = Text(f"{what_text(entry)}  ")
    line.append(entry["status"], style=STATUS_STYLES.get(entry["status"], ""))
    if entry["duration_ms"] is not None:
        line.append(f" {duration_text(entry['duration_ms'])}")
    return line


def _below(entry: Mapping[str, Any], *, with_links: bool) -> Iterator[tuple[int, Text]]:
    """Each line with its indent."""
    below = [f"by {entry['actor']}"]
    if entry["hostname"]:
        below.append(f"on {entry['hostname']}")
    if entry["cli_instance_id"]:
        version = f" {entry['cli_version']}" if entry["cli_version"] else ""
        below.append(f"with {entry['cli_instance_id']}{version}")
    below.append(f"in {entry['workspace']}")
    if entry["ticket"]:
        below.append(f"for {entry['ticket']}")
    yield _INDENT, Text(", ".join(below), style="dim")
    # What `opstrail case` takes.
    yield _INDENT, Text(f"{short_kind(entry['kind'])} {entry['id']}", style="dim")
    if entry["flags"]:
        yield _INDENT, Text("flags: " + ", ".join(entry["flags"]), style="yellow")
    if entry["unexplained"]:
        yield _INDENT, Text("no run of the same origin explains this", style="yellow")
    if with_links:
        yield from _link_lines(entry)


def _link_lines(entry: Mapping[str, Any]) -> Iterator[tuple[int, Text]]:
    configured_by = entry["configured_by"]
    if configured_by is not None:
        behind = ", behind the workspace's latest" if configured_by["behind"] else ""
        target = (
            f"commit {commit_text(configured_by['commit'])}"
            f" ({configured_by['branch'] or 'no branch'},"
            f" sync {configured_by['sync_id'][:_SHORT_ID]}){behind}"
        )
        yield from _link_text("configured by", target, configured_by)
    for link in entry["links"]:
        target = f"{link['target']['kind'].replace('_', ' ')} {link['target']['id'][:_SHORT_ID]}"
        yield from _link_text(link["rule"].replace("_", " "), target, link)
    if entry["links_omitted"]:
        yield _INDENT, Text("… and more links than are kept", style="dim")


def _link_text(rule: str, target: str, link: Mapping[str, Any]) -> Iterator[tuple[int, Text]]:
    line = Text("→ ")
    line.append(rule, style="bold")
    line.append(f" {target}")
    line.append(f" [{link['confidence']}]", style="dim")
    yield _INDENT, line
    yield _INDENT + 2, Text(link["explanation"], style="italic")


def what_text(entry: Mapping[str, Any]) -> str:
    """What was done to what, in a few words."""
    match entry["kind"]:
        case "action_run":
            version = f" {entry['block_version']}" if entry["block_version"] else ""
            return f"run {entry['block']} {entry['action']}{version}"
        case "ssh_session":
            return f"ssh {entry['host']['inventory_name']}"
        case "workspace_sync":
            git = entry["git"] or {}
            before, after = commit_text(git.get("before_sha")), commit_text(git.get("after_sha"))
            return f"sync {before or '?'} → {after or '?'}"
        case other:
            return f"{other} {entry['id'][:_SHORT_ID]}"


def commit_text(sha: str | None) -> str:
    """Short enough for a column, and long enough to find the commit by."""
    return (sha or "")[:_SHORT_SHA]


def duration_text(duration_ms: int) -> str:
    """`1.5 s`, `4:21 min` or `2:10:00 h`."""
    seconds = duration_ms // 1000
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} h"
    if seconds >= 60:
        return f"{seconds // 60}:{seconds % 60:02} min"
    return f"{duration_ms / 1000:g} s"
