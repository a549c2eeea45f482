"""Puts each use of the audit trail on record, before who uses it sees anything of it.

Must stay true:
- An answer to a known key begins when its access event is durable in the log. When the log does
  not take it in time the answer is 503 instead, and holds nothing.
- A change is begun when it is on record that it was asked for, and answered when it is on record
  how it ended.
- An answer of any length is on record as begun before its first byte; how many rows were given
  out is added at its end.
- Whose key is not known has no access event: those are counted (control/failed_authentications.py).
  Neither has who is over the rate: that answer holds nothing, and must stay cheap.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.authenticator import Principal
from query.access_target import target_text, told_of_change
from query.export_format import negotiate
from query.export_stream import rows_given
from runtime.access_log import AccessLog
from runtime.client_address import client_address
from runtime.clock import WallClock
from runtime.errors import LogUnavailableError, RefusedError
from runtime.http import RETRY_AFTER_S, Problem, problem_response
from schemas.access_event import (
    BEGUN,
    ENDED,
    SQL_TARGET_BYTES_MAX,
    TARGET_BYTES_MAX,
    AccessAction,
    AccessEvent,
    new_access_id,
)

_SCOPE_KEY: Final = "opstrail.access"
_READING_METHODS: Final = frozenset({"GET", "HEAD"})
# Where the answers of lists, SQL and the summary have their rows.
_ROWS: Final = ("items", "rows", "groups")
_REFUSED_STATUS_MIN: Final = 400
_BUG_STATUS: Final = 500
# As proxies have it.
CLIENT_CLOSED_STATUS: Final = 499

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccessRecorder:
    """`timeout_s`: how long an answer waits for the log."""

    log: AccessLog
    timeout_s: float
    wall_clock: WallClock


class Recorded:
    """ASGI, around the app of one address.

    `action` None: what the method says. Of what is no audit content only refusals are recorded.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        recorder: AccessRecorder,
        path: str,
        action: AccessAction | None,
        is_audit_content: bool,
    ) -> None:
        self._app: Final = app
        self._recorder: Final = recorder
        self._path: Final = path
        self._action: Final = action
        self._is_audit_content: Final = is_audit_content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = Access(
            self._recorder,
            scope,
            operation=f"{scope['method']} {self._path}",
            action=self._action or _action_of(scope["method"]),
            is_audit_content=self._is_audit_content,
        )
        scope[_SCOPE_KEY] = access

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                try:
                    await access.answering(message["status"])
                except LogUnavailableError as error:
                    _log.warning("access not recorded", reason=str(error))
                    await problem_response(access_log_unavailable())(scope, receive, send)
                    raise _AnswerWithheldError from error
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        except _AnswerWithheldError:
            return
        except Exception as error:
            # Answered further out, if at all.
            access.broken_off(error)
            raise
        finally:
            await access.ended()


class _AnswerWithheldError(Exception):
    """The answer was replaced: whoever sends it may stop."""


