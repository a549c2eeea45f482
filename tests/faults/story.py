"""What one sender tells: runs, sessions, syncs and CLI instances of its own workspaces, seeded.

Must stay true:
- Every event is valid and nothing is disputed: whatever is repeated, delayed or reordered by
  faults, the timeline at the end is one and the same.
- It costs a fraction of what taking it in costs: text is put together from templates.

The load: a request is what some workspaces' CLI instances have gathered since they were last heard
of. Some open records are closed with a later request, a few after days; a few events come hours to
weeks late, and some runs name another that was long ago. The judged workspaces are small enough
for the oracle: their events are kept. They are dense, and more of them comes late.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from tests.faults.fast_clock import FastClock
from tests.faults.ledger import CLOSED, OPEN, Claim, Ledger, record_id

_S: Final = 1_000_000
_MINUTE: Final = 60 * _S
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

WORKSPACES_PER_BATCH: Final = 5
# Of a sender. The oracle compares each record of a workspace with each.
_JUDGED_EVENTS_MAX: Final = 4_000
# However little is sent: else most of it would come after the horizon. Fewer workspaces, then.
_VISIT_EVERY: Final = 8 * _HOUR
_LATEST_BY_DAYS: Final = 20
_LONG_OPEN_BY_HOURS: Final = (40, 160)
_REMEMBERED_RUNS: Final = 200
_REMEMBERED_COMMITS: Final = 60
# Of a whole batch.
_REPEATED_SHARE: Final = 0.08
_CLIENTS_PER_SENDER: Final = 40
# Most work in a workspace is done from the same machines; a share of the visits is from any other.
_CLIENTS_PER_WORKSPACE: Final = 5
_STRANGER_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Batch:
    """One request's body, and what its 202 promises."""

    body: bytes
    events: int
    claims: list[Claim]
    instances: set[str]


@dataclass(frozen=True, slots=True)
class _Ending:
    """The closing snapshot of a record that was told open, due at a time in µs."""

    due_us: int
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class _Mix:
    """Of one workspace. Shares are of its records; what concerns the past, of its own kind."""

    events: int  # of one visit
    within_us: int  # before it; close together, much is before, during and after much
    sessions: float  # each links to the runs around it
    late: float  # by hours to weeks
    long_open: float  # of its sessions
    old_named: float  # of the runs that name another one
    old_commits: float  # of the runs that state a commit


# What links cost is not the matter here, and what the past costs is: statements, each time.
_BULK: Final = _Mix(
    20, _VISIT_EVERY, sessions=0.1, late=0.002, long_open=0.002, old_named=0.03, old_commits=0.005
)
_DENSE: Final = _Mix(
    12, 3 * _HOUR, sessions=0.35, late=0.02, long_open=0.02, old_named=0.3, old_commits=0.1
)


@dataclass(slots=True)
class _Workspace:
    name: str
    told_until_us: int
    mix: _Mix
    # Those that were synced, newest last; runs state one of an earlier visit.
    commits: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_COMMITS))
    new_commits: list[str] = field(default_factory=list)  # of the visit under way
    clients: list[str] = field(default_factory=list)
    endings: list[_Ending] = field(default_factory=list)
    new_runs: list[str] = field(default_factory=list)  # of the visit under way
    runs: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_RUNS))


