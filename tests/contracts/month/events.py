"""A month of a small company: March 2026, its people, its machines and all they did. Pure.

Must stay true:
- The same `now` gives the same month: everything comes from one seed.
- Every event is a valid one, and the snapshots of a record never contradict each other.
- What the questions are about stands in `facts`; what is drawn here is the crowd around it,
  at other hours, never of the same block version and action.
- What arrives is not tidy: open snapshots before and after closed ones, the same event twice,
  whole events days late.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from tests.contracts.month.facts import (
    NGINX,
    PLATFORM,
    PRODUCTION,
    SANDBOX,
    SERVER,
    SHOP,
    STAGING,
    Event,
    facts,
)

SEED: Final = 20260301
FROM: Final = "2026-03-01T00:00:00Z"
TO: Final = "2026-04-01T00:00:00Z"

PERSON, SERVICE = "person", "service"
SENDERS: Final = {
    "alice": PERSON,
    "bob": PERSON,
    "carol": PERSON,
    "dave": PERSON,
    "erin": PERSON,
    "gitlab-runner": SERVICE,
    "nightly-bot": SERVICE,
    "backup-bot": SERVICE,
}
# The label says what a workspace is; two of the names say nothing or the wrong thing.
ENVIRONMENTS: Final = {
    PRODUCTION: "production",
    STAGING: "staging",
    PLATFORM: "production",
    SANDBOX: "development",
}
DEPLOY_ACTIONS: Final = {PLATFORM: ("deploy", "install", "rollout")}
DEPLOY_ACTIONS_DEFAULT: Final = ("deploy", "install")

_FIRST_DAY: Final = datetime(2026, 3, 1, tzinfo=UTC)
_DAYS: Final = 31


@dataclass(frozen=True, slots=True)
class Instance:
    """A CLI installation: whose, where, and from which day on with which version."""

    id: str
    owner: str
    hostname: str
    os: str
    arch: str
    versions: tuple[tuple[int, str], ...]
    until_day: int = _DAYS

    def version_at(self, moment: datetime) -> str:
        day = (moment - _FIRST_DAY).days + 1
        return [version for first, version in self.versions if first <= max(day, 1)][-1]


INSTANCES: Final = (
    Instance(
        "cli-a11ce0a1", "alice", "alice-laptop", "linux", "amd64",
        ((1, "0.9.0"), (9, "0.10.2"), (21, "0.18.0")),
    ),
    Instance(
        "cli-b0b5c1a0", "bob", "laptop-bob", "darwin", "arm64", ((1, "0.10.2"), (16, "0.18.3"))
    ),
    Instance(
        "cli-ca20105e", "carol", "carol-mac", "darwin", "arm64", ((1, "0.18.0"), (20, "1.0.0-rc1"))
    ),
    Instance("cli-dade0012", "dave", "dave-pc", "windows", "amd64", ((1, "0.9.0"),)),
    Instance(
        "cli-5d20c0ffee", "gitlab-runner", "gitlab-runner-42", "linux", "amd64",
        ((1, "0.18.0"), (12, "0.18.3")),
    ),
    Instance(
        "cli-5d20c0fff1", "gitlab-runner", "gitlab-runner-43", "linux", "arm64", ((1, "0.10.2"),),
        until_day=12,
    ),
    Instance(
        "cli-0b07c0de", "nightly-bot", "ops-vm", "linux", "amd64", ((1, "0.10.2"), (25, "0.18.0"))
    ),
)  # fmt: skip
_HOSTS: Final = {
    PRODUCTION: (SERVER, *(f"server0{n}.acme-corp.com" for n in (2, 3, 4)), "db01.acme-corp.com"),
    STAGING: ("stage01.acme-corp.com", "stage02.acme-corp.com"),
    PLATFORM: tuple(f"plat0{n}.acme-corp.com" for n in (1, 2, 3)),
    SANDBOX: ("box01.acme-corp.com",),
}
_PEOPLE: Final = tuple(name for name, kind in SENDERS.items() if kind == PERSON)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: whose key, and what it holds."""

    sender: str
    events: list[Event]