class Access:
    """One request by a known key, from its arrival to the end of its answer."""

    def __init__(
        self,
        recorder: AccessRecorder,
        scope: Scope,
        *,
        operation: str,
        action: AccessAction,
        is_audit_content: bool,
    ) -> None:
        self._recorder: Final = recorder
        self._scope: Final = scope
        self._operation: Final = operation
        self._action = action
        self._is_audit_content: Final = is_audit_content
        self._id: Final = new_access_id()
        self._at: Final = recorder.wall_clock()
        self._request_id: Final = str(structlog.contextvars.get_contextvars().get("request_id", ""))
        self._principal: Principal | None = None
        self._facts: dict[str, Any] = {}
        self._rows: int | None = None
        self._status: int | None = None
        self._is_log_away = False
        self._is_open = False  # on record as begun, and not as ended

    def by(self, principal: Principal) -> None:
        """Whose request it is: from here on it is recorded."""
        self._principal = principal

    def note(self, **facts: Any) -> None:
        """What was asked for besides the address, such as a query."""
        self._facts |= facts

    async def changing(self) -> None:
        """Before a change: put on record that it was asked for; nothing where none is asked for.

        Raises the 503 problem when the log does not take it.
        """
        if self._action is not AccessAction.WRITE:
            return
        try:
            await self._append(BEGUN, None)
        except LogUnavailableError as error:
            _log.warning("change not begun: access not recorded", reason=str(error))
            raise access_log_unavailable() from error
        self._is_open = True

    def answered(self, result: Any) -> None:
        """What is about to be sent, as the answer's own code made it."""
        if self._action is AccessAction.WRITE:
            self._facts["changed"] = told_of_change(_json_of(result))
        elif isinstance(result, dict):
            found = next((result[name] for name in _ROWS if name in result), None)
            self._rows = len(found) if isinstance(found, list) else None

    async def answering(self, status: int) -> None:
        """Before the first byte of an answer. Raises LogUnavailableError: it must not go out."""
        self._status = status
        if self._principal is None or self._is_log_away:
            return
        is_refused = status >= _REFUSED_STATUS_MIN
        is_stream = not is_refused and rows_given(self._scope) is not None
        if not is_refused and not self._is_audit_content:
            return
        is_export = self._is_export_asked() if is_refused else is_stream
        if self._action is AccessAction.READ and is_export:
            self._action = AccessAction.EXPORT
        await self._append(BEGUN if is_stream else ENDED, self._rows)
        self._is_open = is_stream

    def broken_off(self, error: Exception) -> None:
        """When no answer began yet: what was asked for is recorded all the same, if possible."""
        if self._status is None and self._principal is not None:
            is_gone = isinstance(error, ClientDisconnect)
            self._status = CLIENT_CLOSED_STATUS if is_gone else _BUG_STATUS
            self._is_open = True

    async def ended(self) -> None:
        """The answer is out, or was broken off. Never raises: it cannot be taken back."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            await self._append(ENDED, rows_given(self._scope))
        except LogUnavailableError as error:
            _log.warning("end of an access not recorded", reason=str(error))

    def _is_export_asked(self) -> bool:
        try:
            return negotiate(Request(self._scope)) is not None
        except (RefusedError, Problem):
            return False

    async def _append(self, revision: int, rows: int | None) -> None:
        try:
            await self._recorder.log.append(
                [self._event(revision, rows)], timeout_s=self._recorder.timeout_s
            )
        except LogUnavailableError:
            # Once is enough to wait for.
            self._is_log_away = True
            self._is_open = False
            raise

    def _event(self, revision: int, rows: int | None) -> AccessEvent:
        principal = self._principal
        assert principal is not None, "nobody's request is not recorded"
        return AccessEvent(
            id=self._id,
            revision=revision,
            at=self._at,
            organization=principal.organization,
            actor=principal.actor,
            actor_kind=principal.actor_kind,
            key_id=principal.key_id,
            action=self._action,
            operation=self._operation,
            target=self._target(),
            status=self._status,
            rows=rows,
            request_id=self._request_id,
            client=client_address(self._scope),
            count=1,
        )

    def _target(self) -> str:
        query: dict[str, list[str]] = {}
        for name, value in Request(self._scope).query_params.multi_items():
            query.setdefault(name, []).append(value)
        is_sql = self._action is AccessAction.SQL
        return target_text(
            {"path": self._scope.get("path_params", {}), "query": query, **self._facts},
            bytes_max=SQL_TARGET_BYTES_MAX if is_sql else TARGET_BYTES_MAX,
        )


def access_of(request: Request) -> Access:
    """Inside an address that is recorded."""
    access: Access = request.scope[_SCOPE_KEY]
    return access


def access_log_unavailable() -> Problem:
    """503."""
    return Problem(
        "access_log_unavailable",
        status=503,
        title="The access log does not answer",
        detail="What is asked for is put on record first, and that is not possible now. Try again"
        " later. A change may have been made: look before making it again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _action_of(method: str) -> AccessAction:
    return AccessAction.READ if method in _READING_METHODS else AccessAction.WRITE


def _json_of(result: Any) -> Any:
    """The JSON of an answer that is a response already; None when it has none."""
    if not isinstance(result, Response):
        return result
    try:
        return msgspec.json.decode(result.body)
    except (AttributeError, msgspec.DecodeError):  # a stream has no body
        return None
