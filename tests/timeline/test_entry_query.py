from tests.timeline.trail import Trail, at_us, id_of, run, run_entry, session_entry
from timeline.cursor import Cursor
from timeline.entry_query import read_entries, read_named_places
from timeline.scope import Scope


def workspaces(trail: Trail, kind: str, number: int, workspace: str | None = None) -> list[str]:
    scope = Scope(trail.organization)
    rows = run(read_entries(trail.store, scope, kind, id_of(number), workspace))
    return [row["workspace"] for row in rows]


def test_entry_is_found_by_kind_and_id(trail: Trail) -> None:
    trail.put(run_entry(1), run_entry(2, "2190-01-01T00:00:00Z", "2190-01-01T00:00:00Z"))
    trail.put(session_entry(1, "11:00"), workspace="other")

    assert workspaces(trail, "action_run", 1) == ["acme"]
    assert workspaces(trail, "action_run", 2) == ["acme"]
    assert workspaces(trail, "ssh_session", 1) == ["other"]
    assert workspaces(trail, "workspace_sync", 1) == []
    assert workspaces(trail, "action_run", 3) == []


def test_newest_revision_is_what_is_found(trail: Trail) -> None:
    trail.put(run_entry(1, revision=2, actor="bob"))
    trail.put(run_entry(1, revision=1))

    (row,) = run(read_entries(trail.store, Scope(trail.organization), "action_run", id_of(1)))
    assert (row["revision"], row["actor"]) == (2, "bob")


def test_an_id_in_several_workspaces_is_found_in_all_or_in_the_one_named(trail: Trail) -> None:
    trail.put(run_entry(1), workspace="b")
    trail.put(run_entry(1, "11:00"), workspace="a")

    assert workspaces(trail, "action_run", 1) == ["a", "b"]
    assert workspaces(trail, "action_run", 1, "b") == ["b"]
    assert workspaces(trail, "action_run", 1, "c") == []


def test_other_organizations_and_workspaces_out_of_scope_do_not_exist(trail: Trail) -> None:
    trail.put(run_entry(1))

    for scope in (Scope("nobody"), Scope(trail.organization, ["other", "acme-*"])):
        assert run(read_entries(trail.store, scope, "action_run", id_of(1))) == []
    allowed = Scope(trail.organization, ["ac*"])
    assert len(run(read_entries(trail.store, allowed, "action_run", id_of(1)))) == 1


def test_places_of_several_entries_are_found_by_kind_and_id_in_one_workspace(trail: Trail) -> None:
    trail.put(run_entry(1), run_entry(2, revision=1), session_entry(1, "11:00"), session_entry(3))
    trail.put(run_entry(2, revision=2))
    trail.put(run_entry(1, "12:00"), workspace="other")

    def places(*named: tuple[str, int], scope: Scope | None = None) -> list[Cursor]:
        wanted = [(kind, id_of(number)) for kind, number in named]
        scope = scope or Scope(trail.organization)
        return sorted(run(read_named_places(trail.store, scope, "acme", wanted)))

    assert places(("action_run", 1), ("action_run", 2), ("ssh_session", 1), ("ssh_session", 2)) == [
        Cursor(at_us("10:00"), "action_run", id_of(1), "acme"),
        Cursor(at_us("10:00"), "action_run", id_of(2), "acme"),
        Cursor(at_us("11:00"), "ssh_session", id_of(1), "acme"),
    ]
    assert places() == []
    assert places(("action_run", 1), scope=Scope(trail.organization, ["other"])) == []
    assert places(("action_run", 1), scope=Scope("nobody")) == []
