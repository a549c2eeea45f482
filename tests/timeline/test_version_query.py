import pytest

from tests.timeline.test_instance_query import HISTORY, seen
from tests.timeline.trail import Trail, at_us, run
from timeline.version_query import VersionAt, read_version_at


def version_at(trail: Trail, clock: str, instance: str = "cli-00000001") -> VersionAt | None:
    return run(read_version_at(trail.store, trail.organization, instance, at_us(clock)))


@pytest.mark.parametrize(
    ("clock", "version", "observed"),
    [
        ("2026-03-24T08:00:00.000000Z", "0.17.0", "08:00"),
        ("09:30", "0.17.0", "08:00"),
        ("2026-03-24T09:59:59.999999Z", "0.17.0", "08:00"),
        ("2026-03-24T10:00:00.000000Z", "0.18.0", "10:00"),
        ("10:45", "0.18.0", "10:30"),
        ("11:00", "0.17.0", "11:00"),
        ("23:00", "0.17.0", "11:00"),
        ("2199-12-31T23:59:59.999999Z", "0.17.0", "11:00"),
    ],
)
def test_version_is_that_of_the_latest_observation_by_then(
    trail: Trail, clock: str, version: str, observed: str
) -> None:
    trail.observe(*HISTORY)
    trail.observe(*HISTORY)  # repetition changes nothing

    assert version_at(trail, clock) == VersionAt(version, at_us(observed))


def test_before_the_first_version_none_is_known(trail: Trail) -> None:
    trail.observe(*HISTORY)

    assert version_at(trail, "2026-03-24T07:59:59.999999Z") is None
    assert version_at(trail, "1970-01-01T00:00:00Z") is None
    assert version_at(trail, "12:00", "cli-00000002") is None


def test_of_two_versions_at_one_moment_the_higher_text_counts_as_in_the_register(
    trail: Trail,
) -> None:
    trail.observe(seen("10:00", cli_version="0.9.0"), seen("10:00", cli_version="0.10.0"))

    assert version_at(trail, "10:00") == VersionAt("0.9.0", at_us("10:00"))


def test_what_only_moves_first_seen_back_is_no_sighting_of_a_version(trail: Trail) -> None:
    trail.observe(seen("10:00", is_sighting=False, cli_version="0.9.0"))

    assert version_at(trail, "12:00") is None


def test_other_organizations_observations_do_not_exist(trail: Trail) -> None:
    Trail(trail.store).observe(*HISTORY)

    assert version_at(trail, "12:00") is None
