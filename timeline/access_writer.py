"""Inserts access events into the access log. The same again, under any token, changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runtime.metrics import ROWS_INSERTED
from schemas.access_event import AccessEvent
from timeline.access_ddl import ACCESS_LOG
from timeline.connection import Connection
from timeline.store import Store

_NAMES: Final = tuple(column.name for column in ACCESS_LOG.columns)


class AccessWriter:
    """The only writer of the access log's rows in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def insert(self, events: Sequence[AccessEvent], *, token: str) -> None:
        """Return when all are durable. `token` names exactly these.

        Raises TimelineUnavailableError: the outcome is unknown; the same call again settles it.
        """
        await self._store.write(
            lambda connection: _insert(connection, events, token), database=self._store.database
        )

    def insert_now(self, events: Sequence[AccessEvent], *, token: str) -> None:
        """The same for callers without an event loop."""
        self._store.write_now(
            lambda connection: _insert(connection, events, token), database=self._store.database
        )


def _insert(connection: Connection, events: Sequence[AccessEvent], token: str) -> None:
    rows = connection.insert(ACCESS_LOG, _columns(events), token=token)
    ROWS_INSERTED.labels(ACCESS_LOG.name).inc(rows)


def _columns(events: Sequence[AccessEvent]) -> Mapping[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {
        name: [getattr(event, name) for event in events] for name in _NAMES
    }
    return {**columns, "action": [str(event.action) for event in events]}
