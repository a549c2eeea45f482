"""One message of the log in; rows, batches and dead letters out."""

import dataclasses
import time

import pytest
from prometheus_client import REGISTRY

from processors.snapshot_row import ROWS_PER_BATCH_MAX
from processors.stage import Outcome, Stage
from schemas.codec import UndecodableError
from schemas.entry import TIMELINE_CODEC
from schemas.envelope import Envelope, Event, decode_envelope, encode_envelope
from schemas.limits import ENVELOPE_BYTES_MAX, EVENTS_PER_REQUEST_MAX
from schemas.topics import EVENTS, MESSAGE_BYTES_MAX
from tests.processors.builders import INSTANCE, id_of, run, session
from tests.simulation.core import LOST_AFTER_US, envelopes_of
from tests.simulation.oracle import Delivery


def message_of(*deliveries: Delivery) -> bytes:
    (envelope,) = envelopes_of(deliveries)
    return encode_envelope(envelope)


class Desk:
    """A stage and its table."""

    def __init__(self) -> None:
        self.stage = Stage(lost_after_us=LOST_AFTER_US)
        self.table: dict[bytes, bytes] = {}

    def handle(self, message: bytes, offset: int, partition: int = 3) -> Outcome:
        outcome = self.stage.handle(
            message, partition=partition, offset=offset, load_row=self.table.get
        )
        if outcome.row is not None:
            key, value = outcome.row
            self.table[key] = value
        return outcome

    def restart(self) -> None:
        self.stage = Stage(lost_after_us=LOST_AFTER_US)
        self.stage.restore(self.table)


def instance() -> Delivery:
    named = run(1)
    event = {
        "type": "cli_instance",
        "id": INSTANCE,
        "cli_version": "1.0.0",
        "os": "linux",
        "arch": "amd64",
        "hostname": "laptop",
    }
    return Delivery(event=event, actor=named.actor, received_at=named.received_at)


@pytest.mark.parametrize("message", [b"", b"\0", b"not an envelope", message_of(run())[:-1]])
def test_an_undecodable_message_is_a_dead_letter_with_its_position(message: bytes) -> None:
    outcome = Desk().handle(message, 7)

    (letter,) = outcome.dead_letters
    assert letter["reason"] == "undecodable"
    assert (letter["topic"], letter["partition"], letter["offset"]) == (EVENTS, 3, 7)
    assert letter["content"] == message
    assert letter["detail"]
    assert outcome.row is None


def test_an_undecodable_message_has_a_batch_so_that_the_watermark_goes_on() -> None:
    outcome = Desk().handle(b"not an envelope", 7)

    (batch,) = outcome.batches
    assert (batch["partition"], batch["offset"], batch["is_last"]) == (3, 7, True)
    assert (batch["entries"], batch["observations"]) == ([], [])


def test_an_event_that_ingest_never_sends_makes_its_message_undecodable_and_changes_nothing() -> (
    None
):
    (envelope,) = envelopes_of([run(1), run(2)])
    envelope.events[1].fields["status"] = "exploded"
    desk = Desk()

    outcome = desk.handle(encode_envelope(envelope), 0)

    assert [letter["reason"] for letter in outcome.dead_letters] == ["undecodable"]
    assert desk.stage.facts == 0


def test_a_cli_instance_that_lacks_what_it_must_state_makes_its_message_undecodable() -> None:
    (sent,) = envelopes_of([run(1)])
    bare = Event("cli_instance", {"id": "cli-8f3891b2", "os": "linux", "arch": "amd64"})
    envelope = Envelope(
        sender=sent.sender, workspace=None, received_at=sent.received_at, events=[bare]
    )
    desk = Desk()

    outcome = desk.handle(encode_envelope(envelope), 0)

    assert [letter["reason"] for letter in outcome.dead_letters] == ["undecodable"]
    assert outcome.batches[0]["observations"] == []


@pytest.mark.parametrize(
    ("delivery", "name", "inside"),
    [
        *((run(1), name, None) for name in ("block", "action")),
        (session(1), "host", "inventory_name"),
    ],
)
def test_a_required_text_that_is_empty_makes_its_message_undecodable_and_changes_nothing(
    delivery: Delivery, name: str, inside: str | None
) -> None:
    (envelope,) = envelopes_of([run(2), delivery])
    fields = dict(envelope.events[1].fields)
    fields[name] = "" if inside is None else {**fields[name], inside: ""}
    events = [envelope.events[0], Event(envelope.events[1].type, fields)]
    desk = Desk()

    outcome = desk.handle(encode_envelope(dataclasses.replace(envelope, events=events)), 0)

    assert [letter["reason"] for letter in outcome.dead_letters] == ["undecodable"]
    assert desk.stage.facts == 0


