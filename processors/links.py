"""The link rules: what a record's entry says about its neighbours.

Must stay true: the result is a pure function of the workspace's set of folded records.
A new kind that links to others gets its rules here, and nowhere else in the core.

Source: the contract, section 4.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from processors.record import Record, RecordId
from processors.sync_index import SyncIndex, after_sha, is_same_commit
from processors.time_index import TimeIndex
from schemas.kinds import Confidence, Kind, Origin, Rule
from schemas.limits import LINKS_PER_RULE_MAX

# One more than is shown tells whether something was left out.
_SEARCHED: Final = LINKS_PER_RULE_MAX + 1


class Neighbourhood(Protocol):
    """What the rules may ask of a workspace."""

    @property
    def syncs(self) -> SyncIndex: ...
    def of_kind(self, kind: Kind) -> TimeIndex: ...
    def runs_of_origin(self, record: Record) -> Iterable[TimeIndex]:
        """The runs of the record's actor, and those of its CLI instance."""
        ...

    def get(self, key: RecordId) -> Record | None: ...
    def retriggers_of(self, run: Record) -> Iterable[Record]:
        """The runs that name this one."""
        ...


class Link(NamedTuple):
    """`gap_us` for after and before only. `origin`: None where both have none in common."""

    rule: Rule
    target_kind: Kind
    target_id: str
    origin: Origin | None
    gap_us: int | None

    @property
    def confidence(self) -> Confidence:
        return Confidence.LIKELY if self.origin is None else Confidence.EXACT


class ConfiguredBy(NamedTuple):
    """`instance_id` when the sync was found by the CLI instance; `is_stated` by the commit."""

    sync_id: str
    commit: str
    branch: str
    confidence: Confidence
    behind: bool
    gap_us: int
    instance_id: str | None
    is_stated: bool


@dataclass(frozen=True, slots=True)
class Links:
    """Everything about a record that depends on others."""

    configured_by: ConfiguredBy | None = None
    links: tuple[Link, ...] = ()
    links_omitted: bool = False
    unexplained: bool | None = None
    is_stated_commit_not_synced: bool = False


_NONE = Links()


def links_of(record: Record, around: Neighbourhood) -> Links:
    """The links of a record as its workspace is now."""
    match record.kind:
        case Kind.ACTION_RUN:
            return _run_links(record, around)
        case Kind.SSH_SESSION:
            return _session_links(record, around)
        case Kind.WORKSPACE_SYNC:
            return _NONE


class Crowd(NamedTuple):
    """Of a record around which there is more than is shown: the last shown of each full rule."""

    unexplained: bool | None
    last_shown: tuple[tuple[Rule, RecordId], ...]


def crowd_of(links: Links) -> Crowd | None:
    """None: nothing was left out."""
    if not links.links_omitted:
        return None
    shown: dict[Rule, list[Link]] = {}
    for link in links.links:
        shown.setdefault(link.rule, []).append(link)
    return Crowd(
        links.unexplained,
        tuple(
            (rule, RecordId(last.target_kind, last.target_id))
            for rule, (*_, last) in shown.items()
            if len(shown[rule]) >= LINKS_PER_RULE_MAX
        ),
    )


def is_crowded_out(newcomer: Record, crowd: Crowd, record: Record, around: Neighbourhood) -> bool:
    """Whether a record that was not there before cannot change the links of `record`.

    So it is when ten nearer ones of the same rule stand there, more were left out already, and
    whether `record` is explained does not depend on it. Most arrivals in a busy hour are this.
    """
    rule, distance = _relation(record, newcomer)
    last_key = next((key for full, key in crowd.last_shown if full is rule), None)
    if last_key is None:
        return False
    if crowd.unexplained and same_origin(record, newcomer) is not None:
        return False
    last = around.get(last_key)
    if last is None:
        return False
    _, last_distance = _relation(record, last)
    return (distance, last.id) > (last_distance, newcomer.id)


def _relation(record: Record, other: Record) -> tuple[Rule, int]:
    """The rule by which `other` stands to `record`, and how far it is by that rule, in µs."""
    if other.end is not None and other.end <= record.start and other.start != record.start:
        return Rule.AFTER, record.start - other.end
    if record.end is not None and record.end <= other.start and other.start != record.start:
        return Rule.BEFORE, other.start - record.end
    return Rule.DURING, abs(other.start - record.start)


