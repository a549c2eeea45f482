"""API keys as they are stored: everything but the key itself.

Must stay true:
- The text of a key exists once, in what `create_key` returns; the database holds its digest.
- A revoked key stays revoked, with the moment of its first revocation.
- A key of another organization is answered like one that does not exist.
- Of two revocations at once that would leave no admin key, one is refused.

All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    String,
    and_,
    cast,
    not_,
    null,
    or_,
    select,
    update,
)

from control.api_key import digest, generate
from control.dialects import take_turn
from control.errors import InvalidValueError, LastAdminKeyError, NotFoundError
from control.names import check_text
from control.pages import FIRST_PAGE, Page
from control.roles import Role, known_roles
from control.tables import KEYS, ORGANIZATIONS, PRINCIPALS
from control.workspace_patterns import check_patterns
from schemas.kinds import ActorKind
from schemas.limits import NAME_CHARACTERS_MAX

_KEY_ID_BYTES: Final = 6

RandomBytes = Callable[[int], bytes]  # n unpredictable bytes, such as `secrets.token_bytes`


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What may be shown of a key at any time. Times are aware UTC."""

    key_id: str  # `key-` and 12 hex digits; no part of the secret
    organization: str
    principal: str
    principal_kind: ActorKind
    name: str
    roles: frozenset[Role]  # as granted, without those they imply
    workspace_patterns: tuple[str, ...] | None  # None: every workspace
    created_at: datetime
    last_used_on: date | None  # UTC; a day is enough to find keys nobody uses
    expires_at: datetime | None  # the first moment at which it is no longer good
    revoked_at: datetime | None

    def is_good_at(self, moment: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)

    @property
    def is_manager(self) -> bool:
        """Whether it may manage keys while it is good. One narrowed to workspaces may not."""
        return Role.ADMIN in self.roles and self.workspace_patterns is None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys a list holds; what is not stated is not asked for. Moments are aware."""

    principals: Collection[str] = ()  # any of them
    good_at: datetime | None = None
    not_good_at: datetime | None = None


EVERY_KEY: Final = KeyFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What somebody asks for. `roles` as granted; `expires_at` aware."""

    organization: str
    principal: str
    name: str
    roles: AbstractSet[Role]
    workspace_patterns: Sequence[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKey:
    key: Key
    text: str = field(repr=False)  # show it once, keep it nowhere


def create_key(
    connection: Connection,
    wanted: NewKey,
    *,
    pepper: bytes,
    random_bytes: RandomBytes,
    now: datetime,
) -> CreatedKey:
    """Raises InvalidValueError, NotFoundError (the organization or principal)."""
    _check(wanted, now)
    organization_id, principal_id = _owner(connection, wanted)
    text = generate(random_bytes)
    key_id = f"key-{random_bytes(_KEY_ID_BYTES).hex()}"
    patterns = None if wanted.workspace_patterns is None else list(wanted.workspace_patterns)
    connection.execute(
        KEYS.insert().values(
            key_id=key_id,
            organization_id=organization_id,
            principal_id=principal_id,
            hash=digest(pepper, text),
            name=wanted.name,
            roles=sorted(wanted.roles),
            workspace_patterns=patterns,
            created_at=now,
            expires_at=wanted.expires_at,
        )
    )
    key = _key(connection.execute(_SELECT.where(KEYS.c.key_id == key_id)).one())
    return CreatedKey(key=key, text=text)


def list_keys(
    connection: Connection,
    organization: str,
    page: Page = FIRST_PAGE,
    only: KeyFilter = EVERY_KEY,
) -> list[Key]:
    """Sorted by key id, revoked and expired ones too; of an unknown organization there are none."""
    query = (
        _SELECT.where(ORGANIZATIONS.c.name == organization, KEYS.c.key_id > page.after)
        .where(*_conditions(only))
        .order_by(KEYS.c.key_id)
        .limit(page.limit)
    )
    return [_key(row) for row in connection.execute(query)]


def get_key(connection: Connection, *, organization: str, key_id: str) -> Key:
    """Raises NotFoundError."""
    query = _SELECT.where(ORGANIZATIONS.c.name == organization, KEYS.c.key_id == key_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError("key")
    return _key(row)


def revoke_key(
    connection: Connection,
    *,
    organization: str,
    key_id: str,
    now: datetime,
    spares_last_admin: bool = False,
) -> Key:
    """The key, now revoked; again changes nothing.

    Raises NotFoundError; LastAdminKeyError when told to spare the organization's last good key
    that may manage keys, and this is it.
    """
    if spares_last_admin:
        _check_not_last(connection, organization, key_id, now)
    owner = select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.name == organization)
    is_this_one = (KEYS.c.key_id == key_id, KEYS.c.organization_id == owner.scalar_subquery())
    connection.execute(
        update(KEYS).where(*is_this_one, KEYS.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    row = connection.execute(_SELECT.where(*is_this_one)).one_or_none()
    if row is None:
        raise NotFoundError("key")
    return _key(row)


def find_key(connection: Connection, key_digest: bytes) -> Key | None:
    """The key with this digest, good or not."""
    row = connection.execute(_SELECT.where(KEYS.c.hash == key_digest)).one_or_none()
    return None if row is None else _key(row)


def note_use(connection: Connection, key_id: str, day: date) -> None:
    """That the key was used on `day` (UTC); an earlier day changes nothing."""
    is_news = or_(KEYS.c.last_used_on.is_(None), KEYS.c.last_used_on < day)
    connection.execute(
        update(KEYS).where(KEYS.c.key_id == key_id, is_news).values(last_used_on=day)
    )


def any_key_exists(connection: Connection) -> bool:
    """Of any organization, revoked ones too."""
    return connection.execute(select(KEYS.c.key_id).limit(1)).one_or_none() is not None


_SELECT: Final[Select[Any]] = (
    select(
        KEYS,
        ORGANIZATIONS.c.name.label("organization"),
        PRINCIPALS.c.name.label("principal"),
        PRINCIPALS.c.kind.label("principal_kind"),
    )
    .select_from(KEYS)
    .join(PRINCIPALS, KEYS.c.principal_id == PRINCIPALS.c.id)
    .join(ORGANIZATIONS, KEYS.c.organization_id == ORGANIZATIONS.c.id)
)


def _good_at(moment: datetime) -> ColumnElement[bool]:
    """As `Key.is_good_at`."""
    is_in_time = or_(KEYS.c.expires_at.is_(None), KEYS.c.expires_at > moment)
    return and_(KEYS.c.revoked_at.is_(None), is_in_time)


def _conditions(only: KeyFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if only.principals:
        conditions.append(PRINCIPALS.c.name.in_(only.principals))
    if only.good_at is not None:
        conditions.append(_good_at(only.good_at))
    if only.not_good_at is not None:
        conditions.append(not_(_good_at(only.not_good_at)))
    return conditions


# As `Key.is_manager`. Roles are stored as a JSON list of names from a closed vocabulary, so this
# text cannot stand in it for anything else.
_IS_MANAGER: Final = and_(
    cast(KEYS.c.roles, String).like(f'%"{Role.ADMIN}"%'), KEYS.c.workspace_patterns.is_(null())
)


def _check_not_last(connection: Connection, organization: str, key_id: str, now: datetime) -> None:
    # Two keys that revoke each other would both see the other one still good.
    take_turn(connection)
    key = get_key(connection, organization=organization, key_id=key_id)
    if not (key.is_manager and key.is_good_at(now)):
        return
    others = _SELECT.where(
        ORGANIZATIONS.c.name == organization, KEYS.c.key_id != key_id, _good_at(now), _IS_MANAGER
    )
    if connection.execute(others.limit(1)).one_or_none() is None:
        raise LastAdminKeyError


def _check(wanted: NewKey, now: datetime) -> None:
    check_text(wanted.principal, field="principal", characters_max=NAME_CHARACTERS_MAX)
    check_text(wanted.name, field="name")
    check_patterns(wanted.workspace_patterns)
    if not wanted.roles:
        raise InvalidValueError("At least one role.", field="roles")
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidValueError("Must lie in the future.", field="expires_at")


def _owner(connection: Connection, wanted: NewKey) -> tuple[int, int]:
    row = connection.execute(
        select(PRINCIPALS.c.organization_id, PRINCIPALS.c.id)
        .join(ORGANIZATIONS)
        .where(ORGANIZATIONS.c.name == wanted.organization, PRINCIPALS.c.name == wanted.principal)
    ).one_or_none()
    if row is None:
        raise NotFoundError("principal")
    return row.organization_id, row.id


def _key(row: Row[Any]) -> Key:
    patterns = row.workspace_patterns
    return Key(
        key_id=row.key_id,
        organization=row.organization,
        principal=row.principal,
        principal_kind=ActorKind(row.principal_kind),
        name=row.name,
        roles=known_roles(row.roles),
        workspace_patterns=None if patterns is None else tuple(patterns),
        created_at=row.created_at,
        last_used_on=row.last_used_on,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