def test_a_time_that_no_calendar_holds_makes_its_message_undecodable_and_changes_nothing() -> None:
    (envelope,) = envelopes_of([run(1), run(2)])
    envelope.events[1].fields["started_at"] = 2**62
    desk = Desk()

    outcome = desk.handle(encode_envelope(envelope), 0)

    assert [letter["reason"] for letter in outcome.dead_letters] == ["undecodable"]
    assert desk.stage.facts == 0


def test_the_stage_goes_on_after_an_undecodable_message() -> None:
    desk = Desk()
    desk.handle(b"not an envelope", 0)

    assert len(desk.handle(message_of(run()), 1).batches[0]["entries"]) == 1


def test_a_dead_letter_is_counted_and_its_time_told_by_reason() -> None:
    named = {"reason": "undecodable"}
    before = REGISTRY.get_sample_value("opstrail_dead_letters_total", named) or 0

    started_s = time.time()
    Desk().handle(b"garbage", 5)

    assert REGISTRY.get_sample_value("opstrail_dead_letters_total", named) == before + 1
    newest_s = REGISTRY.get_sample_value("opstrail_newest_dead_letter_timestamp_seconds", named)
    assert newest_s is not None
    assert started_s <= newest_s <= time.time()


@pytest.mark.parametrize(
    ("records", "sizes"),
    [(1, [1]), (249, [249]), (250, [250]), (251, [250, 1]), (501, [250, 250, 1])],
)
def test_a_large_envelope_is_split_and_exactly_its_last_batch_is_last(
    records: int, sizes: list[int]
) -> None:
    runs = [run(number, cli_instance_id=INSTANCE) for number in range(1, records + 1)]

    outcome = Desk().handle(message_of(*runs), 5)

    assert [len(batch["entries"]) for batch in outcome.batches] == sizes
    assert [batch["is_last"] for batch in outcome.batches] == [*[False] * (len(sizes) - 1), True]
    assert [batch["offset"] for batch in outcome.batches] == [5] * len(sizes)
    ids = [entry["id"] for batch in outcome.batches for entry in batch["entries"]]
    assert ids == [id_of(number) for number in range(1, records + 1)]
    assert [bool(batch["observations"]) for batch in outcome.batches] == [
        True,
        *[False] * (len(sizes) - 1),
    ]


def test_snapshots_are_split_like_entries_and_none_is_left_out() -> None:
    events = ROWS_PER_BATCH_MAX + 1
    desk = Desk()
    desk.handle(message_of(run()), 0)

    outcome = desk.handle(message_of(*[run()] * events), 1)

    parts = [batch["snapshots"] for batch in outcome.batches]
    assert [len(part) for part in parts] == [ROWS_PER_BATCH_MAX, 1]
    assert [row["index"] for part in parts for row in part] == list(range(events))
    assert [batch["is_last"] for batch in outcome.batches] == [False, True]


@pytest.mark.parametrize("is_repeated", [False, True])
def test_the_largest_envelopes_leave_no_batch_too_large_for_a_message(is_repeated: bool) -> None:
    wide = {"hostname": "ü" * 256, "reason": "\\" * 256, "ticket": '"' * 256, "user": "ü" * 256}
    least = [run(number, end=None) for number in range(EVENTS_PER_REQUEST_MAX)]
    lean = message_of(*least)
    fat = message_of(*(session(number, cli_instance_id=INSTANCE, **wide) for number in range(295)))
    assert max(len(lean), len(fat)) < ENVELOPE_BYTES_MAX < 1.25 * min(len(lean), len(fat))

    for message in (lean, fat):
        desk = Desk()
        outcome = desk.handle(message, 0)
        if is_repeated:
            outcome = desk.handle(message, 0)
        sizes = [len(TIMELINE_CODEC.encode(batch)) for batch in outcome.batches]
        assert max(sizes) < MESSAGE_BYTES_MAX - 100_000


def test_an_envelope_that_changes_nothing_still_has_one_last_batch() -> None:
    desk = Desk()
    desk.handle(message_of(run()), 0)

    outcome = desk.handle(message_of(run()), 1)

    (batch,) = outcome.batches
    assert (batch["entries"], batch["is_last"], batch["offset"]) == ([], True, 1)
    assert outcome.row is None


def test_a_cli_instance_is_observed_and_keeps_no_row() -> None:
    desk = Desk()

    outcome = desk.handle(message_of(instance()), 0)

    (batch,) = outcome.batches
    assert (batch["workspace"], batch["entries"], batch["is_last"]) == ("", [], True)
    assert len(batch["observations"]) == 1
    assert (outcome.row, desk.stage.facts) == (None, 0)


