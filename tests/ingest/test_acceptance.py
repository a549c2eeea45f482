"""What becomes of a body, without HTTP around it."""

import json
from typing import Any

import pytest

from ingest.acceptance import Acceptance, accept, may_send_to
from ingest.media_type import MediaType
from runtime.http import Problem
from schemas.envelope import Envelope
from schemas.limits import EVENT_BYTES_MAX
from tests.ingest.world import (
    INSTANCE_ID,
    RECEIVED_AT,
    RUN_ID,
    SECRET,
    cloudevent,
    instance,
    padded_run,
    principal,
    run,
    run_id,
)


def verdicts(
    body: Any, media_type: MediaType = MediaType.JSON, *, is_lenient: bool = False, **key: Any
) -> Acceptance:
    return accept(
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        media_type,
        principal=principal(**key),
        received_at=RECEIVED_AT,
        is_lenient=is_lenient,
    )


def codes(acceptance: Acceptance) -> list[tuple[int, str]]:
    return [(rejection["index"], rejection["code"]) for rejection in acceptance.rejected]


def test_an_envelope_says_who_sent_it_by_the_key_and_not_by_the_event() -> None:
    acceptance = verdicts(run(user="mallory"))

    (envelope,) = acceptance.envelopes
    assert (envelope.sender.organization, envelope.sender.actor) == ("acme", "alice")
    assert (envelope.sender.actor_kind, envelope.sender.key_id) == ("person", "key-1")
    assert (envelope.workspace, envelope.received_at) == ("acme-infra", RECEIVED_AT)
    assert envelope.events[0].fields["user"] == "mallory"


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (MediaType.JSON, json.dumps([run(), run(stdout="x"), 5]).encode()),
        (
            MediaType.NDJSON,
            b"\n".join(json.dumps(each).encode() for each in (run(), run(stdout="x"), 5)),
        ),
        (
            MediaType.CLOUDEVENT_BATCH,
            json.dumps([cloudevent(data=each) for each in (run(), run(stdout="x"), 5)]).encode(),
        ),
    ],
)
def test_events_get_the_same_verdicts_in_every_form(media_type: MediaType, body: bytes) -> None:
    acceptance = verdicts(body, media_type)

    assert acceptance.accepted == 1
    assert acceptance.rejected == [
        {
            "index": 1,
            "id": RUN_ID,
            "code": "unknown_field",
            "field": "stdout",
            "detail": acceptance.rejected[0]["detail"],
        },
        {"index": 2, "code": "not_an_object", "detail": "an event is a JSON object"},
    ]
    assert verdicts(body, media_type) == acceptance


def test_blank_lines_are_not_counted_and_a_line_that_is_no_json_is_refused_alone() -> None:
    lines = [b"", json.dumps(run()).encode(), b"   ", b"{nope", b"NaN", json.dumps(run()).encode()]

    acceptance = verdicts(b"\r\n".join(lines), MediaType.NDJSON)

    assert acceptance.accepted == 2
    assert codes(acceptance) == [(1, "not_json"), (2, "not_json")]


def test_a_bad_item_in_an_array_is_json_or_the_whole_body_is_not() -> None:
    with pytest.raises(Problem) as raised:
        verdicts(b'[{"type": "action_run"}, {"a": 01}]')

    assert (raised.value.status, raised.value.slug) == (400, "not_json")


@pytest.mark.parametrize("size_bytes", [EVENT_BYTES_MAX - 1, EVENT_BYTES_MAX])
def test_an_event_of_16_kib_as_sent_is_accepted(size_bytes: int) -> None:
    assert verdicts(padded_run(size_bytes)).accepted == 1


def test_one_byte_more_is_too_long_whatever_the_form() -> None:
    long = padded_run(EVENT_BYTES_MAX + 1)
    wrapped = json.dumps(cloudevent(data=None)).encode()[:-1] + b', "data": ' + long + b"}"

    for media_type, body in (
        (MediaType.JSON, long),
        (MediaType.JSON, b"[" + long + b"]"),
        (MediaType.NDJSON, long + b"\n"),
        (MediaType.CLOUDEVENT, wrapped),
        (MediaType.CLOUDEVENT_BATCH, b"[" + wrapped + b"]"),
    ):
        (rejection,) = verdicts(body, media_type).rejected
        assert (rejection["code"], rejection["id"]) == ("too_long", RUN_ID)
        assert "field" not in rejection


