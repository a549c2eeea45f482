import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import RefusedError
from schemas.access_event import BEGUN, ENDED, AccessAction, AccessEvent
from tests.timeline.trail import at_us
from timeline.access_query import AccessJson, parse_access_filters, read_access_log
from timeline.access_writer import AccessWriter
from timeline.store import Store


def access(organization: str, at: str = "10:00", **more: Any) -> AccessEvent:
    event = AccessEvent(
        id=str(uuid.uuid4()),
        revision=ENDED,
        at=at_us(at),
        organization=organization,
        actor="alice",
        actor_kind="person",
        key_id="key-1",
        action=AccessAction.READ,
        operation="GET /v1/timeline",
        target='{"query":{"limit":["7"]}}',
        status=200,
        rows=7,
        request_id="r-1",
        client="192.0.2.17",
        count=1,
    )
    return replace(event, **more)


def put(store: Store, *events: AccessEvent) -> None:
    asyncio.run(AccessWriter(store).insert(events, token=uuid.uuid4().hex))


def found(store: Store, organization: str, *pairs: tuple[str, str]) -> list[AccessJson]:
    """Every page."""
    items: list[AccessJson] = []
    cursor: list[tuple[str, str]] = []
    while True:
        filters = parse_access_filters([*pairs, *cursor])
        page = asyncio.run(read_access_log(store, organization, filters))
        items += page.items
        assert len(page.items) <= filters.limit
        if page.next_cursor is None:
            return items
        cursor = [("cursor", page.next_cursor)]


@pytest.fixture
def acme() -> str:
    return f"acme-{uuid.uuid4().hex}"


def test_an_access_is_told_as_it_was(store: Store, acme: str) -> None:
    event = access(acme)
    put(store, event)

    assert found(store, acme) == [
        {
            "id": event.id,
            "at": "2026-03-24T10:00:00.000000Z",
            "organization": acme,
            "actor": "alice",
            "actor_kind": "person",
            "key_id": "key-1",
            "action": "read",
            "operation": "GET /v1/timeline",
            "target": {"query": {"limit": ["7"]}},
            "status": 200,
            "rows": 7,
            "request_id": "r-1",
            "client": "192.0.2.17",
            "count": 1,
        }
    ]


def test_what_is_not_known_is_null(store: Store, acme: str) -> None:
    texts = ("actor", "actor_kind", "key_id", "operation", "request_id", "client")
    put(store, access(acme, status=None, rows=None, **dict.fromkeys(texts, "")))

    (item,) = found(store, acme)

    assert {item[name] for name in (*texts, "status", "rows")} == {None}


def test_the_end_of_an_access_takes_the_place_of_its_beginning(store: Store, acme: str) -> None:
    begun = access(acme, revision=BEGUN, status=None, rows=None)
    ended = replace(begun, revision=ENDED, status=200, rows=3)

    put(store, begun)
    assert [item["status"] for item in found(store, acme)] == [None]
    put(store, ended)
    put(store, begun)

    assert [(item["status"], item["rows"]) for item in found(store, acme)] == [(200, 3)]


@pytest.mark.parametrize("limit", ["1", "2", "3", "1000"])
def test_repetitions_and_earlier_revisions_make_no_page_shorter(
    store: Store, acme: str, limit: str
) -> None:
    # Two at the same moment, over hours and over the end of a month.
    times = ["10:00", "10:00", "10:01", "12:30", "2026-04-01T00:00:00Z", "2026-02-01T00:00:00Z"]
    ended = [access(acme, at) for at in times]
    for _ in range(3):
        put(store, *ended, *(replace(event, revision=BEGUN, rows=None) for event in ended))

    items = found(store, acme, ("limit", limit))

    expected = sorted(ended, key=lambda event: (event.at, event.id), reverse=True)
    assert [item["id"] for item in items] == [event.id for event in expected]
    assert {item["rows"] for item in items} == {7}


def test_pages_follow_each_other_while_more_arrives(store: Store, acme: str) -> None:
    put(store, *(access(acme, f"10:0{minute}") for minute in range(4)))
    first = parse_access_filters([("limit", "2")])
    page = asyncio.run(read_access_log(store, acme, first))

    put(store, access(acme, "11:00"))
    assert page.next_cursor is not None
    second = parse_access_filters([("cursor", page.next_cursor)])
    rest = asyncio.run(read_access_log(store, acme, second))

    assert [item["at"][11:16] for item in (*page.items, *rest.items)] == [
        *("10:03", "10:02", "10:01", "10:00"),
    ]
    assert rest.next_cursor is None


@pytest.mark.parametrize(
    ("pairs", "numbers"),
    [
        ([("from", "2026-03-24T11:00:00Z")], [2]),
        ([("to", "2026-03-24T11:00:00Z")], [1, 0]),
        ([("from", "2026-03-24T10:30:00Z"), ("to", "2026-03-24T11:00:00Z")], [1]),
        ([("actor", "bob")], [1]),
        ([("actor", "bob"), ("actor", "alice")], [2, 1, 0]),
        ([("key_id", "key-9")], [2]),
        ([("action", "sql"), ("action", "write")], [1]),
        ([("operation", "GET /v1/timeline"), ("actor", "alice")], [2, 0]),
        ([("installation", "false")], [2, 1, 0]),
    ],
)
def test_filters_narrow_the_list(
    store: Store, acme: str, pairs: list[tuple[str, str]], numbers: list[int]
) -> None:
    events = [
        access(acme, "10:00"),
        access(acme, "10:30", actor="bob", action="sql", operation="POST /v1/sql"),
        access(acme, "11:00", key_id="key-9"),
    ]
    put(store, *events)

    ids = [event.id for event in events]

    assert [ids.index(item["id"]) for item in found(store, acme, *pairs)] == numbers


def test_what_is_of_the_installation_is_no_organizations(store: Store, acme: str) -> None:
    actor = f"nobody-{acme}"
    put(store, access("", actor=actor), access(acme, actor=actor))

    mine = found(store, acme, ("actor", actor))
    installations = found(store, acme, ("actor", actor), ("installation", "true"))

    assert [item["organization"] for item in mine] == [acme]
    assert [item["organization"] for item in installations] == [None]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action", "look"),
        ("installation", "yes"),
        ("cursor", "nonsense"),
        ("limit", "0"),
        ("from", "today"),
        ("to", "2026-03-24"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_access_filters([(name, value)])

    assert refused.value.field == name


def test_an_unknown_action_of_a_newer_version_is_shown(store: Store, acme: str) -> None:
    put(store, access(acme, action="looked_closely"))

    assert [item["action"] for item in found(store, acme)] == ["looked_closely"]
