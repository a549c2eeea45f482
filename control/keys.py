"""API keys as they are stored: everything but the key itself.

Must stay true:
- The text of a key exists once, in what `create_key` returns; the database holds its digest.
- A revoked key stays revoked, with the moment of its first revocation.
- A key of another organization is answered like one that does not exist.

All functions run in the transaction of `connection` and raise ControlUnavailableError through it.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, or_, select, update

from control.api_key import digest, generate
from control.errors import InvalidValueError, NotFoundError
from control.names import check_text
from control.pages import FIRST_PAGE, Page
from control.roles import Role, known_roles
from control.tables import KEYS, ORGANIZATIONS, PRINCIPALS
from control.workspace_patterns import check_patterns
from schemas.kinds import ActorKind

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


def list_keys(connection: Connection, organization: str, page: Page = FIRST_PAGE) -> list[Key]:
    """Sorted by key id, revoked and expired ones too; of an unknown organization there are none."""
    query = (
        _SELECT.where(ORGANIZATIONS.c.name == organization, KEYS.c.key_id > page.after)
        .order_by(KEYS.c.key_id)
        .limit(page.limit)
    )
    return [_key(row) for row in connection.execute(query)]


def revoke_key(connection: Connection, *, organization: str, key_id: str, now: datetime) -> Key:
    """The key, now revoked; again changes nothing. Raises NotFoundError."""
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


def _check(wanted: NewKey, now: datetime) -> None:
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
