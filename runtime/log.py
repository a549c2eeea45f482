"""The log: where an accepted envelope is durable before its sender hears 202.

Kafka and SQLite stand behind it; `tests/contracts/` holds both to this text.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from schemas.envelope import Envelope


class Position(NamedTuple):
    """Where one envelope landed. One `partition` for the embedded log: 0."""

    partition: int
    offset: int


class Log(Protocol):
    """Appends envelopes. Bounded in bytes, never in patience: what does not fit is refused."""

    async def append(self, envelopes: Sequence[Envelope], *, timeout_s: float) -> list[Position]:
        """Return once all are durable (Kafka acks=all; SQLite: fsync), in the order given.

        They may then be in the log twice, but never be lost.
        Raises LogUnavailableError: the outcome is unknown, sending again is safe. The same when too
        many bytes are in flight already; then nothing was appended.
        """
        ...

    async def ping(self, *, timeout_s: float) -> None:
        """Return when the log answers. Raises LogUnavailableError."""
        ...
