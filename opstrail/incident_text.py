"""What happened before a moment, as a person likes to read it in a terminal, 80 columns and up."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from opstrail.columns import Column, Row, print_rows, print_text, print_title
from opstrail.completeness_text import (
    gap_reasons,
    moment_text,
    print_completeness,
    print_gaps,
    print_omitted,
)
from opstrail.entry_rows import place_text, print_entries
from opstrail.screen import shown
from opstrail.timeline_text import commit_text
from schemas.times import parse_us

Json = Mapping[str, Any]


def print_incident(console: Console, incident: Json) -> None:
    """What still ran, what had happened, in which state all was, and whether that is all."""
    at = incident["at"]
    console.print(shown(f"Before {moment_text(at)} UTC", "bold"))
    looking = f"looking back to {moment_text(incident['from'])} UTC"
    entries = [*incident["during"], *incident["before"]]
    places = {entry["workspace"]: place_text(entry) for entry in entries}
    # The one workspace there is need not stand in every row.
    workspace = next(iter(places)) if len(places) == 1 else None
    if workspace is not None:
        looking += f", all in {places[workspace]}"
    print_text(console, shown(looking, "dim"), indent=2)
    for name, title in (("during", "Still running then"), ("before", "Before it, newest first")):
        print_title(console, title, len(incident[name]))
        print_entries(console, incident[name], day=at[:10], workspace=workspace)
    if incident["configuration"]:
        print_title(console, "Configuration at that moment")
        _print_configuration(console, incident["configuration"])
    if incident["actors"]:
        print_title(console, "Who was at work")
        _print_actors(console, incident["actors"])
    if incident["tools"]:
        print_title(console, "With which tools")
        _print_tools(console, incident["tools"])
    if incident["gaps"]:
        print_title(console, "Gaps", len(incident["gaps"]))
        print_gaps(console, incident["gaps"])
    console.print()
    more = "A shorter --before or a --workspace shows all of it."
    print_omitted(console, incident.get("omitted") or {}, more)
    print_completeness(
        console,
        is_complete=incident["complete"],
        reasons=_doubts(incident),
        watermark=incident["watermark"],
    )


def _print_configuration(console: Console, configuration: list[Json]) -> None:
    columns = (
        Column("workspace"),
        Column("commit"),
        Column("branch"),
        Column("synced", is_fixed=True),
        Column("brought by"),
    )
    rows = [
        Row(
            (
                shown(place_text(sync)),
                shown(commit_text(sync["commit"]), "bold"),
                shown(sync["branch"]),
                shown(moment_text(sync["synced_at"])),
                shown(sync["brought_by"]),
            ),
            (shown(f"sync {sync['sync_id']}", "dim"),),
        )
        for sync in configuration
    ]
    print_rows(console, columns, rows)


def _print_actors(console: Console, actors: list[Json]) -> None:
    counts = ("runs", "sessions", "syncs")
    columns = [Column("who"), Column("", is_fixed=True)]
    columns += [Column(name, is_fixed=True, is_right=True) for name in counts]
    rows = [
        Row(
            [
                shown(actor["actor"]),
                shown(actor["actor_kind"], "dim"),
                *(shown(actor[name]) for name in counts),
            ]
        )
        for actor in actors
    ]
    print_rows(console, columns, rows)


def _print_tools(console: Console, tools: list[Json]) -> None:
    columns = (
        Column("CLI instance"),
        Column("version"),
        Column("machine"),
        Column("version seen", is_fixed=True),
    )
    rows = [
        Row(
            (
                shown(tool["cli_instance_id"]),
                shown(tool["version"] or "not known", "" if tool["version"] else "dim"),
                shown(tool.get("hostname")),
                shown(moment_text(tool["observed_at"])),
            )
        )
        for tool in tools
    ]
    print_rows(console, columns, rows)


def _doubts(incident: Json) -> list[str]:
    doubts = []
    until = incident["watermark"]["complete_until"]
    if until is None:
        doubts.append("the timeline has not begun to count what it holds")
    elif parse_us(until) < parse_us(incident["at"]):
        doubts.append(f"it is known up to {moment_text(until)} UTC only")
    return doubts + gap_reasons(incident["gaps"])
