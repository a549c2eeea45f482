"""A host's sessions are looked for only where it was ever reached, and found as if everywhere."""

import pytest

import timeline.host_workspaces
from tests.timeline.trail import Trail, number_of, run, session_entry
from timeline.filters import parse_filters
from timeline.host_workspaces import workspaces_of
from timeline.moment import Moment
from timeline.scope import Scope
from timeline.timeline_query import read_page

HOST = "host_inventory_name"


@pytest.fixture
def reached(trail: Trail) -> Trail:
    """db-3 from two workspaces; web-1 by another of its names from a third."""
    trail.put(session_entry(1, "08:00", **{HOST: "db-3"}), workspace="acme-prod")
    trail.put(session_entry(2, "09:00", **{HOST: "db-3"}), workspace="beta")
    web: dict[str, str] = {HOST: "", "host_ansible_host": "10.0.0.5"}
    trail.put(session_entry(3, "10:00", **web, host_hostname_reported="web-1"), workspace="gamma")
    return trail


def workspaces(trail: Trail, *hosts: str, patterns: list[str] | None = None) -> object:
    scope = Scope(trail.organization, patterns)
    found = run(trail.store.read(lambda connection: workspaces_of(connection, scope, hosts)))
    return found if found is None else sorted(found)


def test_a_host_is_known_by_each_of_its_names_where_it_was_reached(reached: Trail) -> None:
    assert workspaces(reached, "db-3") == ["acme-prod", "beta"]
    assert workspaces(reached, "10.0.0.5") == workspaces(reached, "web-1") == ["gamma"]
    assert workspaces(reached, "db-3", "web-1") == ["acme-prod", "beta", "gamma"]
    assert workspaces(reached, "") == workspaces(reached, "nowhere") == []
    assert workspaces(reached, "db-3", patterns=["acme-*"]) == ["acme-prod"]


def test_sessions_of_a_host_are_found_wherever_it_was_reached(reached: Trail) -> None:
    assert reached.found(("host", "db-3"), ("order", "asc")) == [1, 2]
    assert reached.found(("host", "db-3"), ("host", "web-1"), ("order", "asc")) == [1, 2, 3]
    assert reached.found(("host", "db-3"), ("workspace", "beta")) == [2]
    assert reached.found(("host", "nowhere")) == []
    assert reached.found(("host", "db-3"), ("limit", "1")) == [2]


def test_so_it_is_when_a_host_was_reached_from_more_than_are_looked_up(
    reached: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline.host_workspaces, "WORKSPACES_MAX", 1)

    assert workspaces(reached, "db-3") is None
    assert workspaces(reached, "web-1") == ["gamma"]
    assert reached.found(("host", "db-3"), ("order", "asc")) == [1, 2]


def test_a_host_that_a_later_revision_names_is_found_and_the_former_one_no_longer(
    reached: Trail,
) -> None:
    renamed = session_entry(1, "08:00", revision=9, **{HOST: "db-4"})
    reached.put(renamed, workspace="acme-prod")

    assert reached.found(("host", "db-4")) == [1]
    assert reached.found(("host", "db-3")) == [2]


def test_whoever_sees_some_workspaces_finds_the_hosts_sessions_there(reached: Trail) -> None:
    scope = Scope(reached.organization, ["beta"])
    filters = parse_filters([("host", "db-3")])
    moment = Moment(now_us=0, lost_after_us=0)

    page = run(read_page(reached.store, scope, filters, moment))

    assert [number_of(row) for row in page.rows] == [2]
