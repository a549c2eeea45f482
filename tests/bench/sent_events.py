"""Events as clients send them, by the hundred thousand: the load of every bench but the reading.

Of ten records one is a sync; of the others one half are runs and one half sessions, each told
twice: open, then closed. All are valid, each has an id of its own; the same seed makes the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_S: Final = 1_000_000
HOUR_US: Final = 3_600 * _S
_CLI_INSTANCES: Final = 200
_BLOCKS: Final = 14
_HOSTS: Final = 12
_SYNC_SHARE: Final = 0.1
_RUN_SHARE: Final = 0.55
_RUN_S_MEAN: Final = 60
_SESSION_S_MEAN: Final = 300
EVENTS_PER_RECORD: Final = 1.9
# A workspace with ten records an hour at all hours, each of which has about ten links. In one with
# ten times as many most entries have as many links as an entry may have.
USUAL_EVENTS_PER_HOUR: Final = 20
BUSY_EVENTS_PER_HOUR: Final = 200


@dataclass(slots=True)
class Sending:
    """The events of one workspace, from `told_until_us` on, `events_per_hour` of them."""

    workspace: str
    random: Random
    told_until_us: int
    events_per_hour: float

    def events(self, count: int) -> list[str]:
        """The next `count` events, each as JSON."""
        found: list[str] = []
        random = self.random
        common = (
            f'"workspace":"{self.workspace}","cli_instance_id":"cli-{random.randrange(_CLI_INSTANCES):08x}"'
            ',"cli_version":"0.9.9","hostname":"machine-1","os_user":"root"'
        )
        while len(found) < count:
            kind = random.random()
            told = 1 if kind < _SYNC_SHARE else 2
            mean_us = told * HOUR_US / self.events_per_hour
            self.told_until_us += int(random.expovariate(1 / mean_us))
            found += self._record(kind, self.told_until_us, common)
        # A record that does not fit whole stays open.
        return found[:count]

    def body(self, count: int) -> bytes:
        """The next `count` events as a JSON array."""
        return f"[{','.join(self.events(count))}]".encode()

    def _record(self, kind: float, start_us: int, common: str) -> Iterator[str]:
        random = self.random
        head = f'"id":"{_uuid(random)}",{common}'
        start = _text(start_us)
        if kind < _SYNC_SHARE:
            before, after = f"{random.getrandbits(160):040x}", f"{random.getrandbits(160):040x}"
            yield (
                f'{{"type":"workspace_sync",{head},"timestamp":"{start}","result":"success",'
                f'"git":{{"branch":"main","before_sha":"{before}","after_sha":"{after}"}}}}'
            )
            return
        if kind < _RUN_SHARE:
            length_us = int(random.expovariate(1 / (_RUN_S_MEAN * _S)))
            number = random.randrange(_BLOCKS)
            opened = (
                f'{{"type":"action_run",{head},"block":"block-{number}","block_from":'
                f'"cargo.example.com/infra/block-{number}:0.3.1","action":"deploy",'
                f'"started_at":"{start}"'
            )
            closed = f',"finished_at":"{_text(start_us + length_us)}","exit_code":0'
            closed += f',"duration_ms":{length_us // 1_000}'
        else:
            length_us = int(random.expovariate(1 / (_SESSION_S_MEAN * _S)))
            host = random.randrange(_HOSTS)
            opened = (
                f'{{"type":"ssh_session",{head},"host":{{"inventory_name":"server{host}",'
                f'"ansible_host":"10.0.0.{host}"}},"started_at":"{start}"'
            )
            closed = f',"ended_at":"{_text(start_us + length_us)}","exit_code":0'
        yield f"{opened}}}"
        yield f"{opened}{closed}}}"


def sendings(count: int, since_us: int, events_per_hour: float, seed: int = 1) -> list[Sending]:
    """One for each of `count` workspaces."""
    return [
        Sending(f"workspace-{number:03}", Random(f"{seed} {number}"), since_us, events_per_hour)
        for number in range(count)
    ]


def _text(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat()


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