def test_a_long_line_that_is_no_json_is_not_json_first() -> None:
    long = padded_run(EVENT_BYTES_MAX + 1)

    assert codes(verdicts(long[:-1] + b"NaN}", MediaType.NDJSON)) == [(0, "not_json")]
    with pytest.raises(Problem):
        verdicts(long[:-1] + b"NaN}")


def test_a_long_event_gives_no_id_that_is_not_one() -> None:
    body = padded_run(EVENT_BYTES_MAX + 1, id=SECRET)

    (rejection,) = verdicts(body).rejected

    assert "id" not in rejection
    assert SECRET not in repr(rejection)


def test_only_data_counts_towards_the_size_of_a_cloudevent() -> None:
    body = json.dumps(cloudevent(comment="x" * (2 * EVENT_BYTES_MAX))).encode()

    assert verdicts(body, MediaType.CLOUDEVENT).accepted == 1


def test_lenient_handling_keeps_the_event_flags_it_and_names_what_was_dropped() -> None:
    events = [run(), run(stdout=SECRET), run(**{"a b": 1})]

    acceptance = verdicts(events, is_lenient=True)

    assert acceptance.accepted == 3
    assert acceptance.dropped == [{"index": 1, "fields": ["stdout"]}, {"index": 2, "fields": []}]
    (envelope,) = acceptance.envelopes
    flags = [event.fields.get("fields_dropped") for event in envelope.events]
    assert flags == [None, True, True]
    assert SECRET not in repr(acceptance)
    assert codes(verdicts(events)) == [(1, "unknown_field"), (2, "unknown_field")]


@pytest.mark.parametrize("spelling", [SECRET, "".join(f"\\u{ord(each):04x}" for each in SECRET)])
def test_a_secret_under_a_known_name_is_refused_however_it_is_spelled(spelling: str) -> None:
    acceptance = verdicts(json.dumps(run(reason="#")).replace("#", spelling).encode())

    assert codes(acceptance) == [(0, "looks_like_secret")]
    assert SECRET not in repr(acceptance)


def test_a_cli_instance_travels_under_its_own_id() -> None:
    acceptance = verdicts([instance(), instance(workspace="acme-infra"), run()])

    assert [(each.key, len(each.events)) for each in acceptance.envelopes] == [
        (f"acme/{INSTANCE_ID}", 2),
        ("acme/acme-infra", 1),
    ]


def test_a_narrowed_key_sends_to_its_workspaces_only() -> None:
    events = [run(), run(workspace="prod"), run(workspace="acme-x"), instance()]

    acceptance = verdicts(events, workspace_patterns=("acme-*",))

    assert acceptance.accepted == 3
    (rejection,) = acceptance.rejected
    assert (rejection["index"], rejection["id"]) == (1, RUN_ID)
    assert (rejection["code"], rejection["field"]) == ("bad_value", "workspace")


def test_which_workspaces_a_key_may_send_to() -> None:
    narrow = principal(workspace_patterns=("one", "two-*"))

    allowed = ["one", "two-", "two-x", None]
    assert [name for name in allowed if may_send_to(narrow, name)] == allowed
    assert not any(may_send_to(narrow, name) for name in ("ones", "two", "One", "x"))
    assert may_send_to(principal(), "anything")


def test_a_large_request_is_split_and_nothing_is_lost_or_moved() -> None:
    filler = "x" * 250
    events = [
        run(id=run_id(number), reason=filler, user=filler, hostname=filler)
        for number in range(1_500)
    ]

    acceptance = verdicts(events)

    assert len(acceptance.envelopes) == 3
    assert [event.fields["id"] for event in all_events(acceptance.envelopes)] == [
        run_id(number) for number in range(1_500)
    ]


def all_events(envelopes: list[Envelope]) -> list[Any]:
    return [event for envelope in envelopes for event in envelope.events]


@pytest.mark.parametrize("media_type", list(MediaType))
@pytest.mark.parametrize("body", [b"", b" \n\t", b"\xef\xbb\xbf", b"\xff\xfe", b'"\xc3"'])
def test_no_event_and_no_utf8_are_refused_whole(media_type: MediaType, body: bytes) -> None:
    with pytest.raises(Problem) as raised:
        verdicts(body, media_type)

    assert raised.value.status == 400