def month(now: datetime) -> list[Sent]:
    """What is sent, in order. `now` is aware."""
    crowd = _Crowd(Random(SEED))
    for day in range(_DAYS):
        for workspace in ENVIRONMENTS:
            crowd.work(workspace, _FIRST_DAY + timedelta(days=day))
    letters = _Letters(crowd.random)
    for sender, event in crowd.events:
        letters.post(sender, event)
    for fact in facts(now):
        letters.post(fact.sender, _from_own_cli(fact.sender, fact.event, crowd.random))
    for instance in INSTANCES:
        for event in _sightings(instance):
            letters.post(instance.owner, event)
    return letters.requests()


def _sightings(instance: Instance) -> list[Event]:
    """What an installation says of itself at each new version."""
    return [
        {
            "type": "cli_instance",
            "id": instance.id,
            "cli_version": version,
            "os": instance.os,
            "arch": instance.arch,
            "hostname": instance.hostname,
            "last_seen": _text(_FIRST_DAY + timedelta(days=day - 1, hours=5, minutes=30)),
        }
        for day, version in instance.versions
    ]


class _Crowd:
    """Draws the work of a day in a workspace."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.events: list[tuple[str, Event]] = []
        self._commits: dict[str, str] = {}

    def work(self, workspace: str, day: datetime) -> None:
        is_weekend = day.weekday() >= 5
        for _ in range(self.random.randint(1, 3)):
            self._sync(workspace, day)
        for _ in range(self.random.randint(1, 3) if is_weekend else self.random.randint(5, 12)):
            self._run(workspace, day)
        for _ in range(self.random.randint(0, 2) if is_weekend else self.random.randint(1, 5)):
            self._session(workspace, self._office_hour(day), self.random.choice(_PEOPLE))

    def _office_hour(self, day: datetime) -> datetime:
        """Between 06:00 and 19:00; the nights belong to the facts."""
        return day + timedelta(hours=6, milliseconds=self.random.randrange(13 * 3_600_000))

    def _add(self, sender: str, event: Event) -> None:
        self.events.append((sender, _from_own_cli(sender, event, self.random)))

    def _id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _sync(self, workspace: str, day: datetime) -> None:
        random = self.random
        commit = f"{random.getrandbits(160):040x}"
        event: Event = {
            "type": "workspace_sync",
            "id": self._id(),
            "workspace": workspace,
            "timestamp": _text(self._office_hour(day)),
            "result": random.choices(("success", "failed", "conflict"), (17, 2, 1))[0],
            "git": {"branch": "main", "after_sha": commit},
        }
        if workspace != SANDBOX:  # nobody set it up there
            event["encryption"] = {"enabled": True, "key_id": "age1qg4", "status": "ok"}
        if event["result"] == "success":
            self._commits[workspace] = commit
        self._add(random.choice(("gitlab-runner", "bob", "carol", "erin")), event)

    def _run(self, workspace: str, day: datetime, retriggered_from: Event | None = None) -> None:
        random = self.random
        sender = random.choice((*_PEOPLE, *("gitlab-runner",) * 6, "nightly-bot"))
        start = self._office_hour(day)
        event: Event = {
            "type": "action_run",
            "id": self._id(),
            "workspace": workspace,
            "started_at": _text(start),
            **_block(random, workspace, day),
        }
        if retriggered_from is not None:
            start = datetime.fromisoformat(retriggered_from["finished_at"]) + timedelta(minutes=4)
            same = ("block", "block_from", "block_version", "action")
            event |= {name: retriggered_from[name] for name in same if name in retriggered_from}
            event |= {"started_at": _text(start), "retriggered_from": retriggered_from["id"]}
        end = start + timedelta(milliseconds=int(random.expovariate(1 / 120_000)) + 1_500)
        outcome = random.choices(("successful", "failed", "cancelled", "open"), (85, 11, 3, 1))[0]
        if outcome != "open":
            event["finished_at"] = _text(end)
        if outcome == "successful":
            event["exit_code"] = 0
        elif outcome == "failed":
            event |= {"exit_code": random.choice((1, 2, 4)), "status": "failure"}
        elif outcome == "cancelled":
            event["status"] = outcome
        if sender == "gitlab-runner":
            event["user"] = random.choice(_PEOPLE)  # who pressed the button
            if workspace in self._commits and random.random() < 0.3:
                event["commit_sha"] = self._commits[workspace][:10]
        self._add(sender, event)
        if outcome == "failed" and random.random() < 0.4:
            self._run(workspace, day, retriggered_from=event)
        if outcome == "successful" and sender in _PEOPLE and random.random() < 0.5:
            self._session(workspace, end + timedelta(minutes=random.randint(1, 40)), sender)

    def _session(self, workspace: str, start: datetime, sender: str) -> None:
        random = self.random
        name = random.choice(_HOSTS[workspace])
        event: Event = {
            "type": "ssh_session",
            "id": self._id(),
            "workspace": workspace,
            "host": {"inventory_name": name, "ansible_host": f"10.0.0.{len(name)}"},
            "started_at": _text(start),
        }
        end = start + timedelta(seconds=random.randint(4, 3_000))
        if random.random() > 0.02:
            event["ended_at"] = _text(end)
            event["exit_code"] = random.choices((0, 1, 130, 255), (90, 3, 3, 4))[0]
        self._add(sender, event)


def _block(random: Random, workspace: str, day: datetime) -> Event:
    """The block, its version on that day, and what is done with it."""
    nginx = {"block": "nginx", "block_from": f"{NGINX}:{_nginx_version(day)}"}
    shop = {"block": "shop", "block_from": f"{SHOP}:{_shop_version(day)}"}
    patch = {"block": "linux-patch", "block_from": "linux-patch", "block_version": "0.1.0"}
    choices = [
        (shop, "deploy"), (shop, "deploy"), (shop, "check"), (nginx, "deploy"), (nginx, "check"),
        (nginx, "restart"), (patch, "patch"),
        ({"block": "monitoring", "block_from": f"{NGINX}-exporter:latest"}, "install"),
    ]  # fmt: skip
    if workspace == PLATFORM:
        gateway = {"block": "gateway", "block_version": "7.1"}
        choices += [(gateway, "rollout"), (gateway, "rollout")]
    block, action = random.choice(choices)
    return {**block, "action": action}


def _nginx_version(day: datetime) -> str:
    return "0.3.0" if day.day < 8 else "0.3.1" if day.day < 20 else "0.3.2"


def _shop_version(day: datetime) -> str:
    return "1.4.1" if day.day < 10 else "1.4.2" if day.day < 26 else "1.4.3"


def _from_own_cli(sender: str, event: Event, random: Random) -> Event:
    """The event with what the sender's own installation says of itself."""
    moment = datetime.fromisoformat(event.get("started_at") or event["timestamp"])
    day = (moment - _FIRST_DAY).days + 1
    own = [one for one in INSTANCES if one.owner == sender and day <= one.until_day]
    told: Event = {}
    if SENDERS[sender] == PERSON:
        told |= {"user": sender, "os_user": sender}
    if own:
        instance = random.choice(own)
        told |= {"cli_instance_id": instance.id, "hostname": instance.hostname}
        if random.random() < 0.8:
            told["cli_version"] = instance.version_at(moment)
    return {**told, **event}