class Story:
    """Endless; one sender's. `judged` are the events of the judged workspaces, as sent."""

    def __init__(
        self,
        sender: int,
        seed: int,
        clock: FastClock,
        *,
        workspaces: int,
        judged: int,
        judged_gap_hours: float,
    ) -> None:
        self.ledger: Final = Ledger(sender)
        self.judged: Final[list[str]] = []
        self._random: Final = Random(f"{seed}/{sender}")
        self._clock: Final = clock
        self._judged_gap_us: Final = int(judged_gap_hours * _HOUR)
        now_us = clock.now_us()
        self._workspaces: Final = [
            # Each other sender's, too: two actors work in every workspace.
            _Workspace(f"w{sender % 2}-{number:04}", now_us - _HOUR, _BULK)
            for number in range(workspaces)
        ]
        self._judged: Final = [
            _Workspace(f"judged-{sender % 2}-{number}", now_us - _HOUR, _DENSE)
            for number in range(judged)
        ]
        self._clients: Final = [
            f"cli-{sender:02x}{number:06x}" for number in range(_CLIENTS_PER_SENDER)
        ]
        self._turn = 0

    @property
    def judged_names(self) -> list[str]:
        return [each.name for each in self._judged]

    def batch(self) -> Batch:
        """What happened until now in the workspaces whose turn it is."""
        due = self._next_workspaces()
        told_before_us = self._clock.now_us() - self._judged_gap_us
        waiting = [each for each in self._judged if each.told_until_us < told_before_us]
        if len(self.judged) < _JUDGED_EVENTS_MAX:
            due += waiting[:1]
        return self._told(due, is_last=False)

    def repeated(self, recent: Sequence[Batch]) -> Batch | None:
        """Now and then one that was accepted already."""
        if not recent or self._random.random() >= _REPEATED_SHARE:
            return None
        return self._random.choice(list(recent))

    def ending(self) -> list[Batch]:
        """At the end: half of what is still open closes, the rest stays open."""
        everywhere = [*self._workspaces, *self._judged]
        return [
            self._told(everywhere[at : at + 50], is_last=True)
            for at in range(0, len(everywhere), 50)
        ]

    def _next_workspaces(self) -> list[_Workspace]:
        """From the first one on again as soon as it is due, however many were not told of yet."""
        if self._workspaces[0].told_until_us < self._clock.now_us() - _VISIT_EVERY:
            self._turn = 0
        turns = range(self._turn, self._turn + WORKSPACES_PER_BATCH)
        self._turn = turns.stop
        return [self._workspaces[turn % len(self._workspaces)] for turn in turns]

    def _told(self, workspaces: list[_Workspace], *, is_last: bool) -> Batch:
        now_us = self._clock.now_us()
        texts: list[str] = []
        claims: list[Claim] = []
        instances: set[str] = set()
        for workspace in workspaces:
            begin = len(texts)
            client = self._client(workspace)
            instances.add(client)
            if is_last:
                self._end_some(workspace, now_us, texts, claims, is_last=True)
            else:
                self._tell(workspace, client, now_us, texts, claims)
            if workspace.mix is _DENSE:
                self.judged.extend(texts[begin:])
        if not texts or self._random.random() < 0.2:
            texts.append(self._instance(self._random.choice(sorted(instances)), now_us))
        body = f"[{','.join(texts)}]".encode()
        return Batch(body, len(texts), claims, instances if not is_last else set())

    def _client(self, workspace: _Workspace) -> str:
        if not workspace.clients:
            workspace.clients = self._random.sample(self._clients, _CLIENTS_PER_WORKSPACE)
        is_stranger = self._random.random() < _STRANGER_SHARE
        return self._random.choice(self._clients if is_stranger else workspace.clients)

    def _tell(
        self,
        workspace: _Workspace,
        client: str,
        now_us: int,
        texts: list[str],
        claims: list[Claim],
    ) -> None:
        random = self._random
        self._end_some(workspace, now_us, texts, claims, is_last=False)
        since_us, workspace.told_until_us = workspace.told_until_us, now_us
        mix = workspace.mix
        since_us = max(since_us, now_us - mix.within_us)
        if random.random() < 0.6 or not workspace.commits:
            start_us = self._start(since_us, now_us, late=mix.late)
            texts.append(self._sync(workspace, client, start_us, claims))
        for _ in range(mix.events):
            start_us = self._start(since_us, now_us, late=mix.late)
            if random.random() < mix.sessions:
                made = self._session(workspace, client, start_us, now_us, claims)
            else:
                made = self._run(workspace, client, start_us, now_us, claims)
            texts.append(made)
        # Nobody runs again in the same breath.
        workspace.runs.extend(workspace.new_runs)
        workspace.new_runs.clear()
        workspace.commits.extend(workspace.new_commits)
        workspace.new_commits.clear()

    def _start(self, since_us: int, now_us: int, *, late: float) -> int:
        random = self._random
        if random.random() < late:
            if random.random() < 0.5:
                return now_us - random.randrange(2 * _HOUR, _DAY)
            return now_us - random.randrange(_DAY, _LATEST_BY_DAYS * _DAY)
        return random.randrange(since_us, now_us)

    def _end_some(
        self,
        workspace: _Workspace,
        now_us: int,
        texts: list[str],
        claims: list[Claim],
        *,
        is_last: bool,
    ) -> None:
        left = []
        for ending in workspace.endings:
            if is_last and self._random.random() < 0.5:
                continue
            if not is_last and ending.due_us > now_us:
                left.append(ending)
                continue
            texts.append(ending.text)
            claims.append(Claim(ending.number, CLOSED))
        workspace.endings = left

    def _instance(self, client: str, now_us: int) -> str:
        return (
            f'{{"type":"cli_instance","id":"{client}","cli_version":"{self._version(now_us)}",'
            f'"os":"linux","arch":"amd64","hostname":"runner-{client[-2:]}",'
            f'"last_seen":"{text_of(now_us)}"}}'
        )

    def _version(self, at_us: int) -> str:
        return f"0.{at_us // (5 * _DAY) % 20}.0"

    def _shared(self, workspace: _Workspace, client: str) -> str:
        return (
            f'"workspace":"{workspace.name}","cli_instance_id":"{client}",'
            f'"hostname":"runner-{client[-2:]}","os_user":"deploy"'
        )

    def _sync(self, workspace: _Workspace, client: str, at_us: int, claims: list[Claim]) -> str:
        number = self.ledger.claim_number()
        claims.append(Claim(number, CLOSED))
        random = self._random
        after = f"{random.getrandbits(160):040x}"
        before = workspace.commits[-1] if workspace.commits else f"{random.getrandbits(160):040x}"
        result = random.choices(("success", "failed", "conflict"), (90, 6, 4))[0]
        if result == "success":
            workspace.new_commits.append(after)
        return (
            f'{{"type":"workspace_sync","id":"{record_id(self.ledger.sender, number)}",'
            f'{self._shared(workspace, client)},"timestamp":"{text_of(at_us)}","result":"{result}",'
            f'"git":{{"branch":"main","before_sha":"{before}","after_sha":"{after}"}},'
            '"encryption":{"enabled":true,"key_id":"age-1"}}'
        )

    def _run(
        self, workspace: _Workspace, client: str, start_us: int, now_us: int, claims: list[Claim]
    ) -> str:
        random = self._random
        number = self.ledger.claim_number()
        run_id = record_id(self.ledger.sender, number)
        block = random.choice(("nginx", "db", "grafana", "users"))
        more = ""
        if random.random() < 0.3 and workspace.commits:
            commit = workspace.commits[-1]
            if random.random() < workspace.mix.old_commits:
                commit = random.choice(list(workspace.commits))
            more += f',"commit_sha":"{commit[:12]}"'
        if random.random() < 0.04 and workspace.runs:
            # Sometimes one of long ago.
            is_old = random.random() < workspace.mix.old_named
            among = list(workspace.runs) if is_old else list(workspace.runs)[-10:]
            more += f',"retriggered_from":"{random.choice(among)}"'
        workspace.new_runs.append(run_id)
        opening = (
            f'{{"type":"action_run","id":"{run_id}",{self._shared(workspace, client)},'
            f'"block":"{block}","block_from":"cargo.example.test/infra/{block}:0.3.1",'
            f'"action":"deploy","started_at":"{text_of(start_us)}"{more}'
        )
        end_us = start_us + random.choice((0, random.randrange(_S, 20 * _MINUTE)))
        closing = f'"finished_at":"{text_of(end_us)}","exit_code":{random.choice((0, 0, 0, 1))}'
        return self._opened(workspace, number, opening, closing, end_us, now_us, claims)

    def _session(
        self, workspace: _Workspace, client: str, start_us: int, now_us: int, claims: list[Claim]
    ) -> str:
        random = self._random
        number = self.ledger.claim_number()
        host = random.randrange(1, 40)
        opening = (
            f'{{"type":"ssh_session","id":"{record_id(self.ledger.sender, number)}",'
            f'{self._shared(workspace, client)},"host":{{"inventory_name":"db-{host}",'
            f'"ansible_host":"10.0.0.{host}"}},"started_at":"{text_of(start_us)}"'
        )
        if random.random() < workspace.mix.long_open:
            low, high = _LONG_OPEN_BY_HOURS
            end_us = start_us + random.randrange(low * _HOUR, high * _HOUR)
        else:
            end_us = start_us + random.randrange(_S, 40 * _MINUTE)
        closing = f'"ended_at":"{text_of(end_us)}","exit_code":0'
        return self._opened(workspace, number, opening, closing, end_us, now_us, claims)

    def _opened(
        self,
        workspace: _Workspace,
        number: int,
        opening: str,
        closing: str,
        end_us: int,
        now_us: int,
        claims: list[Claim],
    ) -> str:
        """The open snapshot, and the closed one later; or the closed one at once."""
        closed = f"{opening},{closing}}}"
        if end_us <= now_us and self._random.random() < 0.65:
            claims.append(Claim(number, CLOSED))
            return closed
        claims.append(Claim(number, OPEN))
        workspace.endings.append(_Ending(end_us, number, closed))
        return f"{opening}}}"


def text_of(at_us: int) -> str:
    """RFC 3339, in UTC."""
    moment = _EPOCH + timedelta(microseconds=at_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z"
