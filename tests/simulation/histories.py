"""Histories to judge: small dense ones for hypothesis, and a long seeded one that looks like life.

Must stay true:
- Every event is valid, as ingest accepts it, and all are of one organization.
- The small worlds are crowded on purpose: few names, and times from a coarse grid, so that ties,
  touching intervals, moments and gaps of exactly 60 minutes are the rule and not the exception.
- In an undisputed history the snapshots of a record agree in all they state, in actor and start.
- No history depends on anything but its draws or its seed.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.simulation.oracle import Delivery

DRAWN_RECORDS_MAX = 8
CROWD_MIN, CROWD_MAX = 9, 12  # around the 10 links an entry may have per rule

DAY_START = datetime(2026, 3, 24, 10, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
GRID_MINUTES = (0, 0, 30, 60, 60, 90, 120, 24 * 60)  # what stands twice is drawn twice as often
GRID_OFF_US = (0, 0, 0, 0, -1, 1, 1500)
RECEIPT_AFTER = (
    timedelta(seconds=1),
    timedelta(seconds=1),
    timedelta(minutes=-5),  # exactly as far ahead as a clock may be
    timedelta(minutes=-5) - MICROSECOND,
    timedelta(hours=1),  # exactly as late as is not late yet
    timedelta(hours=1) + MICROSECOND,
    timedelta(days=2),
)

WORKSPACES = ("shop", "shop", "shop", "Web_2")
ACTOR_KINDS = {"admin": "service", "alice": "person"}
INSTANCES = ("cli-8f3891b2", "cli-8f3891b2c0ffee00")
VERSIONS = ("0.9.10", "0.9.9")
HOSTNAMES = ("laptop-1", "runner-7")
# Two commits share their first seven digits: the short form means either.
COMMITS = (
    "a1b2c3d",
    "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
    "a1b2c3dffff60718293a4b5c6d7e8f9001122334",
    "00ff00ff00ff",
    "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff",
)
BLOCK_REFERENCES = (
    "nginx",
    "nginx:LATEST",
    "cargo.example.test/infra/nginx:0.3.1",
    "cargo.example.test:5000/infra/nginx",
    "cargo.example.test:5000/infra/nginx:latest@sha256:0f0f",
    "cargo.example.test/infra/nginx:0.3.1@sha256:0f0f",
    "cargo.example.test/infra/nginx@sha256:0f0f",
    "cargo.example.test/infra/nginx:",
)
HOSTS = (
    {"inventory_name": "db-3"},
    {"inventory_name": "db-3", "ansible_host": "10.0.0.3", "hostname_reported": "db-3.internal"},
)
STATUS_SPELLINGS = {
    "running": ("running", "pending"),
    "successful": ("successful", "success"),
    "failed": ("failed", "failure"),
    "aborted": ("aborted", "cancelled", "canceled"),
}
START_FIELDS = {
    "action_run": "started_at",
    "ssh_session": "started_at",
    "workspace_sync": "timestamp",
}
END_FIELDS = {"action_run": "finished_at", "ssh_session": "ended_at"}
ALWAYS_STATED = frozenset({"block", "action", "host", "result"})


def record_ids(count: int) -> list[str]:
    """Ids whose order as text is not the order in which they are made."""
    return [str(uuid.UUID(int=(index * 7919 % 251 + 1) << 120 | index)) for index in range(count)]


IDS = record_ids(CROWD_MAX + 4)


# --- Small dense histories ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What really happened: its snapshots tell parts of it. `facts` in canonical spelling."""

    kind: str
    id: str
    workspace: str
    actor: str
    start: datetime
    end: datetime | None
    facts: Mapping[str, Any]


def histories(
    *, is_disputed: bool | None = None, records_max: int = DRAWN_RECORDS_MAX
) -> st.SearchStrategy[list[Delivery]]:
    """Logs of valid events in any order of arrival; both sorts when `is_disputed` is None."""
    if is_disputed is None:
        return st.booleans().flatmap(
            lambda choice: histories(is_disputed=choice, records_max=records_max)
        )
    return drawn_histories(is_disputed=is_disputed, records_max=records_max)