def test_a_dead_event_is_a_letter_that_can_be_sent_again() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0)

    outcome = desk.handle(message_of(run(2), run(1, end="10:06")), 1)

    (letter,) = outcome.dead_letters
    assert (letter["reason"], letter["index"]) == ("conflicting_snapshot", 1)
    assert (letter["topic"], letter["partition"], letter["offset"]) == (EVENTS, 3, 1)
    assert (letter["organization"], letter["workspace"]) == ("default", "db")
    assert (letter["kind"], letter["id"]) == ("action_run", id_of(1))
    resent = decode_envelope(letter["content"])
    assert [event.fields["id"] for event in resent.events] == [id_of(1)]
    assert resent.sender.actor == "anna"


def test_every_event_is_kept_as_it_came_the_dead_ones_with_their_reason() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0)
    events = (run(2), run(1, end="10:06"), run(1))

    (batch,) = desk.handle(message_of(*events), 1).batches

    assert [(row["index"], row["id"], row["dead_reason"]) for row in batch["snapshots"]] == [
        (0, id_of(2), ""),
        (1, id_of(1), "conflicting_snapshot"),
        (2, id_of(1), ""),
    ]
    assert (batch["actor"], batch["actor_kind"]) == ("anna", events[0].actor_kind)
    assert batch["key_id"] == events[0].key_id


def test_a_snapshot_of_another_actor_is_kept_with_its_sender() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0)

    (batch,) = desk.handle(message_of(run(1, actor="berta")), 1).batches

    assert (batch["actor"], batch["snapshots"][0]["dead_reason"]) == ("berta", "foreign_snapshot")


def test_what_cli_instances_say_of_themselves_is_kept_too() -> None:
    (batch,) = Desk().handle(message_of(instance()), 0).batches

    (row,) = batch["snapshots"]
    assert (batch["workspace"], row["kind"], row["id"]) == ("", "cli_instance", INSTANCE)


def test_a_dead_event_is_not_observed() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0)

    outcome = desk.handle(message_of(run(1, end="10:06", cli_instance_id=INSTANCE)), 1)

    assert outcome.batches[0]["observations"] == []


@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_same_message_again_leads_to_the_same(is_restarted: bool) -> None:
    message = message_of(
        run(1, cli_instance_id=INSTANCE), session(1, "10:06", "10:07"), run(1, end="10:09")
    )
    desk = Desk()
    first = desk.handle(message, 0)
    if is_restarted:
        desk.restart()

    again = desk.handle(message, 0)

    assert len(first.batches[0]["entries"]) == 2
    assert len(first.dead_letters) == 1
    assert again.batches == first.batches
    assert again.dead_letters == first.dead_letters
    assert again.row is None


def test_a_replay_emits_what_is_known_now_with_its_revision() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0)
    (later,) = desk.handle(message_of(session(1)), 1).batches
    desk.restart()

    (again,) = desk.handle(message_of(run(1)), 0).batches

    (entry,) = again["entries"]
    assert entry in later["entries"]
    assert entry["revision"] == 1
    assert again["offset"] == 0


def test_a_replay_of_all_messages_ends_where_the_first_pass_did() -> None:
    messages = [message_of(run(1)), message_of(session(1)), message_of(run(2, "09:50", "09:55"))]
    desk = Desk()
    for offset, message in enumerate(messages):
        desk.handle(message, offset)
    desk.restart()

    replayed = [desk.handle(message, offset) for offset, message in enumerate(messages)]

    by_id = {}
    for outcome in replayed:
        for entry in outcome.batches[0]["entries"]:
            by_id[entry["kind"], entry["id"]] = entry["revision"]
    assert by_id == {
        ("action_run", id_of(1)): 1,
        ("action_run", id_of(2)): 2,
        ("ssh_session", id_of(1)): 2,
    }


def test_partitions_do_not_know_each_others_records() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0, partition=1)

    (batch,) = desk.handle(message_of(session(1)), 0, partition=2).batches

    assert [entry["link_rule"] for entry in batch["entries"]] == [[]]
    assert desk.stage.facts == 2


def test_restore_forgets_what_was_there() -> None:
    desk = Desk()
    desk.handle(message_of(run(1)), 0)

    desk.stage.restore({})

    assert desk.stage.facts == 0


def test_restore_takes_rows_in_any_order() -> None:
    desk = Desk()
    opened, closed = message_of(run(1, end=None, reason="first")), message_of(run(1))
    desk.handle(opened, 0)
    desk.handle(message_of(run(1, end=None, reason="second", ticket="T-1")), 1)
    desk.stage.restore(dict(reversed(desk.table.items())))

    (batch,) = desk.handle(closed, 2).batches

    assert batch["entries"][0]["reason"] == "first"


def test_a_damaged_row_stops_the_restore() -> None:
    with pytest.raises(UndecodableError):
        Stage(lost_after_us=LOST_AFTER_US).restore({b"key of it": b"damaged"})
