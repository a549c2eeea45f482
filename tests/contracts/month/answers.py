"""What the month must answer, found by looking at every record in turn. Plain on purpose.

Must stay true: nothing of the product's reading side is used here. Records are folded and linked by
the simulation's oracle, which is written from the contract alone.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.contracts.month.events import (
    DEPLOY_ACTIONS,
    DEPLOY_ACTIONS_DEFAULT,
    ENVIRONMENTS,
    SENDERS,
    Sent,
)
from tests.simulation.oracle import Delivery, timeline

Entry = dict[str, Any]

LOST_AFTER: Final = timedelta(hours=24)
HOST_NAMES: Final = ("inventory_name", "ansible_host", "hostname_reported")


class Answers:
    """`entries` are all records, the oldest first, as they read at `now`."""

    def __init__(self, sent: Sequence[Sent], now: datetime) -> None:
        judged = timeline(
            [
                Delivery(
                    event=event,
                    actor=request.sender,
                    actor_kind=SENDERS[request.sender],
                    received_at=now,
                )
                for request in sent
                for event in request.events
            ]
        )
        self.instances = judged.instances
        self.entries = sorted(
            (_as_read(entry, now) for entry in judged.entries.values()),
            key=lambda entry: (entry["occurred_at"], entry["kind"], entry["id"]),
        )
        self._by_id = {entry["id"]: entry for entry in self.entries}

    def __getitem__(self, id_: str) -> Entry:
        return self._by_id[id_]

    def of_kind(self, kind: str, *conditions: Callable[[Entry], bool]) -> list[Entry]:
        return [
            entry
            for entry in self.entries
            if entry["kind"] == kind and all(condition(entry) for condition in conditions)
        ]

    def runs(self, *conditions: Callable[[Entry], bool]) -> list[Entry]:
        return self.of_kind("action_run", *conditions)

    def sessions(self, *conditions: Callable[[Entry], bool]) -> list[Entry]:
        return self.of_kind("ssh_session", *conditions)

    def syncs(self, *conditions: Callable[[Entry], bool]) -> list[Entry]:
        return self.of_kind("workspace_sync", *conditions)

    def deployments(self, *conditions: Callable[[Entry], bool]) -> list[Entry]:
        """Successful runs of deploy actions, in the order they ended."""
        found = self.runs(is_deployment, *conditions)
        return sorted(found, key=lambda run: (run["ended_at"], run["id"]))


def _as_read(entry: Entry, now: datetime) -> Entry:
    """With what is only known when reading: the environment, and whether it is lost."""
    is_lost = entry["status"] == "running" and moment(entry["occurred_at"]) <= now - LOST_AFTER
    return {
        **entry,
        "status": "lost" if is_lost else entry["status"],
        "environment": ENVIRONMENTS[entry["workspace"]],
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def ids(entries: Sequence[Entry]) -> list[str]:
    return [entry["id"] for entry in entries]


def where(**fields: Any) -> Callable[[Entry], bool]:
    """Each field has this value, or one of these."""

    def fits(entry: Entry) -> bool:
        return all(
            entry[name] in (value if isinstance(value, tuple) else (value,))
            for name, value in fields.items()
        )

    return fits


def started_in(start: str, end: str) -> Callable[[Entry], bool]:
    return lambda entry: moment(start) <= moment(entry["occurred_at"]) < moment(end)


def active_in(start: str, end: str) -> Callable[[Entry], bool]:
    """It covers a part of [start, end); what is open counts as ending a day after its start."""

    def is_active(entry: Entry) -> bool:
        began = moment(entry["occurred_at"])
        if entry["kind"] == "workspace_sync":
            over = began
        else:
            over = began + LOST_AFTER if entry["ended_at"] is None else moment(entry["ended_at"])
        return began < moment(end) and (began >= moment(start) or over > moment(start))

    return is_active


def is_on_host(name: str) -> Callable[[Entry], bool]:
    return lambda session: name in (session["host"].get(which) for which in HOST_NAMES)


def names_person(name: str) -> Callable[[Entry], bool]:
    return lambda entry: name in (entry["actor"], entry["user"], entry["os_user"])


def is_deployment(run: Entry) -> bool:
    return run["status"] == "successful" and is_deploy_action(run)


def is_deploy_action(run: Entry) -> bool:
    return run["action"] in DEPLOY_ACTIONS.get(run["workspace"], DEPLOY_ACTIONS_DEFAULT)


def percentile(values: Sequence[int], share: float) -> int:
    """A value that occurred: of n sorted ones the number floor(share * n), from 0."""
    return sorted(values)[int(share * len(values))]
