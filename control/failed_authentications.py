"""Counts requests that were nobody's, and puts the counts on the access log once a minute.

Must stay true:
- Whoever tries keys costs a dict look-up each: at most one event a minute and reason, and one more
  for each key that was good once.
- Nobody's answer waits for the log. While it is away the counts are kept and go out later.
- Nothing of what was tried is kept: no key, no part of one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog

from control.errors import (
    FormerKey,
    KeyExpiredError,
    KeyRevokedError,
    MalformedKeyError,
    NotAuthenticatedError,
    UnknownKeyError,
)
from runtime.access_log import AccessLog
from runtime.clock import WallClock
from runtime.errors import LogUnavailableError
from schemas.access_event import (
    ACCESS_REVISION_MAX,
    ENDED,
    AccessAction,
    AccessEvent,
    AuthenticationFailure,
    new_access_id,
)

PERIOD_S: Final = 60.0
# Of keys that were good once; those beyond count without saying whose.
FORMER_KEYS_MAX: Final = 1_000
_APPEND_TIMEOUT_S: Final = 10.0
_STATUS: Final = 401

_REASONS: Final[dict[type[NotAuthenticatedError], AuthenticationFailure]] = {
    MalformedKeyError: AuthenticationFailure.MALFORMED_KEY,
    UnknownKeyError: AuthenticationFailure.UNKNOWN_KEY,
    KeyRevokedError: AuthenticationFailure.REVOKED_KEY,
    KeyExpiredError: AuthenticationFailure.EXPIRED_KEY,
}

_OTHER: Final = AuthenticationFailure.UNKNOWN_KEY

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is counted together."""

    reason: AuthenticationFailure
    former: FormerKey | None


@dataclass(slots=True)
class _Count:
    since_us: int
    client: str  # empty: several, or not known
    tries: int = 0
    # An event that the log may have taken all the same keeps its id, so that the later one counts.
    id: str = field(default_factory=new_access_id)
    revision: int = ENDED

    def add(self, tries: int, client: str) -> None:
        self.tries += tries
        if self.client != client:
            self.client = ""


class FailedAuthentications:
    """Belongs to one event loop. `running` puts the counts on the log."""

    def __init__(
        self, log: AccessLog, *, wall_clock: WallClock, period_s: float = PERIOD_S
    ) -> None:
        self._log: Final = log
        self._wall_clock: Final = wall_clock
        self._period_s: Final = period_s
        self._counts: dict[_Kind, _Count] = {}

    def count(self, error: NotAuthenticatedError | None, client: str) -> None:
        """One more, from this address. None: there was no key in the request, or none that can be
        one.
        """
        reason = (
            AuthenticationFailure.NO_KEY if error is None else _REASONS.get(type(error), _OTHER)
        )
        former = None if error is None else error.former
        if len(self._counts) >= FORMER_KEYS_MAX and _Kind(reason, former) not in self._counts:
            former = None
        counted = self._counts.setdefault(_Kind(reason, former), _Count(self._wall_clock(), client))
        counted.add(1, client)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this is entered the counts go out each period, and at its end."""
        telling = asyncio.create_task(self._tell_on())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            await self.tell()

    async def tell(self) -> None:
        """Put what was counted on the log; what it does not take is kept."""
        told, self._counts = self._counts, {}
        if not told:
            return
        events = [_event(kind, counted) for kind, counted in told.items()]
        try:
            await self._log.append(events, timeout_s=_APPEND_TIMEOUT_S)
        except LogUnavailableError as error:
            _log.warning("failed authentications wait for the log", reason=str(error))
            self._keep(told)

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            await self.tell()

    def _keep(self, told: dict[_Kind, _Count]) -> None:
        for counted in told.values():
            counted.revision = min(counted.revision + 1, ACCESS_REVISION_MAX)
        newer, self._counts = self._counts, told
        for kind, counted in newer.items():
            kept = self._counts.setdefault(kind, counted)
            if kept is not counted:
                kept.add(counted.tries, counted.client)


def _event(kind: _Kind, counted: _Count) -> AccessEvent:
    former = kind.former
    return AccessEvent(
        id=counted.id,
        revision=counted.revision,
        at=counted.since_us,
        organization=former.organization if former else "",
        actor=former.actor if former else "",
        actor_kind=former.actor_kind if former else "",
        key_id=former.key_id if former else "",
        action=AccessAction.AUTHENTICATION_FAILED,
        operation="",
        target=msgspec.json.encode({"reason": kind.reason}).decode(),
        status=_STATUS,
        rows=None,
        request_id="",
        client=counted.client,
        count=counted.tries,
    )
