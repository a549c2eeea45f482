"""A case as an investigator likes to read it in a terminal, 80 columns and up."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from opstrail.columns import print_facts, print_text, print_title
from opstrail.completeness_text import (
    gap_reasons,
    moment_text,
    print_completeness,
    print_gaps,
    print_omitted,
)
from opstrail.entry_rows import place_text, print_entries, status_text
from opstrail.screen import harmless, shown
from opstrail.timeline_text import duration_text, what_text
from schemas.kinds import Kind, Rule
from schemas.limits import LINK_WINDOW_US
from schemas.times import format_us, parse_us

Json = Mapping[str, Any]

_AROUND: Final = (("before", "Before"), ("during", "During"), ("after", "After"))
_RETRIGGERED: Final = {
    Rule.RETRIGGERED_FROM.value: "repeats",
    Rule.RETRIGGERED_AS.value: "repeated as",
}
_TOOL_SOURCES: Final = {
    "record": "as it states itself",
    "cli_instance": "by the register of CLI instances",
}


def print_case(console: Console, case: Json) -> None:
    """The record, its configuration, who was around it, and whether that is all."""
    entry = case["entry"]
    day = entry["occurred_at"][:10]
    headline = shown(what_text(entry), "bold")
    print_text(console, headline.append("  ").append(status_text(entry["status"])))
    print_facts(console, list(_facts(case)))
    _print_configuration(console, entry, case["configuration"])
    listed = set()
    for name, title in _AROUND:
        print_title(console, title, len(case[name]))
        print_entries(console, case[name], day=day, workspace=entry["workspace"])
        listed |= {_key(other) for other in case[name]}
    _print_actor_work(console, case, listed)
    if case["gaps"]:
        print_title(console, "Gaps", len(case["gaps"]))
        print_gaps(console, case["gaps"])
    console.print()
    print_omitted(console, case.get("omitted") or {}, "`opstrail timeline` shows the rest.")
    print_completeness(
        console,
        is_complete=case["complete"],
        reasons=list(_doubts(case)),
        watermark=case["watermark"],
    )


def _facts(case: Json) -> Iterator[tuple[str, Text]]:
    entry = case["entry"]
    yield "id", shown(entry["id"])
    yield "when", shown(_when(entry))
    yield "status", shown(_status(entry))
    yield from _own_facts(entry)
    yield "who", shown(_who(entry))
    yield "from", shown(_machine(case["machine"]))
    yield "tool", shown(_tool(entry, case["tool"]))
    yield "workspace", shown(place_text(entry))
    yield "ticket", shown(entry["ticket"])
    yield "reason", shown(entry["reason"])
    yield from _links(entry)
    yield "flags", shown(", ".join(entry["flags"]), "yellow")
    if entry["unexplained"]:
        yield "unexplained", shown("no run of the same origin stands around it", "yellow")


def _when(entry: Json) -> str:
    start, end = moment_text(entry["occurred_at"]), moment_text(entry["ended_at"])
    if entry["kind"] == Kind.WORKSPACE_SYNC:
        return f"{start} UTC"
    if not end:
        return f"{start} UTC, no end known"
    # The day once, when it is one.
    end = end[11:] if end[:10] == start[:10] else end
    return f"{start} to {end} UTC, {duration_text(entry['duration_ms'])}"


def _status(entry: Json) -> str:
    exit_code = entry.get("exit_code")
    if entry["status"] == "lost":
        return "lost: open for so long that its end will hardly come"
    return f"{entry['status']}" + ("" if exit_code is None else f", exit code {exit_code}")


def _own_facts(entry: Json) -> Iterator[tuple[str, Text]]:
    match entry["kind"]:
        case Kind.ACTION_RUN:
            yield "block", shown(entry["block_from"])
            yield "stated commit", shown(entry["commit_sha"])
        case Kind.SSH_SESSION:
            host = entry["host"]
            reported = host["hostname_reported"]
            names = [host["inventory_name"], host["ansible_host"]]
            names += [f"calls itself {reported}"] if reported else []
            yield "host", shown(", ".join(name for name in names if name))
        case Kind.WORKSPACE_SYNC:
            git, encryption = entry["git"] or {}, entry["encryption"] or {}
            yield "result", shown(entry["result"])
            yield "branch", shown(git.get("branch"))
            if encryption:
                yield "encryption", shown(_encryption(encryption))


def _encryption(encryption: Json) -> str:
    parts = ["on" if encryption["enabled"] else "off"]
    parts += [f"key {encryption['key_id']}"] if encryption["key_id"] else []
    parts += [f"status {encryption['status']}"] if encryption["status"] else []
    return ", ".join(parts)


def _who(entry: Json) -> str:
    parts = [f"{entry['actor']} ({entry['actor_kind']})"]
    if entry["user"] and entry["user"] != entry["actor"]:
        parts.append(f"states user {entry['user']}")
    if entry["os_user"] and entry["os_user"] != entry["actor"]:
        parts.append(f"as {entry['os_user']} on the machine")
    return ", ".join(parts)


def _machine(machine: Json) -> str:
    hostname: str = machine["hostname"] or "not stated"
    is_registered = machine["source"] == "cli_instance"
    return f"{hostname} (by the register of CLI instances)" if is_registered else hostname


def _tool(entry: Json, tool: Json) -> str:
    instance = entry["cli_instance_id"]
    if tool["version"] is None:
        return f"{instance}, version not known" if instance else ""
    source: str = _TOOL_SOURCES.get(tool["source"]) or tool["source"]
    if tool["source"] != "record":
        source += f", seen {moment_text(tool['observed_at'])} UTC"
    return f"{instance or 'the CLI'} {tool['version']} ({source})"


def _links(entry: Json) -> Iterator[tuple[str, Text]]:
    """Those that are not about time: these name their record, the others have lists."""
    for link in entry["links"]:
        if link["rule"] in _RETRIGGERED:
            yield _RETRIGGERED[link["rule"]], shown(f"run {link['target']['id']}")


def _print_configuration(console: Console, entry: Json, configuration: Json | None) -> None:
    if entry["kind"] == Kind.WORKSPACE_SYNC:
        return
    print_title(console, "Configuration")
    if configuration is None:
        text = Text("not known: no successful sync at or before the start", style="dim")
        print_text(console, text, indent=2)
        return
    commit = Text().append_text(shown(configuration["commit"], "bold"))
    if configuration["branch"]:
        commit.append(" on ").append(shown(configuration["branch"]))
    brought = f"{configuration['brought_by'] or 'somebody who is not known'}"
    if configuration["synced_at"]:
        brought += f", {moment_text(configuration['synced_at'])} UTC"
    behind = "no, it was the workspace's latest"
    if configuration["behind"]:
        behind = "yes, the workspace's latest sync then had another commit"
    print_facts(
        console,
        [
            ("commit", commit),
            ("brought by", shown(brought)),
            ("behind", shown(behind, "yellow" if configuration["behind"] else "")),
            ("why", shown(f"{configuration['explanation']} ({configuration['confidence']})")),
            ("record", shown(f"sync {configuration['sync_id']}", "dim")),
        ],
    )


def _print_actor_work(console: Console, case: Json, listed: set[tuple[str, ...]]) -> None:
    """Without those that stand in the lists above: they are said once."""
    entry = case["entry"]
    others = [other for other in case["actor_work"] if _key(other) not in listed]
    above = len(case["actor_work"]) - len(others)
    besides = ", besides the above" if above else ""
    title = f"Other work of {harmless(entry['actor'])} around that time{besides}"
    print_title(console, title, len(others))
    print_entries(console, others, day=entry["occurred_at"][:10], workspace=entry["workspace"])


def _doubts(case: Json) -> Iterator[str]:
    """Why the picture may not be complete. Source: the contract, section 5."""
    entry = case["entry"]
    end = entry["ended_at"] or entry["occurred_at"]
    is_open = entry["ended_at"] is None and entry["kind"] != Kind.WORKSPACE_SYNC
    if is_open:
        yield "its end is not known"
    until = case["watermark"]["complete_until"]
    needed_us = parse_us(end) + LINK_WINDOW_US
    if until is None:
        yield "the timeline has not begun to count what it holds"
    elif not is_open and parse_us(until) < needed_us:
        needed = moment_text(format_us(needed_us))
        yield f"it is known up to {moment_text(until)} UTC, and {needed} UTC is needed"
    yield from gap_reasons(case["gaps"])


def _key(entry: Json) -> tuple[str, ...]:
    return entry["kind"], entry["id"], entry["workspace"]
