"""What becomes of a body: envelopes for the log, and a rejection for each event refused. Pure.

Must stay true:
- Same bytes, same answer: nothing here waits, reads a clock or logs.
- One bad event never costs another its place, as long as the body can be told apart into events.
- Each event is in an envelope or among the rejections, never in both, never in neither.

Source: the contract, section 3.
"""

from dataclasses import dataclass

from control.authenticator import Principal
from control.workspace_patterns import allows
from ingest.cloudevents import split_batch, split_one
from ingest.cutting import SizedEvent, cut
from ingest.json_events import (
    NotJsonError,
    RawJson,
    check,
    check_utf8,
    decode,
    event_id,
    split_json,
    split_lines,
)
from ingest.media_type import MediaType
from ingest.problems import not_json
from schemas.envelope import Envelope, Event, Sender
from schemas.limits import EVENT_BYTES_MAX, KIB
from schemas.rejections import DroppedFields, Rejection, RejectionCode
from schemas.secrets import may_hold_secret
from schemas.validation import Refusal, ValidEvent, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """`rejected` and `dropped` are in the order of the events."""

    envelopes: list[Envelope]
    accepted: int
    rejected: list[Rejection]
    dropped: list[DroppedFields]


def accept(
    body: bytes,
    media_type: MediaType,
    *,
    principal: Principal,
    received_at: int,
    is_lenient: bool = False,
) -> Acceptance:
    """The verdict on each event of `body`; `received_at` in µs.

    Raises a Problem when there are no events to judge: 400, or 413 when there are too many.
    """
    check_utf8(body)
    pieces = _split(body, media_type)
    search_secrets = may_hold_secret(body)
    valid: list[SizedEvent] = []
    rejected: list[Rejection] = []
    dropped: list[DroppedFields] = []
    for index, raw in enumerate(pieces):
        if isinstance(raw, Refusal):
            rejected.append(_rejection(index, raw))
            continue
        if len(raw) > EVENT_BYTES_MAX:
            rejected.append(_rejection(index, _refuse_long(raw, media_type)))
            continue
        try:
            value = decode(raw)
        except NotJsonError as error:
            rejected.append(_rejection(index, _refuse_malformed(error, media_type)))
            continue
        verdict = validate(
            value,
            organization=principal.organization,
            is_lenient=is_lenient,
            search_secrets=search_secrets,
        )
        if isinstance(verdict, ValidEvent) and not may_send_to(principal, verdict.workspace):
            verdict = _refuse_workspace(verdict)
        if isinstance(verdict, Refusal):
            rejected.append(_rejection(index, verdict))
            continue
        if verdict.dropped is not None:
            verdict.fields["fields_dropped"] = True
            dropped.append(DroppedFields(index=index, fields=list(verdict.dropped)))
        event = Event(verdict.type, verdict.fields)
        valid.append(SizedEvent(event, verdict.workspace, len(raw)))
    return Acceptance(
        envelopes=cut(valid, sender=sender_of(principal), received_at=received_at),
        accepted=len(valid),
        rejected=rejected,
        dropped=dropped,
    )


def sender_of(principal: Principal) -> Sender:
    """Who the events come from: the key's owner, whatever the events say."""
    return Sender(
        organization=principal.organization,
        actor=principal.actor,
        actor_kind=principal.actor_kind,
        key_id=principal.key_id,
    )


def may_send_to(principal: Principal, workspace: str | None) -> bool:
    """Whether the key may send events of this workspace; a CLI instance may have none."""
    return workspace is None or allows(principal.workspace_patterns, workspace)


def _split(body: bytes, media_type: MediaType) -> list[RawJson] | list[RawJson | Refusal]:
    match media_type:
        case MediaType.JSON:
            return split_json(body)
        case MediaType.NDJSON:
            return split_lines(body)
        case MediaType.CLOUDEVENT:
            return split_one(body)
        case MediaType.CLOUDEVENT_BATCH:
            return split_batch(body)


def _rejection(index: int, refusal: Refusal) -> Rejection:
    """Its members in the contract's order."""
    rejection: Rejection = {"index": index}  # type: ignore[typeddict-item]
    if refusal.id is not None:
        rejection["id"] = refusal.id
    rejection["code"] = refusal.code
    if refusal.field is not None:
        rejection["field"] = refusal.field
    rejection["detail"] = refusal.detail
    return rejection


def _refuse_long(raw: RawJson, media_type: MediaType) -> Refusal:
    if media_type is MediaType.NDJSON:
        try:
            check(raw)
        except NotJsonError as error:
            return _refuse_malformed(error, media_type)
    return Refusal(
        RejectionCode.TOO_LONG,
        f"an event is at most {EVENT_BYTES_MAX // KIB} KiB as sent",
        id=event_id(raw),
    )


def _refuse_malformed(error: NotJsonError, media_type: MediaType) -> Refusal:
    """Only lines can be told apart when one of them is no JSON. Else raises a 400 Problem."""
    if media_type is not MediaType.NDJSON:
        raise not_json(str(error)) from None
    return Refusal(RejectionCode.NOT_JSON, str(error))


def _refuse_workspace(event: ValidEvent) -> Refusal:
    return Refusal(
        RejectionCode.BAD_VALUE,
        "this key may not send events of this workspace",
        "workspace",
        event.fields["id"],
    )