def touched_by(record: Record, around: Neighbourhood) -> Iterator[Record]:
    """Every other record whose links may depend on `record`, as `record` and workspace are now.

    Called before and after a change of `record`; may name a record twice.
    """
    match record.kind:
        case Kind.ACTION_RUN:
            yield from around.of_kind(Kind.SSH_SESSION).related(record)
            yield from around.retriggers_of(record)
        case Kind.SSH_SESSION:
            yield from around.of_kind(Kind.ACTION_RUN).related(record)
        case Kind.WORKSPACE_SYNC:
            pass  # Workspace.configured_from knows what a sync is in force for.


def _run_links(run: Record, around: Neighbourhood) -> Links:
    links, is_omitted = _time_links(run, around.of_kind(Kind.SSH_SESSION))
    if (source := run.fields.get("retriggered_from")) is not None:
        links.append(Link(Rule.RETRIGGERED_FROM, Kind.ACTION_RUN, source, Origin.STATED, None))
    repeats = sorted(around.retriggers_of(run), key=lambda repeat: repeat.id, reverse=True)
    repeats.sort(key=lambda repeat: abs(repeat.start - run.start))
    links += (
        Link(Rule.RETRIGGERED_AS, Kind.ACTION_RUN, repeat.id, Origin.STATED, None)
        for repeat in repeats[:LINKS_PER_RULE_MAX]
    )
    configured_by, is_not_synced = _configured_by(run, around.syncs)
    return Links(
        configured_by,
        tuple(links),
        is_omitted or len(repeats) > LINKS_PER_RULE_MAX,
        None,
        is_not_synced,
    )


def _session_links(session: Record, around: Neighbourhood) -> Links:
    links, is_omitted = _time_links(session, around.of_kind(Kind.ACTION_RUN))
    is_explained = any(link.origin is not None for link in links) or (
        # Those of the same origin may all have been cut off.
        is_omitted and any(index.has_related(session) for index in around.runs_of_origin(session))
    )
    configured_by, _ = _configured_by(session, around.syncs)
    return Links(configured_by, tuple(links), is_omitted, not is_explained)


def _time_links(record: Record, index: TimeIndex) -> tuple[list[Link], bool]:
    """The links by the rules during, after and before, and whether more were there."""
    links: list[Link] = []
    if not index:
        return links, False
    is_omitted = False
    for rule, found in (
        (Rule.DURING, index.nearest_overlapping(record, _SEARCHED)),
        (Rule.AFTER, index.nearest_ended_before(record, _SEARCHED)),
        (Rule.BEFORE, index.nearest_started_after(record, _SEARCHED)),
    ):
        is_omitted = is_omitted or len(found) > LINKS_PER_RULE_MAX
        links += (
            Link(
                rule,
                other.kind,
                other.id,
                same_origin(record, other),
                None if rule is Rule.DURING else distance_us,
            )
            for distance_us, other in found[:LINKS_PER_RULE_MAX]
        )
    return links, is_omitted


def same_origin(record: Record, other: Record) -> Origin | None:
    """Whether both share their CLI instance or their actor; None when they share neither."""
    instance_id = record.fields.get("cli_instance_id")
    if instance_id is not None and instance_id == other.fields.get("cli_instance_id"):
        return Origin.CLI_INSTANCE
    return Origin.ACTOR if record.actor == other.actor else None


def _configured_by(record: Record, syncs: SyncIndex) -> tuple[ConfiguredBy | None, bool]:
    """The sync in force at the start, and whether a stated commit was never synced before it."""
    start = record.start
    latest = syncs.latest(start)
    stated: str | None = record.fields.get("commit_sha")
    if latest is None:
        return None, stated is not None
    if stated is not None and (sync := syncs.latest_of_commit(stated, start)) is not None:
        return _configured(record, sync, latest, Confidence.EXACT, is_stated=True), False
    instance_id: str | None = record.fields.get("cli_instance_id")
    if (
        instance_id is not None
        and (sync := syncs.latest_of_instance(instance_id, start)) is not None
    ):
        confidence = Confidence.EXACT if stated is None else Confidence.LIKELY
        found = _configured(record, sync, latest, confidence, instance_id=instance_id)
        return found, stated is not None
    return _configured(record, latest, latest, Confidence.LIKELY), stated is not None


def _configured(
    record: Record,
    sync: Record,
    latest: Record,
    confidence: Confidence,
    *,
    instance_id: str | None = None,
    is_stated: bool = False,
) -> ConfiguredBy:
    commit = after_sha(sync)
    return ConfiguredBy(
        sync.id,
        commit,
        sync.fields["git"].get("branch", ""),
        confidence,
        not is_same_commit(commit, after_sha(latest)),
        record.start - sync.start,
        instance_id,
        is_stated,
    )
