from opstrail.unreadable_text import print_unreadable, print_unreadables, unreadable_json
from processors.unreadable import LogAddress, Unreadable
from schemas.times import parse_us
from tests.opstrail.printed import printed, squeezed

AT = parse_us("2026-03-24T11:02:10Z")
MESSAGE = Unreadable(
    address=LogAddress(3, 17),
    detail="envelope: no Avro single-object header",
    size_bytes=12_345,
    found_at=AT,
    after=None,
    is_readable_now=False,
)


def test_a_message_is_a_row_without_its_content() -> None:
    after = MESSAGE._replace(address=LogAddress(0, 4), found_at=None, after=AT)

    text = printed(print_unreadables, list(map(unreadable_json, (MESSAGE, after))))

    assert text == (
        "place  when (UTC)               bytes  what was wrong\n"
        "3-17   2026-03-24 11:02        12,345  envelope: no Avro single-object header\n"
        "0-4    after 2026-03-24 11:02  12,345  envelope: no Avro single-object header\n"
    )


def test_none_are_said_to_be_none() -> None:
    assert printed(print_unreadables, []) == "nothing that nobody could read\n"


def test_one_is_told_with_its_place_and_what_can_be_done() -> None:
    text = printed(print_unreadable, unreadable_json(MESSAGE))
    later = printed(print_unreadable, unreadable_json(MESSAGE._replace(is_readable_now=True)))

    assert text.splitlines()[0] == "message 3-17, which nobody could read"
    for fact in ("audit.events, partition 3, offset 17", "2026-03-24 11:02 UTC", "upgrade"):
        assert squeezed(fact) in squeezed(text)
    assert squeezed("This version can read it") in squeezed(later)


def test_a_program_gets_every_field_whether_known_or_not() -> None:
    assert unreadable_json(MESSAGE._replace(found_at=None)) == {
        "id": "3-17",
        "topic": "audit.events",
        "partition": 3,
        "offset": 17,
        "reason": "undecodable",
        "detail": "envelope: no Avro single-object header",
        "bytes": 12_345,
        "found_at": None,
        "received_after": None,
        "is_readable_now": False,
    }