def undisputed_histories() -> st.SearchStrategy[list[Delivery]]:
    """Logs whose order does not matter (but for receipt, key, `late` and `clock_ahead`)."""
    return histories(is_disputed=False)


def disputed_histories() -> st.SearchStrategy[list[Delivery]]:
    """Logs in which snapshots may also contradict each other, in every way there is."""
    return histories(is_disputed=True)


@st.composite
def drawn_histories(draw: st.DrawFn, *, is_disputed: bool, records_max: int) -> list[Delivery]:
    drawn = draw(st.lists(truths(), max_size=records_max, unique_by=identity_of))
    backdrop = draw(st.one_of(st.just([]), crowds(), configured_work(), configured_work()))
    taken = {identity_of(one) for one in backdrop}
    world = [*backdrop, *(one for one in drawn if identity_of(one) not in taken)]
    told_max = 1 if len(backdrop) >= CROWD_MIN else 3  # a crowd is large enough as it is
    log: list[Delivery] = []
    for truth in world:
        told = draw(snapshots_of(truth, is_disputed=is_disputed, told_max=told_max))
        log.extend(told)
        if draw(st.integers(0, 3)) == 3:
            log.append(draw(repeats_of(draw(st.sampled_from(told)))))
    log.extend(draw(st.lists(instance_snapshots(), max_size=2)))
    return list(draw(st.permutations(log)))


def identity_of(truth: Truth) -> tuple[str, str, str]:
    """A run and a session may well have the same id; so may two runs of two workspaces."""
    return truth.workspace, truth.kind, truth.id


def moments() -> st.SearchStrategy[datetime]:
    return st.builds(
        lambda minutes, off_us: DAY_START + timedelta(minutes=minutes, microseconds=off_us),
        st.sampled_from(GRID_MINUTES),
        st.sampled_from(GRID_OFF_US),
    )


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    kind = draw(st.sampled_from(("action_run", "workspace_sync", "ssh_session")))
    start, end = draw(spans(kind))
    if kind == "workspace_sync" and draw(st.booleans()):
        start = DAY_START  # before or with all that it could configure
    record_id = draw(st.sampled_from(IDS[:6]))
    facts = {**draw(shared_facts()), **draw(own_facts(kind))}
    if facts.get("retriggered_from") == record_id:
        del facts["retriggered_from"]  # of another run, says the contract
    return Truth(
        kind=kind,
        id=record_id,
        workspace=draw(st.sampled_from(WORKSPACES)),
        actor=draw(st.sampled_from(tuple(ACTOR_KINDS))),
        start=start,
        end=end,
        facts=facts,
    )


@st.composite
def spans(draw: st.DrawFn, kind: str) -> tuple[datetime, datetime | None]:
    """Start and end: often a moment, sometimes open; a sync has no end."""
    start = draw(moments())
    if kind == "workspace_sync" or draw(st.integers(0, 4)) == 4:
        return start, None
    other = draw(st.one_of(moments(), st.just(start)))
    return min(start, other), max(start, other)


@st.composite
def crowds(draw: st.DrawFn) -> list[Truth]:
    """One record and about as many others around it as an entry may have links per rule."""
    size = draw(st.integers(CROWD_MIN, CROWD_MAX))
    kind, crowd_kind = draw(
        st.sampled_from(
            (
                ("ssh_session", "action_run"),
                ("action_run", "ssh_session"),
                ("action_run", "action_run"),
            )
        )
    )
    middle_id, *crowd_ids = draw(st.permutations(IDS[: size + 1]))
    start = DAY_START + timedelta(minutes=60)
    middle_facts, crowd_facts = draw(own_facts(kind)), draw(own_facts(crowd_kind))
    # No member may name itself, and the ids are all taken by members.
    middle_facts.pop("retriggered_from", None)
    crowd_facts.pop("retriggered_from", None)
    if crowd_kind == kind:
        crowd_facts["retriggered_from"] = middle_id
    middle = Truth(
        kind=kind,
        id=middle_id,
        workspace=WORKSPACES[0],
        actor="admin",
        start=start,
        end=start + timedelta(minutes=30),
        facts=middle_facts,
    )
    offset = draw(st.sampled_from((-60, 0, 60)))
    crowd = []
    for crowd_id in crowd_ids:
        begins = start + timedelta(minutes=offset, microseconds=draw(st.sampled_from((-1, 0, 1))))
        crowd.append(
            Truth(
                kind=crowd_kind,
                id=crowd_id,
                workspace=middle.workspace,
                actor=draw(st.sampled_from(tuple(ACTOR_KINDS))),
                start=begins,
                end=begins + draw(st.sampled_from((timedelta(0), timedelta(minutes=30)))),
                facts=crowd_facts,
            )
        )
    return [middle, *crowd]


