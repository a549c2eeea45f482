"""Letting go of old records changes no timeline: what is needed again is read back."""

import uuid
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import processors.workspace
from processors.horizon import Horizon
from processors.past import PastMissingError, SyncsOf
from processors.stage import Outcome
from tests.simulation.core import LOST_AFTER_US, Core, requests_of
from tests.simulation.histories import disputed_histories, mixed_history, undisputed_histories
from tests.simulation.oracle import Delivery, timeline
from tests.simulation.past import PastStore

many = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

HOUR_US = 3_600_000_000
EVERYTHING = -1_000 * 24 * HOUR_US
ROUNDS_MAX = 40


@pytest.fixture(autouse=True, params=[(0, 0), (500, 2), (500, 100)], ids=str)
def read_back_max(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much of what was read back stays; beside how many last syncs of instances and commits."""
    read_back, last_syncs = request.param
    monkeypatch.setattr(processors.workspace, "READ_BACK_MAX", read_back)
    few = dict.fromkeys(SyncsOf, last_syncs)
    monkeypatch.setattr(processors.workspace, "LAST_SYNCS_MAX", few)
    most: int = read_back
    return most


class ForgetfulCore(Core):
    """A core that lets go of whatever it may after each envelope."""

    def __init__(
        self,
        *,
        horizon_us: int,
        lag: Random | None = None,
        least_us: int | None = None,
        records_max: int = 1_000_000,
    ) -> None:
        super().__init__()
        self.horizon = Horizon(
            longest_us=horizon_us,
            least_us=horizon_us if least_us is None else least_us,
            records_max=records_max,
        )
        self.store = PastStore(lost_after_us=LOST_AFTER_US)
        self.lag = lag
        self.questions = 0

    def outcome(self, offset: int) -> Outcome:
        for _ in range(ROUNDS_MAX):
            try:
                return super().outcome(offset)
            except PastMissingError as missing:
                self.questions += 1
                self.stage.supply(0, missing.needed, self.store.read(missing.needed))
        raise AssertionError("asks again and again")

    def handle(self, offset: int) -> None:
        super().handle(offset)
        lag = self.lag.choice([0, 0, 1, 4]) if self.lag else 0
        self.store.insert(self.messages, max(self.store.inserted_offset, offset - lag))
        self.evict()

    def evict(self, cut_short: int | None = None) -> None:
        changes = self.stage.evict(
            0,
            horizon=self.horizon,
            inserted_offset=self.store.inserted_offset,
            load_row=self.table.get,
            rows_min=1,
        )
        for key, value in changes[:cut_short]:
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value


@many
@given(
    deliveries=undisputed_histories(),
    size=st.integers(1, 20),
    horizon_us=st.sampled_from([EVERYTHING, 0, HOUR_US, 26 * HOUR_US]),
    random=st.randoms(use_true_random=False),
)
def test_a_core_that_lets_go_of_what_is_old_says_what_the_contract_says(
    deliveries: list[Delivery], size: int, horizon_us: int, random: Random
) -> None:
    core = ForgetfulCore(horizon_us=horizon_us, lag=random)
    for request in requests_of(deliveries, size):
        core.send(request)

    assert core.timeline() == timeline(deliveries).entries
    assert core.dead == []


@many
@given(deliveries=disputed_histories(), size=st.integers(1, 20))
def test_what_was_disputed_about_a_record_is_known_after_it_was_let_go_of(
    deliveries: list[Delivery], size: int
) -> None:
    core = ForgetfulCore(horizon_us=EVERYTHING)
    for request in requests_of(deliveries, size):
        core.send(request)
    judged = timeline(deliveries)

    assert core.timeline() == judged.entries
    assert [reason for reason, _ in core.dead] == [reason for _, reason in judged.dead]


@many
@given(
    deliveries=disputed_histories(),
    random=st.randoms(use_true_random=False),
    size=st.integers(1, 5),
)
def test_crashes_between_any_two_changes_of_the_table_lose_nothing(
    deliveries: list[Delivery], random: Random, size: int
) -> None:
    core = ForgetfulCore(horizon_us=EVERYTHING, lag=random)
    for request in requests_of(deliveries, size):
        core.send(request)
        if random.random() < 0.3:
            core.evict(cut_short=random.randrange(4))
            core.crash()
        if core.messages and random.random() < 0.3:
            # Never what the store has: that was committed before.
            first = random.randint(core.store.inserted_offset + 1, len(core.messages))
            for offset in range(first, len(core.messages)):
                core.handle(offset)

    assert core.timeline() == timeline(deliveries).entries


def test_a_month_with_a_horizon_of_two_days_holds_few_records_and_reads_as_without(
    read_back_max: int,
) -> None:
    deliveries = mixed_history(seed=5, count=4_000)
    kept = Core()
    forgetful = ForgetfulCore(horizon_us=48 * HOUR_US)
    most = 0
    for request in requests_of(deliveries, 50):
        kept.send(request)
        forgetful.send(request)
        most = max(most, forgetful.stage.facts)

    assert forgetful.timeline() == kept.timeline()
    assert most < kept.stage.facts / 3 or read_back_max > 0
    assert len(forgetful.table) < len(kept.table) / 3


def test_above_so_many_records_the_oldest_go_first_and_the_youngest_never(
    read_back_max: int,
) -> None:
    deliveries = mixed_history(seed=5, count=1_500)
    kept = Core()
    month_us = 1_000 * 24 * HOUR_US
    bounded = ForgetfulCore(horizon_us=month_us, least_us=48 * HOUR_US, records_max=100)
    most = 0
    first_told: dict[str, datetime] = {}
    for request in requests_of(deliveries, 50):
        kept.send(request)
        bounded.send(request)
        most = max(most, bounded.stage.facts)
        for each in request:
            if each.event["type"] != "cli_instance":
                first_told.setdefault(each.event["id"], each.received_at)
        since = request[-1].received_at - timedelta(hours=48)
        young = {record for record, received_at in first_told.items() if received_at > since}
        assert young <= ids_in_memory(bounded)

    assert bounded.timeline() == kept.timeline()
    assert most < kept.stage.facts / 2 or read_back_max > 0
    assert len(bounded.table) < len(kept.table) / 2


def ids_in_memory(core: Core) -> set[str]:
    correlator = core.stage._correlator(0)
    return {record.id for _, workspace in correlator.workspaces for record in workspace}


def test_nothing_goes_while_there_are_fewer_records_than_may_be() -> None:
    core = ForgetfulCore(horizon_us=1_000 * 24 * HOUR_US, least_us=0, records_max=10_000)
    for request in requests_of(mixed_history(seed=5, count=500), 50):
        core.send(request)

    assert core.store.inserted_offset > 0
    assert core.stage.facts > 100
    assert core.questions == 0


# One record walks across the horizon


def at(hours: float) -> datetime:
    return datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(hours=hours)


def told(kind: str, number: int, received: float, **fields: object) -> Delivery:
    stated = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }
    kinds: dict[str, dict[str, object]] = {
        "ssh_session": {"host": {"inventory_name": "db-3"}},
        "action_run": {"block": "nginx", "action": "deploy"},
    }
    own = kinds.get(kind, {})
    event = {"type": kind, "id": str(uuid.UUID(int=number)), "workspace": "shop", **own, **stated}
    return Delivery(
        event=event,
        organization="default",
        actor="admin",
        actor_kind="service",
        key_id="key-1",
        received_at=at(received),
    )


def filler(hour: int) -> Delivery:
    """Keeps the clock of the log going, an hour at a time; far from everybody else."""
    start = at(hour - 0.01)
    return told(
        "action_run", 1_000 + hour, hour, started_at=start, finished_at=start, commit_sha="0ddc0de"
    )


@pytest.mark.parametrize("half_hours", range(44, 64))
def test_a_late_run_finds_its_session_on_both_sides_of_the_horizon(half_hours: int) -> None:
    arrival = half_hours / 2
    core = ForgetfulCore(horizon_us=26 * HOUR_US)
    deliveries = [
        told("ssh_session", 1, 0.5, started_at=at(0), ended_at=at(0.5)),
        *(filler(hour) for hour in range(4, int(arrival))),
        told("action_run", 2, arrival, started_at=at(0.75), finished_at=at(0.8)),
        told("ssh_session", 3, arrival, started_at=at(1), ended_at=at(1.1)),
    ]
    for delivery in deliveries:
        core.send([delivery])

    assert core.timeline() == timeline(deliveries).entries
    run = core.timeline()["shop", "action_run", str(uuid.UUID(int=2))]
    assert [link["rule"] for link in run["links"]] == ["after", "before"]
    # Until then memory holds the session; soon after it has to be asked for.
    if arrival <= 26:
        assert core.questions == 0
    if arrival >= 28:
        assert core.questions > 0


def test_a_session_that_was_open_for_longer_than_the_horizon_closes_and_is_found_at_its_end() -> (
    None
):
    core = ForgetfulCore(horizon_us=26 * HOUR_US)
    end = 10 * 24
    deliveries = [
        told("action_run", 1, 0.1, started_at=at(0), finished_at=at(0.1)),
        told("ssh_session", 2, 0.2, started_at=at(0.2)),
        *(filler(hour) for hour in range(30, end, 7)),
        told("ssh_session", 2, end, started_at=at(0.2), ended_at=at(end)),
        told("action_run", 3, end + 0.5, started_at=at(end + 0.5), finished_at=at(end + 0.6)),
    ]
    for delivery in deliveries[:-2]:
        core.send([delivery])
    forgotten = core.stage.facts
    for delivery in deliveries[-2:]:
        core.send([delivery])
        core.crash()

    assert forgotten < 8
    assert core.timeline() == timeline(deliveries).entries
    run = core.timeline()["shop", "action_run", str(uuid.UUID(int=3))]
    assert [(link["rule"], link["target"]["id"]) for link in run["links"]] == [
        ("after", str(uuid.UUID(int=2)))
    ]


def synced(number: int, hour: float, instance: str, commit: str) -> Delivery:
    git = {"branch": "main", "after_sha": commit}
    return told(
        "workspace_sync",
        number,
        hour,
        timestamp=at(hour),
        result="success",
        cli_instance_id=instance,
        git=git,
    )


def test_the_sync_of_an_old_commit_or_a_quiet_machine_is_found_also_after_a_restart() -> None:
    core = ForgetfulCore(horizon_us=26 * HOUR_US)
    deliveries = [
        synced(1, 0, "cli-00000001", "a" * 40),
        synced(2, 1, "cli-00000002", "b" * 40),
        *(filler(hour) for hour in range(30, 90, 7)),
        # One by its commit, one by its CLI instance.
        told("action_run", 3, 91, started_at=at(90), finished_at=at(90.1), commit_sha="a" * 12),
        told("action_run", 4, 91, started_at=at(90.2), cli_instance_id="cli-00000001"),
        # It stands beside both, so what they say of it changes.
        told("ssh_session", 5, 91, started_at=at(90), ended_at=at(91)),
    ]
    for delivery in deliveries:
        core.send([delivery])
        core.crash()

    told_of = core.timeline()
    assert told_of == timeline(deliveries).entries
    for number in (3, 4):
        configured_by = told_of["shop", "action_run", str(uuid.UUID(int=number))]["configured_by"]
        assert configured_by["sync_id"] == str(uuid.UUID(int=1))
