"""`make bench ONLY=read`: how long the questions of the users take on millions of entries.

Questions go by HTTP over loopback to the read API in this process, one at a time, after a warm-up,
each time with other values (a server that only answers from a cache would show). The history is
made once and kept beside its size; `--fresh` makes it anew.
"""

import argparse
import contextlib
import json
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from rich.console import Console
from rich.progress import track

from control.authenticator import Principal
from control.bootstrap import bootstrap
from control.database import open_control
from control.failed_authentications import FailedAuthentications
from control.roles import Role, effective_roles
from query.app import build_query_app
from query.services import QueryServices, query_services
from runtime import garbage
from runtime.settings import load_settings
from runtime.sqlite_access_log import SqliteAccessLog
from runtime.sqlite_log import SqliteLog
from schemas.kinds import ActorKind
from schemas.times import format_us
from tests.bench.figures import Figure, figure, write_report
from tests.bench.generated_history import (
    ACTORS,
    BEGINNING_US,
    CLI_INSTANCES,
    HOSTS_PER_WORKSPACE,
    ORGANIZATION,
    WORKSPACES,
    History,
    generate,
    label_workspaces,
    let_merge,
    merge,
    revise,
)
from tests.support.ports import free_port
from timeline.migrations import migrate
from timeline.statement import Statement
from timeline.store import Store, open_store

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_MONTH_US: Final = 30 * _DAY_US
_WARM_UP: Final = 3
_EXPORT_ROWS: Final = 100
_PAGE_ROWS: Final = 100
_SETTLE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Question:
    """`ask` makes the request of one repetition; `target_ms` is for the 95th percentile."""

    name: str
    target_ms: float
    ask: Callable[[], tuple[str, dict[str, Any]]]
    is_export: bool = False


class AnyKey:
    """Every token is an administrator's of the generated organization."""

    async def authenticate(self, token: str) -> Principal:
        return Principal(
            organization=ORGANIZATION,
            actor="bench",
            actor_kind=ActorKind.SERVICE,
            key_id="bench",
            roles=effective_roles({Role.ADMIN}),
            workspace_patterns=None,
        )