@st.composite
def configured_work(draw: st.DrawFn) -> list[Truth]:
    """Some syncs of a few commits at nearly the same time, and work that one of them configured."""
    near = st.sampled_from((0, 0, 0, 1, -1, -60_000_000))
    world = []
    sync_ids = draw(st.permutations(IDS[:4]))
    for sync_id in sync_ids[: draw(st.integers(2, 4))]:
        git = {
            "branch": draw(st.sampled_from(("main", "hotfix"))),
            "after_sha": draw(st.sampled_from(COMMITS)),
        }
        world.append(
            Truth(
                kind="workspace_sync",
                id=sync_id,
                workspace=WORKSPACES[0],
                actor="admin",
                start=DAY_START + timedelta(microseconds=draw(near)),
                end=None,
                facts={
                    "result": draw(st.sampled_from(("success", "success", "success", "failed"))),
                    "git": git,
                    "cli_instance_id": draw(st.sampled_from((*INSTANCES, None))),
                },
            )
        )
    for kind in ("action_run", "ssh_session"):
        facts = draw(own_facts(kind)) | {"cli_instance_id": draw(optional(*INSTANCES))}
        facts.pop("retriggered_from", None)
        if kind == "action_run":
            facts["commit_sha"] = draw(st.sampled_from((*COMMITS, None, None)))
        start = DAY_START + timedelta(microseconds=draw(near))
        world.append(
            Truth(
                kind=kind,
                id=IDS[4],
                workspace=WORKSPACES[0],
                actor="admin",
                start=start,
                end=start + timedelta(minutes=30),
                facts=facts,
            )
        )
    return world


def optional(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, *values))


def shared_facts() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "user": st.sampled_from(("alice", "bob")),
            "os_user": st.just("root"),
            "hostname": st.sampled_from(HOSTNAMES),
            "cli_instance_id": st.sampled_from(INSTANCES),
            "cli_version": st.sampled_from(VERSIONS),
            "reason": st.just("certificate renewal"),
            "ticket": st.sampled_from(("CHG-17", "INC-4")),
        },
    )


