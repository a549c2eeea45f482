"""Where a rebuild reads what was received: the log, and before its beginning what was kept of it.

Must stay true:
- The messages of a partition come in the log's order, each once, whatever the log drops meanwhile.
- What neither the log nor the store holds is counted, never passed over in silence.
"""

from collections.abc import AsyncIterator
from itertools import groupby
from typing import Final, NamedTuple, Protocol

from processors.received_envelope import envelope_of_rows
from schemas.codec import UndecodableError
from schemas.envelope import encode_envelope
from timeline.store import Store
from timeline.stored_snapshot import read_stored


class Message(NamedTuple):
    offset: int
    content: bytes


class Source(Protocol):
    """The log of the installation, or a fake of it."""

    @property
    def first_offset(self) -> int:
        """Of a partition that never lost anything."""
        ...

    async def ends(self) -> dict[int, int]:
        """Partition -> the offset after its last message. Raises LogUnavailableError."""
        ...

    def messages(self, partition: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        """All the log still has of [start, end), in order, some at a time.

        Raises LogUnavailableError.
        """
        ...


class PastCounts:
    """What came from elsewhere than the log."""

    def __init__(self) -> None:
        self.from_snapshots = 0  # messages told again from the rows kept of them
        self.missing = 0  # offsets of which nothing is left


class WholePast:
    """Each message of a partition: from `source`, or from the snapshots in `database`."""

    def __init__(self, source: Source, store: Store, database: str) -> None:
        self._source: Final = source
        self._store: Final = store
        self._database: Final = database
        self.counts: Final = PastCounts()

    @property
    def first_offset(self) -> int:
        """Of a partition that never lost anything."""
        return self._source.first_offset

    async def messages(self, partition: int, end: int) -> AsyncIterator[list[Message]]:
        """Of [the first there ever was, `end`).

        Raises LogUnavailableError, TimelineUnavailableError.
        """
        due = self._source.first_offset
        async for messages in self._source.messages(partition, due, end):
            if messages[0].offset > due:
                async for told in self._told(partition, due, messages[0].offset):
                    yield told
            yield messages
            due = messages[-1].offset + 1
        async for told in self._told(partition, due, end):
            yield told

    async def _told(self, partition: int, start: int, end: int) -> AsyncIterator[list[Message]]:
        """[start, end) from the snapshots."""
        due = start
        while due < end:
            rows, after = await read_stored(self._store, self._database, partition, due, end)
            messages: list[Message] = []
            for offset, group in groupby(rows, key=lambda row: row.offset):
                try:
                    content = encode_envelope(envelope_of_rows(list(group)))
                except UndecodableError:
                    continue
                messages.append(Message(offset, content))
            self.counts.from_snapshots += len(messages)
            self.counts.missing += after - due - len(messages)
            if messages:
                yield messages
            due = after
