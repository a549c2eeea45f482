"""A control database with an organization in it, clocks that stand still, and outages at will."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Unpack

from sqlalchemy import Connection, Engine
from typing_extensions import TypedDict

from control.database import Control
from control.errors import ControlUnavailableError
from control.keys import CreatedKey, Key, NewKey, create_key, list_keys, revoke_key
from control.organizations import create_organization
from control.principals import create_principal
from control.roles import Role
from schemas.kinds import ActorKind

NOON = datetime(2026, 3, 24, 12, 0, tzinfo=UTC)


class Details(TypedDict, total=False):
    principal: str
    name: str
    roles: set[Role]
    workspace_patterns: list[str] | None
    expires_at: datetime | None


def settle(control: Control, *organizations: str) -> None:
    """Each of the organizations, with the person anna and the service account ci."""
    with control.writing() as connection:
        for organization in organizations:
            create_organization(connection, organization, now=NOON)
            for name, kind in (("anna", ActorKind.PERSON), ("ci", ActorKind.SERVICE)):
                create_principal(
                    connection, organization=organization, name=name, kind=kind, now=NOON
                )


def issue(control: Control, organization: str, **details: Unpack[Details]) -> CreatedKey:
    """A key of the service account ci that may submit, unless `details` say otherwise."""
    wanted: Details = {"principal": "ci", "name": "a key", "roles": {Role.SUBMIT}}
    wanted.update(details)
    pepper = control.installation().pepper
    with control.writing() as connection:
        return create_key(
            connection,
            NewKey(organization=organization, **wanted),
            pepper=pepper,
            random_bytes=secrets.token_bytes,
            now=NOON,
        )


def revoke(control: Control, organization: str, created: CreatedKey) -> None:
    with control.writing() as connection:
        revoke_key(connection, organization=organization, key_id=created.key.key_id, now=NOON)


def keys_of(control: Control, organization: str) -> list[Key]:
    with control.reading() as connection:
        return list_keys(connection, organization)


def last_used_on(control: Control, organization: str, created: CreatedKey) -> date | None:
    (key,) = [k for k in keys_of(control, organization) if k.key_id == created.key.key_id]
    return key.last_used_on


@dataclass
class Clocks:
    """Both of them, moved by hand."""

    passed_s: float = field(default=1_000.0)

    def monotonic_s(self) -> float:
        return self.passed_s

    def utc_now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed_s - 1_000.0)


class FlakyControl(Control):
    """A real one that counts, and that goes away or hangs when told to."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.reads = 0
        self.writes = 0
        self.is_away = False
        self.is_read_only = False
        self._to_hold = 0
        self._released = threading.Event()

    def hold(self, reads: int) -> None:
        """The next so many readings hang until `release`."""
        self._to_hold = reads
        self._released.clear()

    def release(self) -> None:
        self._to_hold = 0
        self._released.set()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self.reads += 1
        if self._to_hold:
            self._to_hold -= 1
            assert self._released.wait(timeout=20)
        if self.is_away:
            raise ControlUnavailableError("away")
        with super().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        self.writes += 1
        if self.is_read_only:
            raise ControlUnavailableError("read-only")
        with super().writing() as connection:
            yield connection


async def until_reads(control: FlakyControl, reads: int) -> None:
    """Wait until the database has been asked so many times."""
    async with asyncio.timeout(10):
        while control.reads < reads:
            await asyncio.sleep(0.001)
