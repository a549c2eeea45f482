import pytest

from tests.timeline.trail import Trail, at_us, link_row, run, run_entry, session_entry
from timeline.scope import Scope
from timeline.sql_views import RESERVED, VIEWS, bind_views
from timeline.statement import Statement


def filled(trail: Trail) -> Trail:
    trail.put(run_entry(1, links=[link_row()], cli_instance_id="cli-8f3891b2"), session_entry(2))
    trail.put(run_entry(3), workspace="other")
    trail.observe(
        {
            "cli_instance_id": "cli-8f3891b2",
            "observed_at": at_us("10:00"),
            "is_sighting": True,
            "actor": "alice",
        }
    )
    return trail


@pytest.mark.parametrize(
    ("view", "own", "narrowed"),
    [
        ("timeline", 3, 2),
        ("action_runs", 2, 1),
        ("ssh_sessions", 1, 1),
        ("links", 1, 1),
        ("cli_instances", 1, 1),
        ("workspaces", 2, 1),
    ],
)
def test_a_view_alone_holds_the_readers_rows_alone(
    trail: Trail, view: str, own: int, narrowed: int
) -> None:
    """Without the guard around it, and without the engine's filter behind it."""
    filled(trail)
    filled(Trail(trail.store))

    for patterns, expected in ((None, own), (("ac*",), narrowed), (("acme",), narrowed)):
        scope = Scope(trail.organization, patterns)
        bound = bind_views(
            trail.store.database, scope, lost_before_us=0, deploy_actions=("deploy",)
        )
        counted = Statement(f"SELECT count() FROM ({bound.selects[view]})", bound.parameters)
        assert run(trail.store.rows(counted)) == [(expected,)]


def test_every_parameter_is_one_that_no_query_may_have() -> None:
    bound = bind_views("db", Scope("a", ("b*",)), lost_before_us=0, deploy_actions=())
    assert all(name.startswith(RESERVED) for name in bound.parameters)
    assert list(bound.selects) == [view.name for view in VIEWS]
