"""The syncs that memory let go of although records may still name them, and what is known of these.

A run may state any commit that was ever synced, and come from any CLI instance that ever synced.
The latest sync of each would have to be kept for ever; so only some are (`workspace.py`), and for a
record that needs another one the store is asked, once.

Must stay true:
- The workspace's own latest sync is never let go of before another one takes its place.
- A sync that is found in memory is only taken for the latest when no later one was let go of.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from processors.past import LatestSync, SyncsOf
from processors.record import Record, RecordId
from processors.sync_index import COMMIT_PREFIX_DIGITS, SyncIndex, names_of

# Earlier than any record.
BEFORE_ALL: Final = -(1 << 62)


class Since(NamedTuple):
    """From when on memory holds every sync up to a record's start.

    `is_now`: the record starts after everything that was let go of.
    """

    time_us: int
    is_now: bool


class ForgottenSyncs:
    """Mutable; belongs to one workspace."""

    def __init__(self) -> None:
        # The latest start of those let go of while they were the last of their instance, or commit.
        self.gone_until: Final[dict[SyncsOf, int]] = {}
        # Records in memory whose sync may have come from the store: it is gone after a restart.
        self.unsure: Final[set[RecordId]] = set()
        self._known_now: Final[set[tuple[SyncsOf, str]]] = set()
        self._known_then: Final[set[LatestSync]] = set()

    def let_go(self, of: SyncsOf, start_us: int) -> None:
        """The last sync of an instance or a commit left memory."""
        self.gone_until[of] = max(self.gone_until.get(of, BEFORE_ALL), start_us)

    def forget(self, sync: Record) -> None:
        """What was known with this one is no longer."""
        names = names_of(sync)
        self._known_now.difference_update(names.items())
        self._known_then.difference_update(
            [each for each in self._known_then if names.get(each.of) == each.name]
        )

    def forget_all(self) -> None:
        self._known_now.clear()
        self._known_then.clear()

    def answered(self, asked: Iterable[LatestSync], reach_last_us: int) -> None:
        """These are in memory now, as far as they exist. `reach_last_us`: of what was let go of."""
        for each in asked:
            if each.at >= reach_last_us:
                self._known_now.add((each.of, each.name))
            else:
                self._known_then.add(each)

    def missing(
        self, record: Record, syncs: SyncIndex, since: Since, reach_last_us: int
    ) -> list[LatestSync]:
        """What has to be asked before it can be told which sync was in force for `record`.

        Remembers it as unsure when memory alone cannot tell.
        """
        asked = []
        for of, name, sync in _found(record, syncs):
            if not self._is_surely_latest(of, sync, since):
                # Found by the store's answer, or not at all.
                self.unsure.add(record.key)
                latest = LatestSync(of, name, reach_last_us if since.is_now else since.time_us)
                if not self._is_known(latest, since):
                    asked.append(latest)
                    continue
            if of is SyncsOf.COMMIT and sync is not None:
                # It was in force, whatever the instance brought.
                break
        return asked

    def _is_surely_latest(self, of: SyncsOf, sync: Record | None, since: Since) -> bool:
        """Whether what memory finds is right without the store."""
        gone_us = self.gone_until.get(of, BEFORE_ALL) if since.is_now else since.time_us
        if gone_us == BEFORE_ALL:
            return True
        return sync is not None and sync.start > gone_us

    def _is_known(self, latest: LatestSync, since: Since) -> bool:
        if since.is_now:
            return (latest.of, latest.name) in self._known_now
        return latest in self._known_then


def _found(record: Record, syncs: SyncIndex) -> Iterator[tuple[SyncsOf, str, Record | None]]:
    """By what the sync of a record is looked for, and what is found; what counts first comes first.

    As the link rules do (`links.py`).
    """
    if (stated := record.fields.get("commit_sha")) is not None:
        found = syncs.latest_of_commit(stated, record.start)
        yield SyncsOf.COMMIT, stated[:COMMIT_PREFIX_DIGITS], found
    if (instance_id := record.fields.get("cli_instance_id")) is not None:
        yield SyncsOf.INSTANCE, instance_id, syncs.latest_of_instance(instance_id, record.start)
