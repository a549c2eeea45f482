"""Sightings of CLI instances, for the register. Pure and stateless.

Merged by min, max and "latest that states it", so replays and order do not matter.
Source: the contract, section 2, "CLI instances are a register".
"""

from collections.abc import Iterator

from schemas.entry import ObservationRow
from schemas.envelope import Envelope, Event
from schemas.kinds import CLI_INSTANCE, Kind
from schemas.records import RECORD_KINDS


def observations_of(event: Event, envelope: Envelope) -> Iterator[ObservationRow]:
    """What one event that did not become a dead letter says about a CLI instance."""
    if event.type == CLI_INSTANCE:
        yield from _of_snapshot(event, envelope)
        return
    fields = event.fields
    if (instance_id := fields.get("cli_instance_id")) is None:
        return
    spec = RECORD_KINDS[Kind(event.type)]
    times = {fields[spec.start_field]}
    if spec.end_field is not None and (end := fields.get(spec.end_field)) is not None:
        times.add(end)
    for time_us in sorted(times):
        yield {
            "cli_instance_id": instance_id,
            "observed_at": time_us,
            "is_sighting": True,
            "hostname": fields.get("hostname", ""),
            "os": "",
            "arch": "",
            "cli_version": fields.get("cli_version", ""),
            "actor": envelope.sender.actor,
        }


def _of_snapshot(event: Event, envelope: Envelope) -> Iterator[ObservationRow]:
    fields = event.fields
    row: ObservationRow = {
        "cli_instance_id": fields["id"],
        "observed_at": fields.get("last_seen", envelope.received_at),
        "is_sighting": True,
        "hostname": fields["hostname"],
        "os": fields["os"],
        "arch": fields["arch"],
        "cli_version": fields["cli_version"],
        "actor": envelope.sender.actor,
    }
    yield row
    if (first_seen := fields.get("first_seen")) is not None:
        yield {
            "cli_instance_id": fields["id"],
            "observed_at": first_seen,
            "is_sighting": False,
            "actor": envelope.sender.actor,
        }
