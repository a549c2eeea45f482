"""The closed vocabularies of the contract."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a record is. Text order is the order of the timeline for equal times."""

    ACTION_RUN = "action_run"
    SSH_SESSION = "ssh_session"
    WORKSPACE_SYNC = "workspace_sync"


# CLI instances are a register, not records.
CLI_INSTANCE = "cli_instance"


class ActorKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"


class Status(StrEnum):
    """`lost` is never stored: it is how a long-open record reads."""

    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    ABORTED = "aborted"
    ENDED = "ended"
    LOST = "lost"


class Flag(StrEnum):
    ACTOR_MISMATCH = "actor_mismatch"
    CLOCK_AHEAD = "clock_ahead"
    CONFLICTING_SNAPSHOT = "conflicting_snapshot"
    DURATION_MISMATCH = "duration_mismatch"
    FIELDS_DROPPED = "fields_dropped"
    FLOATING_VERSION = "floating_version"
    FOREIGN_SNAPSHOT = "foreign_snapshot"
    LATE = "late"
    START_CHANGED = "start_changed"
    STATED_COMMIT_NOT_SYNCED = "stated_commit_not_synced"


class Rule(StrEnum):
    DURING = "during"
    AFTER = "after"
    BEFORE = "before"
    RETRIGGERED_FROM = "retriggered_from"
    RETRIGGERED_AS = "retriggered_as"


class Confidence(StrEnum):
    EXACT = "exact"
    LIKELY = "likely"


class Origin(StrEnum):
    """What makes a link exact: what its two records have in common, or that it was stated."""

    CLI_INSTANCE = "cli_instance"
    ACTOR = "actor"
    STATED = "stated"


class DeadLetterReason(StrEnum):
    """Why something on the log did not become part of a record."""

    CONFLICTING_SNAPSHOT = "conflicting_snapshot"
    FOREIGN_SNAPSHOT = "foreign_snapshot"
    UNDECODABLE = "undecodable"


# What people are told of an event that was set aside; an undecodable message says its own.
DEAD_EVENT_DETAILS: Final[Mapping[DeadLetterReason, str]] = {
    DeadLetterReason.CONFLICTING_SNAPSHOT: "contradicts an earlier closed snapshot of the record,"
    " or ends before the record's start; the first one stays",
    DeadLetterReason.FOREIGN_SNAPSHOT: "the record belongs to another actor, who sent its first"
    " snapshot",
}
