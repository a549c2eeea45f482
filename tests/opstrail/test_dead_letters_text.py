from typing import Any

from opstrail.dead_letters_text import print_dead_letter, print_dead_letters
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP, SESSION_ID


def letter(**fields: Any) -> dict[str, Any]:
    return {
        "id": "0-4711-0",
        "received_at": "2026-03-24T11:02:10.000000Z",
        "workspace": "acme",
        "kind": "ssh_session",
        "record_id": SESSION_ID,
        "reason": "foreign_snapshot",
        "detail": "the record belongs to another actor, who sent its first snapshot",
        "actor": "bob",
        "actor_kind": "person",
        "key_id": "key-3f9a1c0e77b2",
        "resent_at": None,
        "resent_position": None,
        "event": {
            "type": "ssh_session",
            "id": SESSION_ID,
            "workspace": "acme",
            "host": {"inventory_name": "server01"},
            "started_at": "2026-03-24T10:12:03.000000Z",
            "exit_code": 0,
        },
        **fields,
    }


def whole(**fields: Any) -> dict[str, Any]:
    source = {"topic": "audit.events", "partition": 0, "offset": 4711, "index": 0}
    return letter(source=source, remedy="Have it sent again.", resend_takes_force=True, **fields)


def test_a_dead_letter_is_a_row_with_its_record_below() -> None:
    assert printed(print_dead_letters, [letter()]) == (
        "place     received (UTC)    reason            workspace  by\n"
        "0-4711-0  2026-03-24 11:02  foreign_snapshot  acme       bob\n"
        f"          ssh {SESSION_ID}\n"
    )


def test_one_that_was_resent_says_when_and_whether_that_is_known_to_have_worked() -> None:
    resent: dict[str, Any] = {"resent_at": "2026-03-25T08:15:00.000000Z"}
    known, unknown = (
        printed(print_dead_letters, [letter(**resent, resent_position=position)])
        for position in ("abc", None)
    )

    assert "          resent 2026-03-25 08:15 UTC\n" in known
    assert squeezed("resent 2026-03-25 08:15 UTC; whether the log took it") in squeezed(unknown)
    assert "resent" not in printed(print_dead_letters, [letter()])
    shown = printed(print_dead_letter, whole(**resent, resent_position="abc"))
    assert squeezed("resent 2026-03-25 08:15 UTC") in squeezed(shown)


def test_no_dead_letters_are_said_to_be_none() -> None:
    assert printed(print_dead_letters, []) == "no dead letters\n"


def test_a_place_stays_whole_whatever_stands_beside_it() -> None:
    place = "1023-9223372036854775807-9999"

    text = printed(print_dead_letters, [letter(id=place, workspace=LONG, actor=MARKUP)])

    assert place in text


def test_one_is_told_with_why_what_can_be_done_and_what_was_sent() -> None:
    text = printed(print_dead_letter, whole())

    assert text.splitlines()[0] == "dead letter 0-4711-0"
    for fact in (
        "the record belongs to another actor",
        f"record      ssh {SESSION_ID}",
        "sent by     bob (person), key-3f9a1c0e77b2",
        "received    2026-03-24 11:02",
        "on the log  audit.events, partition 0, offset 4711, event 0",
        "Have it sent again.",
        'host        {"inventory_name": "server01"}',
        "exit_code   0",
    ):
        assert squeezed(fact) in squeezed(text), text
    assert text.count(SESSION_ID) == 1


def test_what_was_sent_cannot_act_on_the_terminal() -> None:
    event = {"reason": "\x1b[2J", "ticket": "\u202egnihton", "user": MARKUP, "block": LONG}

    text = printed(print_dead_letter, whole(event=event, detail=None, reason="of_the_future"))

    assert "\\x1b[2J" in text
    assert "\\u202egnihton" in text
