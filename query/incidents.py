"""GET /v1/incidents?at=T&before=8h: what happened before T, and what still ran then.

Source: the contract, section 5.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.completeness import is_complete
from query.services import QueryServices
from schemas.limits import US_PER_S
from schemas.times import format_us
from timeline.configuration_query import Configuration, read_configurations
from timeline.entry_json import entries_json
from timeline.entry_row import EntryColumns
from timeline.environment_query import read_environments
from timeline.gap_query import Gaps, gap_json, read_gaps, these
from timeline.incident_query import (
    ROWS_MAX,
    ActorCounts,
    Incident,
    IncidentPlaces,
    Seen,
    ToolSeen,
    read_places,
    read_seen,
    read_tools,
)
from timeline.moment import Moment
from timeline.neighbour_query import read_at
from timeline.parameters import LIMIT_MAX, NAME, Parameters, refuse
from timeline.scope import Scope
from timeline.store import Store

Json: TypeAlias = dict[str, Any]

INCIDENT_PARAMETERS: Final = ("at", "before", "workspace", "environment", "limit")
# Of each of the two lists: what a person reads. Entries of many workspaces cost a millisecond each.
LIMIT_DEFAULT: Final = 100

_DURATION: Final = re.compile(r"([0-9]{1,5})([mhd])", re.ASCII)
_UNITS_US: Final = {"m": 60 * US_PER_S, "h": 3_600 * US_PER_S, "d": 86_400 * US_PER_S}
_BEFORE_DEFAULT_US: Final = 8 * _UNITS_US["h"]
_BEFORE_US_MIN: Final = _UNITS_US["m"]
_BEFORE_US_MAX: Final = 31 * _UNITS_US["d"]


class _Shown(NamedTuple):
    """The entries of both lists, and what is told of their workspaces."""

    places: IncidentPlaces
    rows: list[EntryColumns]
    configurations: list[Configuration]
    environments: Mapping[str, str]


class _Work(NamedTuple):
    """Who and what was at work, in entries that are shown or not."""

    seen: Seen
    tools: list[ToolSeen]
    gaps: Gaps


def incident_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/incidents", services, _incident)]


async def _incident(services: QueryServices, request: Request, scope: Scope) -> Any:
    incident = parse_incident(request.query_params.multi_items())
    # Before the rows: what it promises is then among them.
    watermark = await services.watermarks.json(services.partitions)
    moment = services.moment()
    store = services.store
    # Neither has to wait for the other's search.
    (places, rows, configurations, environments), (seen, tools, gaps) = await asyncio.gather(
        _read_shown(store, scope, incident, moment), _read_work(store, scope, incident, moment)
    )
    entries = entries_json(rows, environments, moment)
    running = {(place.kind, place.id, place.workspace) for place in places.during}
    before: list[Json] = []
    during: list[Json] = []
    for entry in reversed(entries):
        key = (entry["kind"], entry["id"], entry["workspace"])
        (during if key in running else before).append(entry)
    return {
        "at": format_us(incident.at_us),
        "from": format_us(incident.from_us),
        "before": before,
        "during": during,
        "configuration": [_configuration_json(each, environments) for each in configurations],
        "tools": [_tool_json(tool) for tool in tools],
        "actors": [_actor_json(counts) for counts in seen.actors],
        "gaps": [gap_json(gap) for gap in gaps.found],
        "omitted": {
            "before": places.is_before_cut,
            "during": places.is_during_cut,
            "tools": len(seen.instances) > ROWS_MAX,
            "actors": seen.are_actors_cut,
            "gaps": gaps.is_cut,
        },
        "complete": is_complete(watermark, incident.at_us, gaps.found),
        "watermark": watermark,
    }


async def _read_shown(store: Store, scope: Scope, incident: Incident, moment: Moment) -> _Shown:
    places = await read_places(store, scope, incident, moment)
    both = [*places.before, *places.during]
    workspaces = {place.workspace for place in both}
    rows, configurations, environments = await asyncio.gather(
        read_at(store, scope, both, moment),
        read_configurations(store, scope, workspaces, incident.at_us),
        read_environments(store, scope.organization, workspaces),
    )
    return _Shown(places, rows, configurations, environments)


async def _read_work(store: Store, scope: Scope, incident: Incident, moment: Moment) -> _Work:
    seen = await read_seen(store, scope, incident, moment)
    instances = dict(list(seen.instances.items())[:ROWS_MAX])
    tools, gaps = await asyncio.gather(
        read_tools(store, scope.organization, instances, incident),
        read_gaps(store, scope.organization, these(instances), incident.reach),
    )
    return _Work(seen, tools, gaps)


def parse_incident(pairs: Iterable[tuple[str, str]]) -> Incident:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, INCIDENT_PARAMETERS)
    at_us = given.time_us("at")
    if at_us is None:
        refuse("at", "needed: the moment of the incident")
    limit = given.whole_number("limit", 1, LIMIT_MAX)
    return Incident(
        # Nothing is older than 1970.
        from_us=max(0, at_us - _before_us(given.one("before"))),
        at_us=at_us,
        workspaces=given.texts("workspace", NAME),
        environments=given.texts("environment"),
        limit=LIMIT_DEFAULT if limit is None else limit,
    )


def _before_us(text: str | None) -> int:
    if text is None:
        return _BEFORE_DEFAULT_US
    found = _DURATION.fullmatch(text)
    duration_us = 0 if found is None else int(found[1]) * _UNITS_US[found[2]]
    if not _BEFORE_US_MIN <= duration_us <= _BEFORE_US_MAX:
        refuse("before", "a duration from 1m to 31d, such as 30m, 8h or 2d")
    return duration_us


def _configuration_json(configuration: Configuration, environments: Mapping[str, str]) -> Json:
    """The sync in force in one workspace."""
    return {
        "workspace": configuration.workspace,
        "environment": environments.get(configuration.workspace),
        "commit": configuration.commit,
        "branch": configuration.branch or None,
        "sync_id": configuration.sync_id,
        "synced_at": format_us(configuration.synced_at),
        "brought_by": configuration.brought_by,
    }


def _tool_json(tool: ToolSeen) -> Json:
    return {
        "cli_instance_id": tool.cli_instance_id,
        "version": tool.version or None,
        "observed_at": None if tool.observed_at is None else format_us(tool.observed_at),
        "hostname": tool.hostname or None,
    }


def _actor_json(counts: ActorCounts) -> Json:
    return {
        "actor": counts.actor,
        "actor_kind": counts.actor_kind,
        "runs": counts.runs,
        "sessions": counts.sessions,
        "syncs": counts.syncs,
    }
