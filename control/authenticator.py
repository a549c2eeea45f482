"""Whose key is it? For the event loop of a server: a dict look-up, and now and then the database.

Must stay true:
- A key revoked at some moment is refused 10 s later at the latest, while the database answers.
- A key that was good when the database went away stays good for 5 minutes; no new one is let in.
- The event loop never waits for the database: it is read in threads, once per key at a time.
- What strangers send can neither push out known keys, nor delay the re-reading of known keys, nor
  fill memory.
- No key is kept, logged or repeated; caches hold digests.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, TypeAlias

import structlog

from control.api_key import KEY_CHARACTERS, digest, is_well_formed
from control.database import Control
from control.errors import (
    ControlUnavailableError,
    FormerKey,
    KeyExpiredError,
    KeyRevokedError,
    MalformedKeyError,
    UnknownKeyError,
)
from control.keys import Key, find_key, note_use
from control.roles import Role, effective_roles
from runtime.clock import MonotonicClock
from runtime.lru import LruCache
from schemas.kinds import ActorKind

UtcClock: TypeAlias = Callable[[], datetime]  # now, aware UTC

# Half of what a revocation may take; the other half is for the reading itself.
FRESH_S: Final = 5.0
# Before the database is tried again after a failure; until then nobody waits for it.
RETRY_S: Final = 2.0
# 5 minutes from the moment the database goes away, which may be when an entry is all but due for
# its next reading, and until the first try that succeeds again.
KNOWN_GOOD_S: Final = 300.0 + FRESH_S + RETRY_S
# How long a request waits for a reading before it counts as failed.
READ_WAIT_S: Final = 2.0

KNOWN_KEYS_MAX: Final = 10_000  # some 10 MB
UNKNOWN_KEYS_MAX: Final = 1_000
# Beyond these, strangers' keys are turned away unread; days of use are noted at a later reading.
UNKNOWN_READS_MAX: Final = 1_000
NOTES_MAX: Final = 100
# Threads at a time, out of those all of the process shares; strangers have their own.
_READS_AT_ONCE: Final = 2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request came from, and what they may do."""

    organization: str
    actor: str  # the principal's name
    actor_kind: ActorKind
    key_id: str
    roles: frozenset[Role]  # implied ones too
    workspace_patterns: tuple[str, ...] | None  # None: every workspace of the organization


@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownKey:
    """One row of the keys, as it was read at `read_at_s`."""

    principal: Principal
    is_revoked: bool
    expires_at: datetime | None
    last_used_on: date | None
    read_at_s: float  # when the reading began: what changed since may be missing


@dataclass(frozen=True, slots=True)
class _Reading:
    """What became of one look into the database; `known` is None for a key that is not there."""

    is_answered: bool
    known: _KnownKey | None = None


