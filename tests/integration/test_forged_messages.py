"""Messages that can be read and say what we would never write: none may stop a partition.

Each goes the way of the real one, up to the insert. It may end as a dead letter, as rows that make
no sense, or passed over; it may not raise.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from processors.access_batch import decoded
from processors.dead_letter import DEAD_LETTER_CODEC
from processors.stage import Stage
from schemas.access_event import ACCESS_CODEC
from schemas.codec import UndecodableError
from schemas.entry import TIMELINE_CODEC, decode_batch
from schemas.envelope import Envelope, Event, Sender, encode_envelope
from tests.support.access_log import AT_US
from tests.timeline.conftest import store as store
from tests.timeline.trail import (
    LOST_AFTER_US,
    Trail,
    at_us,
    id_of,
    link_row,
    run_entry,
    snapshot_row,
)
from timeline.access_writer import AccessWriter
from timeline.store import Store

START, END = at_us("10:00"), at_us("10:05")
EVENTS: dict[str, dict[str, Any]] = {
    "action_run": {
        "id": id_of(1),
        "block": "web",
        "block_from": "example/web:1",
        "action": "deploy",
        "started_at": START,
        "finished_at": END,
        "duration_ms": 300_000,
        "exit_code": 0,
        "status": "successful",
        "retriggered_from": id_of(2),
        "cli_instance_id": "cli-8f3891b2",
        "cli_version": "1.2.3",
        "client_seq": 1,
    },
    "ssh_session": {
        "id": id_of(1),
        "host": {"inventory_name": "server01"},
        "started_at": START,
        "ended_at": END,
        "duration_ms": 300_000,
        "exit_code": 0,
    },
    "workspace_sync": {
        "id": id_of(1),
        "timestamp": START,
        "result": "success",
        "git": {"branch": "main", "before_sha": "dc3a1f7", "after_sha": "a42b9e1"},
        "encryption": {"enabled": True, "key_id": "age1", "status": "ok"},
    },
    "cli_instance": {
        "id": "cli-8f3891b2",
        "cli_version": "1.2.3",
        "os": "linux",
        "arch": "amd64",
        "hostname": "laptop",
        "first_seen": START,
        "last_seen": END,
        "client_seq": 1,
    },
}
NUMBERS = (-1, -(2**31), 2**31 - 1, -(2**63), 2**53, 2**63 - 1)
TEXTS = ("", "\0", "\u202e", "x" * 100_000, "{", "../..")
SENDER = {"organization": "forged", "actor": "mallory", "actor_kind": "person", "key_id": "key-1"}


def forged(value: Any) -> Iterator[Any]:
    """The same with one thing of it as nobody would write it, each in turn."""
    if isinstance(value, dict):
        for name, inner in value.items():
            for other in forged(inner):
                yield {**value, name: other}
    elif isinstance(value, list) and value:
        for other in forged(value[0]):
            yield [other]
    elif isinstance(value, str):
        yield from TEXTS
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from NUMBERS


def envelopes() -> Iterator[bytes]:
    whole = {"sender": SENDER, "workspace": "acme", "received_at": END}
    for type_, fields in EVENTS.items():
        workspace = None if type_ == "cli_instance" else "acme"
        for said in (
            *({**whole, "fields": each} for each in forged(fields)),
            *({**each, "fields": fields} for each in forged(whole)),
        ):
            envelope = Envelope(
                sender=Sender(**said["sender"]),
                workspace=workspace and said["workspace"],
                received_at=said["received_at"],
                events=[Event(type_, said["fields"])],
            )
            try:
                yield encode_envelope(envelope)
            except (TypeError, ValueError, OverflowError):
                continue  # the schema itself does not let it through


def test_no_envelope_stops_the_correlation_or_the_sink(store: Store) -> None:
    trail = Trail(store)
    batches, letters, count = [], 0, 0
    for offset, message in enumerate(envelopes()):
        outcome = Stage(lost_after_us=LOST_AFTER_US).handle(
            message, partition=3, offset=offset, load_row=lambda _: None
        )
        for letter in outcome.dead_letters:
            DEAD_LETTER_CODEC.encode(letter)
        batches += [decode_batch(TIMELINE_CODEC.encode(batch)) for batch in outcome.batches]
        letters += len(outcome.dead_letters)
        count += 1
    trail.insert(*batches)

    assert 0 < letters < count
    assert count > 200


def test_no_batch_stops_the_sink(store: Store) -> None:
    trail = Trail(store)
    observation: Any = {
        "cli_instance_id": "cli-8f3891b2",
        "observed_at": START,
        "is_sighting": True,
        "cli_version": "1.2.3",
        "actor": "alice",
    }
    entry = run_entry(1, exit_code=0, links=[link_row(gap_ms=1)], flags=["late"])
    whole: Any = trail.batch(entry, observations=[observation])
    whole |= {"actor": "a", "actor_kind": "person", "key_id": "key-1"}
    whole["snapshots"] = [snapshot_row(run_entry(1), dead_reason="conflicting_snapshot")]
    readable, unreadable = [], 0
    for batch in forged(whole):
        try:
            readable.append(decode_batch(_encoded(batch)))
        except UndecodableError:
            unreadable += 1
    trail.insert(*readable)

    assert unreadable
    assert len(readable) > 50


def _encoded(batch: Any) -> bytes:
    try:
        return TIMELINE_CODEC.encode(batch)
    except (TypeError, ValueError, OverflowError) as error:
        raise UndecodableError("not even written") from error


@pytest.mark.parametrize("revision", [0, 1])
def test_no_access_event_stops_the_access_log(store: Store, revision: int) -> None:
    whole = {
        "revision": revision,
        "at": AT_US,
        **SENDER,
        "action": "read",
        "operation": "GET /v1/timeline",
        "target": "{}",
        "status": 200,
        "rows": 1,
        "request_id": "r",
        "client": "127.0.0.1",
        "count": 1,
    }
    messages = []
    for number, event in enumerate(forged(whole)):
        try:
            messages.append(ACCESS_CODEC.encode({**event, "id": number.to_bytes(16, "big")}))
        except (TypeError, ValueError, OverflowError):
            continue
    events = decoded(zip(itertools.repeat(0), itertools.count(), messages))

    AccessWriter(store).insert_now(events, token=f"forged {revision}")

    assert 0 < len(events) < len(messages)