class _Letters:
    """Turns events into requests as they happen to be sent: by sender and two days at a time."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._by_request: dict[tuple[int, str], list[Event]] = {}

    def post(self, sender: str, event: Event) -> None:
        random = self._random
        moment = datetime.fromisoformat(_last_time(event))
        delay = timedelta(days=random.randint(1, 6)) if random.random() < 0.04 else timedelta()
        self._put(sender, moment + delay, event)
        if random.random() < 0.04:
            self._put(sender, moment + timedelta(hours=random.randint(1, 72)), event)
        if random.random() < 0.15 and ("finished_at" in event or "ended_at" in event):
            ended = {"finished_at", "ended_at", "exit_code", "status"}
            opened = {name: value for name, value in event.items() if name not in ended}
            self._put(sender, moment + timedelta(hours=random.randint(-1, 50)), opened)

    def _put(self, sender: str, moment: datetime, event: Event) -> None:
        request = (moment - _FIRST_DAY).days // 2, sender
        self._by_request.setdefault(request, []).append(event)

    def requests(self) -> list[Sent]:
        requests = []
        for (_, sender), events in sorted(self._by_request.items(), key=lambda item: item[0]):
            self._random.shuffle(events)
            requests.append(Sent(sender, events))
        return requests


def _last_time(event: Event) -> str:
    names = ("finished_at", "ended_at", "started_at", "timestamp", "last_seen")
    text: str = next(event[name] for name in names if name in event)
    return text


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