def own_facts(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    if kind == "action_run":
        return st.fixed_dictionaries(
            {
                "block": st.sampled_from(("nginx", "db")),
                "action": st.sampled_from(("deploy", "patch")),
            },
            optional={
                "block_from": st.sampled_from(BLOCK_REFERENCES),
                "block_version": st.sampled_from(("1.4.0", "latest")),
                "exit_code": st.sampled_from((0, 0, 1, 4294967295)),
                "status": st.sampled_from(("successful", "failed", "aborted")),
                "commit_sha": st.sampled_from(COMMITS),
                "retriggered_from": st.sampled_from(IDS[:7]),
            },
        )
    if kind == "ssh_session":
        return st.fixed_dictionaries(
            {"host": st.sampled_from(HOSTS)},
            optional={"exit_code": st.sampled_from((0, 1, 255))},
        )
    return st.fixed_dictionaries(
        {"result": st.sampled_from(("success", "success", "success", "failed", "conflict"))},
        optional={
            "git": st.fixed_dictionaries(
                {
                    "after_sha": st.sampled_from((*COMMITS, *COMMITS, None)),
                    "branch": st.sampled_from(("main", "hotfix", None)),
                },
                optional={"before_sha": st.sampled_from(COMMITS)},
            ),
            "encryption": st.fixed_dictionaries(
                {"enabled": st.booleans()},
                optional={"key_id": st.just("key-7"), "status": optional("ok")},
            ),
        },
    )


@st.composite
def snapshots_of(
    draw: st.DrawFn, truth: Truth, *, is_disputed: bool, told_max: int
) -> list[Delivery]:
    """Some snapshots, each leaving out what it likes; in a dispute some tell otherwise."""
    told = []
    for _ in range(draw(st.integers(1, told_max))):
        version = truth
        if is_disputed and draw(st.booleans()):
            version = draw(contradictions_of(truth))
        told.append(draw(deliveries_of(version)))
    return told


@st.composite
def contradictions_of(draw: st.DrawFn, truth: Truth) -> Truth:
    """The same record told differently in one respect, and still valid by itself."""
    respect = draw(st.sampled_from(("span", "actor", "own", "shared")))
    if respect == "span":
        start, end = draw(spans(truth.kind))
        return replace(truth, start=start, end=end)
    if respect == "actor":
        return replace(truth, actor=draw(st.sampled_from(tuple(ACTOR_KINDS))))
    facts = draw(own_facts(truth.kind) if respect == "own" else shared_facts())
    if facts.get("retriggered_from") == truth.id:
        del facts["retriggered_from"]
    return replace(truth, facts={**truth.facts, **facts})


@st.composite
def deliveries_of(draw: st.DrawFn, truth: Truth) -> Delivery:
    """One snapshot of `truth`, open or closed, as a client might spell it."""
    end = truth.end if draw(st.integers(0, 2)) else None
    event: dict[str, Any] = {
        "type": truth.kind,
        "id": truth.id.upper() if draw(st.integers(0, 5)) == 5 else truth.id,
        "workspace": truth.workspace,
        START_FIELDS[truth.kind]: draw(spellings_of(truth.start)),
    }
    if end is not None:
        event[END_FIELDS[truth.kind]] = draw(spellings_of(end))
        event.update(draw(durations_of(truth.kind, end - truth.start)))
    left_out = set()
    if truth.facts:
        left_out = draw(st.sets(st.sampled_from(sorted(truth.facts)), max_size=2)) - ALWAYS_STATED
    event.update({name: None if name in left_out else truth.facts[name] for name in truth.facts})
    if "status" in event:
        status = event["status"] if end is not None else "running"
        event["status"] = status and draw(st.sampled_from(STATUS_SPELLINGS[status]))
    event.update(draw(st.sampled_from(({}, {}, {"client_seq": 1}, {"client_seq": 2}))))

    own_time = draw(st.sampled_from((truth.start, end or truth.start)))
    return Delivery(
        event=event,
        actor=truth.actor,
        actor_kind=ACTOR_KINDS[truth.actor],
        key_id=draw(st.sampled_from(("key-1", "key-2"))),
        received_at=own_time + draw(st.sampled_from(RECEIPT_AFTER)),
        fields_dropped=draw(st.integers(0, 7)) == 7,
    )


def repeats_of(delivery: Delivery) -> st.SearchStrategy[Delivery]:
    """The very same event sent again, received a little later."""
    return st.sampled_from((timedelta(0), timedelta(seconds=2))).map(
        lambda later: replace(delivery, received_at=delivery.received_at + later)
    )


def spellings_of(moment: datetime) -> st.SearchStrategy[str]:
    """The same instant in UTC or elsewhere, with digits that are cut."""
    local = moment.astimezone(timezone(timedelta(hours=-5, minutes=-30)))
    plain = rfc_3339(moment)
    return st.sampled_from(
        (
            plain,
            plain,
            plain,
            plain.replace("Z", "z"),
            plain.replace("Z", "999Z"),
            local.isoformat(timespec="microseconds"),
        )
    )


def rfc_3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def durations_of(kind: str, span: timedelta) -> st.SearchStrategy[dict[str, Any]]:
    """Nothing, the right duration, or one as far off as is allowed, or one step further."""
    duration_ms = span // timedelta(milliseconds=1)
    if kind == "action_run":
        return st.sampled_from(
            ({}, *({"duration_ms": duration_ms + off_ms} for off_ms in (0, 1000, 1001)))
        )
    return st.sampled_from(
        ({}, *({"duration_seconds": (duration_ms + off_ms) / 1000} for off_ms in (0, 500, 1500)))
    )


@st.composite
def instance_snapshots(draw: st.DrawFn) -> Delivery:
    last_seen = draw(st.one_of(st.none(), moments()))
    actor = draw(st.sampled_from(tuple(ACTOR_KINDS)))
    event: dict[str, Any] = {
        "type": "cli_instance",
        "id": draw(st.sampled_from(INSTANCES)),
        "cli_version": draw(st.sampled_from(VERSIONS)),
        "os": draw(st.sampled_from(("linux", "darwin"))),
        "arch": "arm64",
        "hostname": draw(st.sampled_from(HOSTNAMES)),
        "first_seen": draw(optional(rfc_3339(DAY_START - timedelta(days=3)))),
        "last_seen": None if last_seen is None else rfc_3339(last_seen),
    }
    received_at = DAY_START if last_seen is None else last_seen
    return Delivery(
        event=event,
        actor=actor,
        actor_kind=ACTOR_KINDS[actor],
        received_at=received_at + draw(st.sampled_from(RECEIPT_AFTER)),
    )


# --- A month of automation ------------------------------------------------------------------------


MONTH_START = datetime(2026, 3, 1, tzinfo=UTC)
EPISODES_WITHIN_S = 24 * 86_400  # the latest event still arrives in March
MONTH_WORKSPACES = tuple(f"team-{number:02}" for number in range(1, 13))
MONTH_INSTANCES = tuple(f"cli-{number:08x}" for number in range(0x1A2B3C00, 0x1A2B3C09))


def mixed_history(seed: int, count: int) -> list[Delivery]:
    """`count` events of March 2026 over twelve workspaces in order of arrival, by one actor.

    About one in six arrives hours or days late, and one in twenty again; some conflict.
    """
    month = Month(Random(seed))
    while len(month.log) < count:
        month.tell_episode()
    return sorted(month.log[:count], key=lambda delivery: delivery.received_at)


class Month:
    """Tells episodes of work: a sync, some runs, now and then somebody on a host."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.log: list[Delivery] = []
        self.commits: dict[str, str] = {}
        self.last_run: dict[str, str] = {}

    def tell_episode(self) -> None:
        random = self.random
        workspace = random.choice(MONTH_WORKSPACES)
        client = self.client()
        now = MONTH_START + timedelta(microseconds=random.randrange(EPISODES_WITHIN_S * 1_000_000))
        if random.random() < 0.15:
            self.tell_instance(client, now)
        if random.random() < 0.7:
            self.tell_sync(workspace, client, now)
        for _ in range(random.randint(1, 5)):
            now += timedelta(seconds=random.randint(0, 2400))
            # Ties and touching intervals happen in life too: clients with whole seconds.
            if random.random() < 0.5:
                now = now.replace(microsecond=0)
            if random.random() < 0.3:
                self.tell_session(workspace, client, now)
            else:
                now = self.tell_run(workspace, client, now)

    def client(self) -> dict[str, Any]:
        number = self.random.randrange(len(MONTH_INSTANCES))
        client: dict[str, Any] = {
            "hostname": f"runner-{number}",
            "cli_version": self.random.choice(("0.9.9", "0.9.10", "0.10.0")),
            "user": self.random.choice(("admin", "alice", "bob")),
        }
        if self.random.random() < 0.9:
            client["cli_instance_id"] = MONTH_INSTANCES[number]
        return client

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def new_commit(self) -> str:
        return f"{self.random.getrandbits(160):040x}"

    def tell_instance(self, client: Mapping[str, Any], now: datetime) -> None:
        self.send(
            {
                "type": "cli_instance",
                "id": client.get("cli_instance_id", MONTH_INSTANCES[0]),
                "cli_version": client["cli_version"],
                "os": "linux",
                "arch": self.random.choice(("amd64", "arm64")),
                "hostname": client["hostname"],
                "last_seen": rfc_3339(now),
            },
            now,
        )

    def tell_sync(self, workspace: str, client: Mapping[str, Any], now: datetime) -> None:
        before = self.commits.get(workspace, self.new_commit())
        after = self.new_commit() if self.random.random() < 0.7 else before
        result = self.random.choices(("success", "failed", "conflict"), (90, 6, 4))[0]
        if result == "success":
            self.commits[workspace] = after
        self.send(
            {
                "type": "workspace_sync",
                "id": self.new_id(),
                "workspace": workspace,
                "timestamp": rfc_3339(now),
                "result": result,
                "git": {"branch": "main", "before_sha": before, "after_sha": after},
                "encryption": {"enabled": True, "key_id": "age-1"},
                **client,
            },
            now,
        )

    def tell_run(self, workspace: str, client: Mapping[str, Any], now: datetime) -> datetime:
        """Tell a run and return its end."""
        random = self.random
        end = now + timedelta(milliseconds=random.choice((0, random.randint(500, 3_000_000))))
        block = random.choice(("nginx", "db", "grafana", "users"))
        event: dict[str, Any] = {
            "type": "action_run",
            "id": self.new_id(),
            "workspace": workspace,
            "block": block,
            "block_from": f"cargo.example.test/infra/{block}:0.{random.randint(1, 4)}.0",
            "action": random.choice(("deploy", "patch", "check")),
            "started_at": rfc_3339(now),
            **client,
        }
        if random.random() < 0.5 and workspace in self.commits:
            event["commit_sha"] = self.commits[workspace][: random.choice((7, 12, 40))]
        if random.random() < 0.08 and workspace in self.last_run:
            event["retriggered_from"] = self.last_run[workspace]
        self.last_run[workspace] = event["id"]
        exit_code = random.choices((0, 1, 2), (85, 10, 5))[0]
        duration_ms = (end - now) // timedelta(milliseconds=1)
        closing = {
            "finished_at": rfc_3339(end),
            "exit_code": exit_code,
            "duration_ms": duration_ms + random.choices((0, 5000), (99, 1))[0],
        }
        self.tell_both(event, closing, now, end)
        return end

    def tell_session(self, workspace: str, client: Mapping[str, Any], now: datetime) -> None:
        random = self.random
        end = now + timedelta(milliseconds=random.randint(1000, 5_400_000))
        number = random.randint(1, 20)
        event = {
            "type": "ssh_session",
            "id": self.new_id(),
            "workspace": workspace,
            "host": {"inventory_name": f"db-{number}", "ansible_host": f"10.0.0.{number}"},
            "started_at": rfc_3339(now),
            **client,
        }
        closing = {
            "ended_at": rfc_3339(end),
            "exit_code": random.choices((0, 1, 255), (90, 5, 5))[0],
        }
        self.tell_both(event, closing, now, end)

    def tell_both(
        self,
        opening: dict[str, Any],
        closing: Mapping[str, Any],
        now: datetime,
        end: datetime,
    ) -> None:
        """Open and close, either of which may be missing; now and then a contradicting close."""
        random = self.random
        told = random.choices(("both", "closed", "open"), (75, 22, 3))[0]
        if told != "closed":
            self.send(opening, now)
        if told != "open":
            self.send({**opening, **closing}, end)
        kind_of_conflict = random.choices(("none", "exit", "start", "end"), (960, 25, 10, 5))[0]
        if kind_of_conflict == "exit":
            self.send({**opening, **closing, "exit_code": 99}, end)
        elif kind_of_conflict == "start":
            earlier = rfc_3339(now - timedelta(seconds=1))
            self.send({**opening, **closing, "started_at": earlier}, end)
        elif kind_of_conflict == "end":
            much_earlier = rfc_3339(now - timedelta(hours=1))
            end_field = END_FIELDS[opening["type"]]
            self.send(
                {**opening, **closing, "started_at": much_earlier, end_field: much_earlier}, end
            )

    def send(self, event: dict[str, Any], happened_at: datetime) -> None:
        for _ in range(self.random.choices((1, 2), (95, 5))[0]):
            self.log.append(Delivery(event=event, received_at=happened_at + self.delay()))

    def delay(self) -> timedelta:
        random = self.random
        sort = random.choices(("soon", "hours", "days"), (84, 12, 4))[0]
        longest_s = {"soon": 3, "hours": 10 * 3600, "days": 5 * 86_400}[sort]
        return timedelta(microseconds=random.randint(1000, longest_s * 1_000_000))


def shuffled(deliveries: Sequence[Delivery], random: Random) -> list[Delivery]:
    """The same events in another order of arrival."""
    return random.sample(deliveries, len(deliveries))
