"""The log of access events: where an access is durable before its reader sees anything.

Kafka and SQLite stand behind it.
"""

from collections.abc import Sequence
from typing import Protocol

from schemas.access_event import AccessEvent


class AccessLog(Protocol):
    """Appends access events; several appends at once share one fsync, or one round trip."""

    async def append(self, events: Sequence[AccessEvent], *, timeout_s: float) -> None:
        """Return once all are durable (Kafka acks=all; SQLite: fsync).

        They may then be in the log twice, but never be lost. Raises LogUnavailableError: the
        outcome is unknown, the same again is safe.
        """
        ...

    async def ping(self, *, timeout_s: float) -> None:
        """Return when the log answers. Raises LogUnavailableError."""
        ...