class Questions:
    """The questions, each time about something else; the same seed asks the same."""

    def __init__(self, history: History, store: Store, seed: int) -> None:
        self._history = history
        self._random = random.Random(seed)
        self._ids = [
            (str(kind), str(id_))
            for kind, id_ in store.read_now(
                lambda connection: connection.rows(
                    Statement(
                        "SELECT kind, id FROM entry_ids WHERE kind != 'workspace_sync'"
                        " AND cityHash64(id) % {share:UInt64} = 0 LIMIT 500",
                        {"share": max(1, history.rows // 1_000)},
                    )
                )
            )
        ]

    def all(self) -> list[Question]:
        return [
            Question("timeline, newest page", 100, lambda: ("/v1/timeline", {})),
            Question("timeline, page at a random time", 100, self._page_at_random),
            Question("a workspace's day", 100, self._workspace_day),
            Question("a host's sessions", 100, self._host),
            Question("what one person did in a week", 100, self._actor),
            Question("failed runs, newest page", 100, self._failed),
            Question("who was active at an instant", 100, self._active),
            Question("a commit", 100, self._commit),
            Question("one record by its id", 100, self._record),
            Question("one case", 100, self._case),
            Question("incident of 8 hours, one workspace", 100, self._incident),
            Question("incident of 8 hours, all workspaces", 100, self._incident_anywhere),
            Question("summary over a month, by workspace", 500, self._summary),
            Question("deployments, newest page", 100, lambda: ("/v1/deployments", {})),
            Question("deployments of one block version", 100, self._block_version),
            Question("export of a month, first rows", 300, self._export, is_export=True),
        ]

    def _time(self, before_end_us: int = 0) -> int:
        width = self._history.end_us - BEGINNING_US - before_end_us
        return BEGINNING_US + int(self._random.random() * width)

    def _workspace(self) -> int:
        # As unevenly as the history: what is busy is asked for more often.
        return int(WORKSPACES * self._random.random() ** 2.5)

    def _period(self, width_us: int) -> dict[str, str]:
        start = self._time(width_us)
        return {"from": format_us(start), "to": format_us(start + width_us)}

    def _page_at_random(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"to": format_us(self._time())}

    def _workspace_day(self) -> tuple[str, dict[str, Any]]:
        workspace = f"workspace-{self._workspace():03}"
        return "/v1/timeline", {"workspace": workspace, **self._period(_DAY_US)}

    def _host(self) -> tuple[str, dict[str, Any]]:
        number = self._random.randrange(HOSTS_PER_WORKSPACE)
        host = f"server{number}.w{self._workspace()}.example.com"
        return "/v1/ssh-sessions", {"host": host}

    def _actor(self) -> tuple[str, dict[str, Any]]:
        actor = f"user-{self._random.randrange(ACTORS)}"
        return "/v1/timeline", {"actor": actor, **self._period(7 * _DAY_US)}

    def _failed(self) -> tuple[str, dict[str, Any]]:
        return "/v1/action-runs", {"status": "failed", "to": format_us(self._time())}

    def _active(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"active_at": format_us(self._time())}

    def _commit(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"commit": f"{self._random.randrange(1 << 40):010x}"}

    def _record(self) -> tuple[str, dict[str, Any]]:
        kind, id_ = self._random.choice(self._ids)
        return f"/v1/records/{kind}/{id_}", {}

    def _case(self) -> tuple[str, dict[str, Any]]:
        kind, id_ = self._random.choice(self._ids)
        return f"/v1/cases/{kind}/{id_}", {}

    def _incident(self) -> tuple[str, dict[str, Any]]:
        path, parameters = self._incident_anywhere()
        return path, {**parameters, "workspace": f"workspace-{self._workspace():03}"}

    def _incident_anywhere(self) -> tuple[str, dict[str, Any]]:
        return "/v1/incidents", {"at": format_us(self._time() + 8 * _HOUR_US), "before": "8h"}

    def _summary(self) -> tuple[str, dict[str, Any]]:
        period = self._period(_MONTH_US)
        return "/v1/action-runs/summary", {"group_by": "workspace", **period}

    def _block_version(self) -> tuple[str, dict[str, Any]]:
        number = self._random.randrange(14)
        version = f"0.{self._random.randrange(self._history.days * 6 // 40)}"
        return "/v1/deployments", {"block": f"block-{number}", "block_version": version}

    def _export(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"format": "ndjson", **self._period(_MONTH_US)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path(".cache/bench"))
    parser.add_argument("--fresh", action="store_true", help="make the history anew")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    console = Console()
    history = History(options.rows)
    about = (
        f"{options.rows:,} entries over {history.days} days in {WORKSPACES} workspaces,"
        f" {CLI_INSTANCES} CLI instances; embedded store; {options.repetitions} repetitions after"
        f" {_WARM_UP} for warming up, by HTTP over loopback, one at a time"
    )
    folder = options.folder / f"read-{options.rows}"
    with _store(folder, history, options.fresh, console) as store:
        console.print("merging each month into one part")
        merge(store)
        merged = _measure(store, history, options.repetitions, options.seed, console)
        console.print("adding later revisions")
        revise(store, history, _next_revision(folder))
        try:
            revised = _measure(store, history, options.repetitions, options.seed, console)
        finally:
            let_merge(store)
    for name, figures, state in (
        ("read-merged", merged, "each month one part"),
        ("read", revised, "2 % of them with a later revision in parts of their own"),
    ):
        write_report(
            name,
            figures,
            about=f"{about}; {state}",
            folder=options.folder,
            is_for_docs=options.write_docs,
            console=console,
        )


def _next_revision(folder: Path) -> int:
    """Higher than all before: the same history is revised at each run."""
    state = json.loads((folder / "history.json").read_text())
    state["revision"] = state.get("revision", 1) + 1
    (folder / "history.json").write_text(json.dumps(state))
    return int(state["revision"])


@contextlib.contextmanager
def _store(folder: Path, history: History, is_fresh: bool, console: Console) -> Iterator[Store]:
    """The store that holds the history; made where it is missing or was broken off."""
    done = folder / "history.json"
    wanted = {"rows": history.rows, "days": history.days}
    if is_fresh or not done.exists() or not wanted.items() <= json.loads(done.read_text()).items():
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(load_settings(data_dir=folder))
    try:
        migrate(store)
        if not done.exists():
            console.print(f"making {history.rows:,} entries in {folder}, about 30 s a million")
            generate(store, history)
            label_workspaces(store)
            done.write_text(json.dumps(wanted))
        yield store
    finally:
        store.close()


def _measure(
    store: Store, history: History, repetitions: int, seed: int, console: Console
) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="opstrail-bench-") as control_folder:
        control = open_control(f"sqlite:///{control_folder}/control.db")
        bootstrap(control)
        # What each reading waits for as well.
        access_log = SqliteLog(Path(control_folder, "access.db"), inflight_bytes_max=2**26)
        services = query_services(
            load_settings(data_dir=Path(control_folder)),
            store=store,
            control=control,
            authenticator=AnyKey(),
            access_log=SqliteAccessLog(access_log),
            log=access_log,  # nothing is resent
            failed_authentications=FailedAuthentications(
                SqliteAccessLog(access_log), wall_clock=lambda: history.end_us
            ),
            position_secret=b"bench",
            wall_clock=lambda: history.end_us,
        )
        with _served(services) as url, httpx.Client(base_url=url, timeout=60) as client:
            client.headers["Authorization"] = "Bearer bench"
            questions = Questions(history, store, seed).all()
            figures = [
                figure(
                    question.name,
                    [_ask(client, question) for _ in range(_WARM_UP + repetitions)][_WARM_UP:],
                    question.target_ms,
                )
                for question in track(questions, "asking", console=console)
            ]
            figures += _deep_pages(client, repetitions, min(1_000_000, history.rows // 2))
        access_log.close()
        control.close()
    return figures


def _ask(client: httpx.Client, question: Question) -> float:
    """Milliseconds to the whole answer; of an export, to its first rows."""
    path, parameters = question.ask()
    started_s = time.perf_counter()
    with client.stream("GET", path, params=parameters) as answer:
        assert answer.status_code == 200, (path, parameters, answer.read())
        if question.is_export:
            lines = answer.iter_lines()
            for _ in range(_EXPORT_ROWS):
                next(lines)
            taken_s = time.perf_counter() - started_s
            # Whoever hangs up leaves a page behind that is still being read.
            time.sleep(_SETTLE_S)
            return taken_s * 1_000
        answer.read()
    return (time.perf_counter() - started_s) * 1_000


def _deep_pages(client: httpx.Client, repetitions: int, depth: int) -> list[Figure]:
    """The first pages against those that come `depth` entries later."""
    parameters: dict[str, Any] = {"order": "asc", "limit": str(_PAGE_ROWS)}
    early = _follow(client, parameters, repetitions)
    # Reached by its time: the cursor that stands there is the same as after all pages before it.
    there = client.get("/v1/timeline", params={**parameters, "from": _time_of(client, depth)})
    late = _follow(client, {**parameters, "cursor": there.json()["next_cursor"]}, repetitions)
    return [
        figure("by cursor, from page 1 on", early, 100),
        figure(f"by cursor, from page {depth // _PAGE_ROWS:,} on", late, 100),
    ]


def _follow(client: httpx.Client, parameters: dict[str, Any], pages: int) -> list[float]:
    times = []
    for _ in range(_WARM_UP + pages):
        started_s = time.perf_counter()
        answer = client.get("/v1/timeline", params=parameters)
        times.append((time.perf_counter() - started_s) * 1_000)
        parameters = {**parameters, "cursor": answer.json()["next_cursor"]}
    return times[_WARM_UP:]


def _time_of(client: httpx.Client, rows: int) -> str:
    """The start of the entry so many rows from the beginning, by SQL."""
    answer = client.post(
        "/v1/sql",
        json={
            "query": "SELECT occurred_at FROM timeline ORDER BY occurred_at"
            " LIMIT 1 OFFSET {rows:UInt64}",
            "parameters": {"rows": rows},
        },
    )
    body = answer.json()
    assert answer.status_code == 200, body
    return str(body["rows"][0][0])


@contextlib.contextmanager
def _served(services: QueryServices) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(build_query_app(services), port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    garbage.settle()  # as every process that serves does
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
