"""Reads back from the timeline store what memory let go of."""

from collections.abc import Callable
from typing import Final

from processors.past import PastNeeded, PastSnapshot, SyncsOf
from runtime.metrics import PAST_READS
from schemas.envelope import Sender
from schemas.event_json import event_of_json
from timeline.past_query import PastQuestion, SyncColumn, read_past
from timeline.store import Store
from timeline.stored_snapshot import StoredSnapshot

_COLUMNS: Final = {SyncsOf.INSTANCE: SyncColumn.INSTANCE, SyncsOf.COMMIT: SyncColumn.COMMIT}


class PastReader:
    """Asks the store that `store()` gives; made before there is one."""

    def __init__(
        self, store: Callable[[], Store], *, lost_after_us: int, database: str | None = None
    ) -> None:
        """`database`: that of a generation, where it is not the living one."""
        self._store: Final = store
        self._lost_after_us: Final = lost_after_us
        self._database: Final = database

    async def read(self, needed: PastNeeded) -> list[PastSnapshot]:
        """What the store has of it, in the log's order. Raises TimelineUnavailableError."""
        question = PastQuestion(
            organization=needed.organization,
            workspace=needed.workspace,
            ids=[(key.kind.value, key.id) for key in sorted(needed.ids)],
            windows=needed.windows,
            commits=sorted(needed.commits),
            named=sorted(needed.named),
            syncs=[(_COLUMNS[of], name, at) for of, name, at in needed.syncs],
        )
        PAST_READS.inc()
        rows = await read_past(self._store(), question, self._lost_after_us, self._database)
        return [_snapshot(row) for row in rows]


def _snapshot(row: StoredSnapshot) -> PastSnapshot:
    event, _ = event_of_json(row.event)
    sender = Sender(
        organization=row.organization,
        actor=row.actor,
        actor_kind=row.actor_kind,
        key_id=row.key_id,
    )
    return PastSnapshot(row.offset, event, sender, row.received_at, row.dead_reason)
