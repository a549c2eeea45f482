"""A key made in the control database itself, beside all servers, for who lost every admin key.

Who can write to that database can do anything to it: nothing is asked here about roles.
"""

import secrets
from datetime import UTC, datetime

from control.database import Control, open_control
from control.errors import InvalidValueError, NotFoundError
from control.keys import CreatedKey, NewKey, create_key
from control.organizations import organization_exists
from control.principals import ensure_principal
from runtime.errors import RefusedError
from runtime.settings import Settings
from schemas.kinds import ActorKind


def create_offline_key(settings: Settings, wanted: NewKey, kind: ActorKind) -> CreatedKey:
    """The key of a principal, made as one of this kind if need be.

    Raises RefusedError: no such organization, or a value that cannot be; ControlUnavailableError,
    SettingsError.
    """
    control = open_control(settings.control_database_url)
    try:
        return _create(control, wanted, kind)
    except NotFoundError as error:
        raise RefusedError(
            "there is no such organization in this control database; is it the right one"
            " (OPSTRAIL_CONTROL_URL, OPSTRAIL_DATA_DIR)?"
        ) from error
    except InvalidValueError as error:
        raise RefusedError(f"{error.field}: {error}", code=error.code, field=error.field) from error
    finally:
        control.close()


def _create(control: Control, wanted: NewKey, kind: ActorKind) -> CreatedKey:
    pepper = control.installation().pepper
    now = datetime.now(UTC)
    with control.writing() as connection:
        if not organization_exists(connection, wanted.organization):
            raise NotFoundError("organization")
        ensure_principal(
            connection,
            organization=wanted.organization,
            name=wanted.principal,
            kind=kind,
            now=now,
        )
        return create_key(
            connection, wanted, pepper=pepper, random_bytes=secrets.token_bytes, now=now
        )
