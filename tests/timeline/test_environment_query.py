import uuid

from tests.timeline.trail import Trail, run
from timeline.environment_query import WorkspaceRow, mirror_workspaces, read_environments


def say(trail: Trail, name: str, environment: str | None, version: int) -> None:
    row = WorkspaceRow(
        organization=trail.organization,
        name=name,
        environment=environment,
        labels={"team": 'it\'s \\ "quoted"'},
        deploy_actions=["deploy"],
        registered_at=1,
        version=version,
    )
    run(mirror_workspaces(trail.store, [row], token=uuid.uuid4().hex))


def environments(trail: Trail, *names: str) -> dict[str, str]:
    return run(read_environments(trail.store, trail.organization, names))


def test_environment_is_what_was_said_last(trail: Trail) -> None:
    say(trail, "a", "production", 2)
    say(trail, "a", "staging", 1)
    say(trail, "b", "production", 1)
    say(trail, "b", None, 2)

    assert environments(trail, "a", "b", "c") == {"a": "production"}
    assert environments(trail) == {}


def test_other_organizations_labels_do_not_count(trail: Trail) -> None:
    say(Trail(trail.store), "a", "production", 1)

    assert environments(trail, "a") == {}