class Authenticator:
    """Belongs to one event loop; `close` before the Control it reads from.

    Making one reads the installation's secrets: from a thread or before the loop runs. Raises
    ControlUnavailableError then.
    """

    def __init__(
        self,
        control: Control,
        *,
        monotonic_s: MonotonicClock,
        utc_now: UtcClock,
        read_wait_s: float = READ_WAIT_S,
    ) -> None:
        self._control = control
        self._pepper = control.installation().pepper
        self._monotonic_s = monotonic_s
        self._utc_now = utc_now
        self._read_wait_s = read_wait_s
        self._known: LruCache[bytes, _KnownKey] = LruCache(KNOWN_KEYS_MAX)
        self._unknown_until_s: LruCache[bytes, float] = LruCache(UNKNOWN_KEYS_MAX)
        self._refreshes: dict[bytes, asyncio.Task[_Reading]] = {}
        self._first_reads: dict[bytes, asyncio.Task[_Reading]] = {}
        self._refresh_slots = asyncio.Semaphore(_READS_AT_ONCE)
        self._first_read_slots = asyncio.Semaphore(_READS_AT_ONCE)
        self._notes: set[asyncio.Task[None]] = set()
        self._note_slot = asyncio.Semaphore(1)
        self._away_until_s = float("-inf")

    async def authenticate(self, token: str) -> Principal:
        """The principal of an API key, as it stands after `Bearer `.

        Raises NotAuthenticatedError: no key, or one that is no longer good. Raises
        ControlUnavailableError: nobody can tell now. A key read less than 5 s ago costs a dict
        look-up; else this waits for the database, 2 s at most.
        """
        if len(token) != KEY_CHARACTERS or not token.isascii():
            raise MalformedKeyError
        key_digest = digest(self._pepper, token)
        known = self._known.get(key_digest)
        now_s = self._monotonic_s()
        if known is None:
            return await self._meet(token, key_digest, now_s)
        if now_s - known.read_at_s < FRESH_S:
            return self._admit(known)
        return await self._meet_again(known, key_digest, now_s)

    async def close(self) -> None:
        """Wait for what is under way with the database."""
        under_way = {*self._refreshes.values(), *self._first_reads.values(), *self._notes}
        if under_way:
            await asyncio.wait(under_way)

    def _admit(self, known: _KnownKey) -> Principal:
        if known.is_revoked:
            raise KeyRevokedError(_former(known))
        if known.expires_at is not None and self._utc_now() >= known.expires_at:
            raise KeyExpiredError(_former(known))
        return known.principal

    async def _meet(self, token: str, key_digest: bytes, now_s: float) -> Principal:
        """A key that is not in the cache."""
        if not is_well_formed(token):
            raise MalformedKeyError
        unknown_until_s = self._unknown_until_s.get(key_digest)
        if unknown_until_s is not None and now_s < unknown_until_s:
            raise UnknownKeyError
        task = self._first_reads.get(key_digest)
        if task is None:
            is_crowded = len(self._first_reads) >= UNKNOWN_READS_MAX
            if is_crowded or now_s < self._away_until_s:
                raise ControlUnavailableError("The key could not be checked; try again.")
            task = self._start(self._first_reads, self._first_read_slots, key_digest)
        reading = await self._outcome(task)
        if not reading.is_answered:
            raise ControlUnavailableError("The key could not be checked; try again.")
        if reading.known is None:
            raise UnknownKeyError
        return self._admit(reading.known)

    async def _meet_again(self, known: _KnownKey, key_digest: bytes, now_s: float) -> Principal:
        """A key whose entry is due for another reading."""
        if now_s < self._away_until_s:
            return self._admit_without_database(known)
        task = self._refreshes.get(key_digest)
        if task is None:
            task = self._start(self._refreshes, self._refresh_slots, key_digest)
        reading = await self._outcome(task)
        if not reading.is_answered:
            # One request finds out that the database is away; those after it need not wait.
            self._away_until_s = max(self._away_until_s, self._monotonic_s() + RETRY_S)
            return self._admit_without_database(known)
        if reading.known is None:
            raise UnknownKeyError
        return self._admit(reading.known)

    def _admit_without_database(self, known: _KnownKey) -> Principal:
        if self._monotonic_s() - known.read_at_s >= KNOWN_GOOD_S:
            raise ControlUnavailableError("The key could not be checked for too long; try again.")
        return self._admit(known)

    def _start(
        self,
        reads: dict[bytes, asyncio.Task[_Reading]],
        slots: asyncio.Semaphore,
        key_digest: bytes,
    ) -> asyncio.Task[_Reading]:
        # A task of its own: a client that hangs up does not end it for the others who wait.
        task = asyncio.create_task(self._read(key_digest, slots))
        reads[key_digest] = task
        task.add_done_callback(lambda _: reads.pop(key_digest))
        return task

    async def _outcome(self, task: asyncio.Task[_Reading]) -> _Reading:
        await asyncio.wait({task}, timeout=self._read_wait_s)
        return task.result() if task.done() else _Reading(is_answered=False)

    async def _read(self, key_digest: bytes, slots: asyncio.Semaphore) -> _Reading:
        async with slots:
            read_at_s = self._monotonic_s()
            try:
                key = await asyncio.to_thread(self._find, key_digest)
            except ControlUnavailableError:
                self._away_until_s = self._monotonic_s() + RETRY_S
                _log.warning("control_database_away", retry_s=RETRY_S)
                return _Reading(is_answered=False)
        if key is None:
            self._known.drop(key_digest)
            self._unknown_until_s.put(key_digest, read_at_s + FRESH_S)
            return _Reading(is_answered=True)
        known = _known_key(key, read_at_s)
        self._known.put(key_digest, known)
        self._note_use(known)
        return _Reading(is_answered=True, known=known)

    def _find(self, key_digest: bytes) -> Key | None:
        with self._control.reading() as connection:
            return find_key(connection, key_digest)

    def _note_use(self, known: _KnownKey) -> None:
        """Write the day down, once a day and key; nobody waits for it."""
        now = self._utc_now()
        is_expired = known.expires_at is not None and now >= known.expires_at
        is_noted = known.last_used_on is not None and known.last_used_on >= now.date()
        if known.is_revoked or is_expired or is_noted or len(self._notes) >= NOTES_MAX:
            return
        task = asyncio.create_task(self._write_note(known.principal.key_id, now.date()))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_note(self, key_id: str, day: date) -> None:
        try:
            async with self._note_slot:
                await asyncio.to_thread(self._note, key_id, day)
        except ControlUnavailableError:
            # The next reading of the key finds the day missing and tries again.
            _log.warning("key_use_not_noted", key_id=key_id)

    def _note(self, key_id: str, day: date) -> None:
        with self._control.writing() as connection:
            note_use(connection, key_id, day)


def open_authenticator(control: Control) -> Authenticator:
    """By the clocks of this machine. Raises as `Authenticator` does."""
    return Authenticator(control, monotonic_s=time.monotonic, utc_now=lambda: datetime.now(UTC))


def _known_key(key: Key, read_at_s: float) -> _KnownKey:
    return _KnownKey(
        principal=Principal(
            organization=key.organization,
            actor=key.principal,
            actor_kind=key.principal_kind,
            key_id=key.key_id,
            roles=effective_roles(key.roles),
            workspace_patterns=key.workspace_patterns,
        ),
        is_revoked=key.revoked_at is not None,
        expires_at=key.expires_at,
        last_used_on=key.last_used_on,
        read_at_s=read_at_s,
    )


def _former(known: _KnownKey) -> FormerKey:
    principal = known.principal
    return FormerKey(
        organization=principal.organization,
        actor=principal.actor,
        actor_kind=principal.actor_kind,
        key_id=principal.key_id,
    )
