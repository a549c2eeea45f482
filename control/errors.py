"""What control refuses and what it cannot answer.

OpstrailError
├── RefusedError
│   ├── InvalidValueError          a name, role or label that cannot be; names the field
│   ├── AlreadyExistsError
│   ├── NotFoundError              also for what is another organization's
│   ├── LastAdminKeyError
│   └── NotAuthenticatedError      401; the one answer for every bad key
│       ├── MalformedKeyError          not shaped like a key, or its checksum is wrong
│       ├── UnknownKeyError
│       ├── KeyRevokedError
│       └── KeyExpiredError
└── UnavailableError
    └── ControlUnavailableError    the control database is away, or not prepared yet
"""

from dataclasses import dataclass

from runtime.errors import RefusedError, UnavailableError
from schemas.kinds import ActorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerKey:
    """Whose key it was that is no longer good. For the access log; never part of an answer."""

    organization: str
    actor: str
    actor_kind: ActorKind
    key_id: str


class InvalidValueError(RefusedError):
    """A value that cannot be; the text never repeats it."""

    def __init__(self, detail: str, *, field: str, code: str = "bad_value") -> None:
        super().__init__(detail, code=code, field=field)


class AlreadyExistsError(RefusedError):
    """There is one of that name already."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"There is a {noun} of this name.", code="already_exists", field="name")


class NotFoundError(RefusedError):
    """There is none, or it is another organization's: nobody can tell which."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"There is no such {noun}.", code="not_found", field=noun)


class LastAdminKeyError(RefusedError):
    """Without this key nobody could manage the organization's keys any more."""

    def __init__(self) -> None:
        super().__init__(
            "This is the last good admin key of the organization.", code="last_admin_key"
        )


class NotAuthenticatedError(RefusedError):
    """Whoever holds no valid key learns only that; the class, and `former` where the key was good
    once, are for counting and for tests.
    """

    def __init__(self, former: FormerKey | None = None) -> None:
        super().__init__("The API key is missing or not valid.", code="not_authenticated")
        self.former = former


class MalformedKeyError(NotAuthenticatedError):
    """Not shaped like a key of ours; refused without a look into the database."""


class UnknownKeyError(NotAuthenticatedError):
    """Well formed, but not a key of this installation."""


class KeyRevokedError(NotAuthenticatedError):
    """The key was good until somebody revoked it."""


class KeyExpiredError(NotAuthenticatedError):
    """The key's end has come."""


class ControlUnavailableError(UnavailableError):
    """The control database did not answer, or holds no tables yet."""
