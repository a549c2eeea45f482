"""What happened before an incident: who and what was at work in a period, and what still ran.

Must stay true: whoever touches [from, at] is in exactly one of the two lists, whole or cut; actors
and CLI instances are counted over all of them, shown or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.kinds import Kind
from timeline import ddl
from timeline.connection import Connection
from timeline.cursor import Cursor
from timeline.entry_conditions import time_sql
from timeline.entry_times import ENTRY_TIMES
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.spans import TOUCHES, Reach, spans_sql
from timeline.statement import Statement
from timeline.store import Store

# Actors, and CLI instances: a person reads them.
ROWS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Times in µs. Empty: any workspace, any environment."""

    from_us: int
    at_us: int
    workspaces: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    limit: int

    @property
    def reach(self) -> Reach:
        return Reach(self.from_us, self.at_us)


class IncidentPlaces(NamedTuple):
    """The newest first. `before` are over by then, `during` still ran."""

    before: list[Cursor]
    during: list[Cursor]
    is_before_cut: bool
    is_during_cut: bool


class ActorCounts(NamedTuple):
    actor: str
    actor_kind: str
    runs: int
    sessions: int
    syncs: int


class Seen(NamedTuple):
    """Counted over all entries, shown or not.

    The busiest actor and the instance seen last come first; of the instances (id -> hostname) one
    more than ROWS_MAX says that there are more.
    """

    actors: list[ActorCounts]
    instances: dict[str, str]
    are_actors_cut: bool


class ToolSeen(NamedTuple):
    """A CLI instance and the version it had; '' and None: not known. Times in µs."""

    cli_instance_id: str
    hostname: str
    version: str
    observed_at: int | None


async def read_places(
    store: Store, scope: Scope, incident: Incident, moment: Moment
) -> IncidentPlaces:
    """Where the entries stand. Raises TimelineUnavailableError."""
    parameters: dict[str, Any] = {"limit": incident.limit + 1}
    spans = _spans(scope, incident, moment, parameters)
    statement = Statement(
        "SELECT is_over, start_us, kind_text, id, workspace FROM (SELECT *,"
        # What starts at that very moment runs then, even a moment.
        " end_us <= {reach_end:Int64} AND start_us < {reach_end:Int64} AS is_over"
        f" FROM ({spans}) WHERE {TOUCHES})"
        " ORDER BY start_us DESC, kind_text DESC, id DESC, workspace DESC"
        " LIMIT {limit:UInt32} BY is_over",
        parameters,
    )
    lists: tuple[list[Cursor], list[Cursor]] = ([], [])
    for is_over, *place in await store.rows(statement):
        lists[0 if is_over else 1].append(Cursor(*place))
    before, during = lists
    limit = incident.limit
    return IncidentPlaces(before[:limit], during[:limit], len(before) > limit, len(during) > limit)


async def read_seen(store: Store, scope: Scope, incident: Incident, moment: Moment) -> Seen:
    """Everybody and everything that was at work. Raises TimelineUnavailableError."""
    parameters: dict[str, Any] = {"limit": ROWS_MAX + 1}
    columns = ("actor", "actor_kind", "cli_instance_id", "hostname")
    spans = _spans(scope, incident, moment, parameters, *columns)
    counts = ", ".join(f"countIf(kind_text = '{kind.value}')" for kind in Kind)
    rows = await store.rows(
        Statement(
            # One pass: the search for the entries is what costs.
            "SELECT grouping(cli_instance_id) = 0 AS is_instance, actor,"
            f" toString(actor_kind) AS actor_kind_text, {counts}, cli_instance_id,"
            " argMaxIf(hostname, start_us, hostname != ''),"
            " max(least(end_us, {reach_end:Int64})) AS seen_us"
            f" FROM ({spans}) WHERE {TOUCHES}"
            " GROUP BY GROUPING SETS ((actor, actor_kind), (cli_instance_id))"
            " HAVING NOT is_instance OR cli_instance_id != ''"
            " ORDER BY if(is_instance, seen_us, toInt64(count())) DESC,"
            " actor, actor_kind_text, cli_instance_id LIMIT {limit:UInt32} BY is_instance",
            parameters,
        )
    )
    actors = [ActorCounts(*row[1:6]) for row in rows if not row[0]]
    instances = {row[6]: row[7] for row in rows if row[0]}
    return Seen(actors[:ROWS_MAX], instances, len(actors) > ROWS_MAX)


async def read_tools(
    store: Store, organization: str, instances: Mapping[str, str], incident: Incident
) -> list[ToolSeen]:
    """The versions of these CLI instances (id -> hostname) then, in the same order.

    Raises TimelineUnavailableError.
    """
    return await store.read(
        lambda connection: _tools(connection, organization, instances, incident)
    )


def _tools(
    connection: Connection, organization: str, instances: Mapping[str, str], incident: Incident
) -> list[ToolSeen]:
    versions: dict[str, tuple[str, int]] = {}
    # Nearly all said it in the period; only of the others everything they ever said is looked at.
    for since_us in (incident.from_us, 0):
        missing = [id_ for id_ in instances if id_ not in versions]
        if missing:
            rows = connection.rows(_versions(organization, missing, since_us, incident.at_us))
            versions |= {id_: (version, at) for id_, version, at in rows}
    return [
        ToolSeen(id_, hostname, *versions.get(id_, ("", None)))
        for id_, hostname in instances.items()
    ]


def _versions(organization: str, instances: Sequence[str], since_us: int, at_us: int) -> Statement:
    """As `version_query.read_version_at`, of many."""
    return Statement(
        "SELECT cli_instance_id, argMax(cli_version, (observed_at, cli_version)),"
        f" toUnixTimestamp64Micro(max(observed_at)) FROM {ddl.OBSERVATIONS.name}"
        " WHERE organization = {organization:String}"
        " AND cli_instance_id IN {instances:Array(String)}"
        f" AND observed_at >= {time_sql('since')} AND observed_at <= {time_sql('at')}"
        " AND is_sighting AND cli_version != '' GROUP BY cli_instance_id",
        {
            "organization": organization,
            "instances": list(instances),
            "since": since_us,
            "at": at_us,
        },
    )


def _spans(
    scope: Scope,
    incident: Incident,
    moment: Moment,
    parameters: dict[str, Any],
    *columns: str,
) -> str:
    conditions = []
    if incident.workspaces:
        parameters["workspaces"] = list(incident.workspaces)
        conditions.append("workspace IN {workspaces:Array(String)}")
    if incident.environments:
        parameters["environments"] = list(incident.environments)
        conditions.append(
            f"workspace IN (SELECT name FROM {ddl.WORKSPACES.name} FINAL WHERE"
            " organization = {organization:String}"
            " AND environment IN {environments:Array(String)})"
        )
    return spans_sql(
        scope,
        incident.reach,
        moment.lost_after_us,
        parameters,
        table=ddl.ENTRIES if incident.workspaces else ENTRY_TIMES,
        conditions=conditions,
        columns=columns,
    )
