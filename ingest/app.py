"""`POST /v1/events`: whose key, how much, what it says, and 202 once it is durable.

Must stay true:
- No 202 before the log has confirmed every envelope.
- Nothing is read of a body before its key is known to be one that may send, and within its rate.
- While a request waits for the log, its body is gone: its events are held once.

Source: the contract, section 3.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from control.authenticator import Principal
from control.errors import NotAuthenticatedError
from control.failed_authentications import FailedAuthentications
from control.roles import Role
from ingest.acceptance import Acceptance, accept
from ingest.body import (
    BodyMemory,
    BodyShare,
    check_content_length,
    read_body,
    read_content_encoding,
)
from ingest.media_type import read_media_type
from ingest.preferences import APPLIED_LENIENT, is_lenient
from ingest.problems import all_events_refused
from runtime.client_address import client_address
from runtime.clock import MonotonicClock, WallClock
from runtime.http import Problem, bearer_token, build_app, forbidden, json_response, unauthenticated
from runtime.key_rates import KeyRates, key_rates
from runtime.log import Log, Position
from runtime.metrics import EVENTS_ACCEPTED, EVENTS_REJECTED
from runtime.settings import Settings
from schemas.limits import KIB
from schemas.position import write_position

EVENTS_PATH: Final = "/v1/events"

# About 7 ms of work; above it, one body at a time is judged in a thread, so that small requests do
# not wait behind it. More threads would only share the same lock.
_THREAD_BODY_BYTES_MIN: Final = 256 * KIB

_type_of = attrgetter("type")


class KeyCheck(Protocol):
    """The part of `control.authenticator.Authenticator` that is needed here."""

    async def authenticate(self, token: str) -> Principal:
        """Raises NotAuthenticatedError, or ControlUnavailableError."""
        ...


def build_ingest_app(
    *,
    authenticator: KeyCheck,
    failed_authentications: FailedAuthentications,
    log: Log,
    position_secret: bytes,
    clock: WallClock,
    settings: Settings,
    more_routes: Sequence[BaseRoute] = (),
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    """An app of its own that takes events in; `more_routes` for health and metrics."""
    routes = ingest_routes(
        authenticator=authenticator,
        failed_authentications=failed_authentications,
        log=log,
        position_secret=position_secret,
        clock=clock,
        settings=settings,
    )
    return build_app([*routes, *more_routes], lifespan=lifespan)


def ingest_routes(
    *,
    authenticator: KeyCheck,
    failed_authentications: FailedAuthentications,
    log: Log,
    position_secret: bytes,
    clock: WallClock,
    settings: Settings,
    monotonic_s: MonotonicClock = time.monotonic,
) -> list[Route]:
    """The routes alone, for an app built by `runtime.http.build_app` that does more than this."""
    intake = Intake(
        authenticator=authenticator,
        failed_authentications=failed_authentications,
        log=log,
        position_secret=position_secret,
        clock=clock,
        append_timeout_s=settings.append_timeout_s,
        rates=key_rates(settings, monotonic_s=monotonic_s),
    )
    return [Route(EVENTS_PATH, intake.receive, methods=["POST"])]


class Intake:
    """Takes events in. Belongs to one event loop."""

    def __init__(
        self,
        *,
        authenticator: KeyCheck,
        failed_authentications: FailedAuthentications,
        log: Log,
        position_secret: bytes,
        clock: WallClock,
        append_timeout_s: float,
        rates: KeyRates,
    ) -> None:
        self._authenticator = authenticator
        self._failed_authentications = failed_authentications
        self._log = log
        self._position_secret = position_secret
        self._clock = clock
        self._append_timeout_s = append_timeout_s
        self._rates = rates
        self._memory = BodyMemory()
        self._large_body = asyncio.Semaphore(1)

    async def receive(self, request: Request) -> Response:
        """202. Raises a Problem for every other answer, or UnavailableError for 503."""
        principal = await self._sender(request)
        headers = (
            {"Preference-Applied": APPLIED_LENIENT}
            if is_lenient(request.headers.getlist("prefer"))
            else {}
        )
        with self._memory.share() as share:
            acceptance = await self._judge(request, principal, share, is_lenient=bool(headers))
            # Bad events are paid for too: they cost as much to judge.
            events = acceptance.accepted + len(acceptance.rejected)
            self._rates.spend_events(principal.key_id, events)
            _count_rejected(acceptance)
            if not acceptance.envelopes:
                problem = all_events_refused(acceptance.rejected)
                problem.headers.update(headers)
                raise problem
            positions = await self._log.append(
                acceptance.envelopes, timeout_s=self._append_timeout_s
            )
        _count_accepted(acceptance)
        position = write_position(
            self._position_secret, principal.organization, last_offsets(positions)
        )
        return json_response(_answer(acceptance, position), status=202, headers=headers)

    async def _sender(self, request: Request) -> Principal:
        """Raises a Problem: 401, 403 or 429; UnavailableError."""
        try:
            token = bearer_token(request)
        except Problem:
            self._failed_authentications.count(None, client_address(request.scope))
            raise
        try:
            principal = await self._authenticator.authenticate(token)
        except NotAuthenticatedError as error:
            self._failed_authentications.count(error, client_address(request.scope))
            raise unauthenticated() from None
        self._rates.spend_request(principal.key_id)
        if Role.SUBMIT not in principal.roles:
            raise forbidden("Sending events takes a key with the role `submit`.")
        self._rates.require_no_event_debt(principal.key_id)
        return principal

    async def _judge(
        self, request: Request, principal: Principal, share: BodyShare, *, is_lenient: bool
    ) -> Acceptance:
        """Raises a Problem: 400, 408, 413 or 415; UnavailableError."""
        media_type = read_media_type(request.headers.getlist("content-type"))
        encoding = read_content_encoding(request.headers.getlist("content-encoding"))
        check_content_length(request.headers.get("content-length"))
        body = await read_body(request.stream(), encoding, share)
        received_at = self._clock()
        if len(body) < _THREAD_BODY_BYTES_MIN:
            return accept(
                body,
                media_type,
                principal=principal,
                received_at=received_at,
                is_lenient=is_lenient,
            )
        async with self._large_body:
            return await asyncio.to_thread(
                accept,
                body,
                media_type,
                principal=principal,
                received_at=received_at,
                is_lenient=is_lenient,
            )


def last_offsets(positions: Sequence[Position]) -> dict[int, int]:
    """Partition -> the last offset in it: where the request is wholly in the log."""
    last: dict[int, int] = {}
    for partition, offset in positions:
        last[partition] = max(offset, last.get(partition, offset))
    return last


def _answer(acceptance: Acceptance, position: str) -> Mapping[str, Any]:
    answer: dict[str, Any] = {
        "accepted": acceptance.accepted,
        "rejected": acceptance.rejected,
        "position": position,
    }
    if acceptance.dropped:
        answer["dropped"] = acceptance.dropped
    return answer


def _count_accepted(acceptance: Acceptance) -> None:
    counts: Counter[str] = Counter()
    for envelope in acceptance.envelopes:
        counts.update(map(_type_of, envelope.events))
    for type_name, count in counts.items():
        EVENTS_ACCEPTED.labels(type_name).inc(count)


def _count_rejected(acceptance: Acceptance) -> None:
    for code, count in Counter(rejection["code"] for rejection in acceptance.rejected).items():
        EVENTS_REJECTED.labels(code.value).inc(count)
