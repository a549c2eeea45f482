"""`make bench ONLY=read`: how long the questions of the users take on millions of entries.

Questions go by HTTP over loopback to the read API in this process, one at a time, after a warm-up,
each time with other values (a server that only answers from a cache would show). The history is
made once and kept beside its size; `--fresh` makes it anew.
"""

import argparse
import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
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
from tests.bench.figures import Figure, figure, machine_line, write_report, write_section
from tests.bench.generated_history import (
    CLI_INSTANCES,
    ORGANIZATION,
    WORKSPACES,
    History,
    generate,
    label_workspaces,
    let_merge,
    merge,
    revise,
)
from tests.bench.questions import HEADERS, Question, Questions, some_ids
from tests.bench.readers import EVENTS_PER_S, markdown, measure_together
from tests.support.ports import free_port
from timeline.migrations import migrate
from timeline.store import Store, open_store

_WARM_UP: Final = 3
_EXPORT_ROWS: Final = 100
_PAGE_ROWS: Final = 100
_SETTLE_S: Final = 2.0


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
        console.print("several readers at once")
        with _served_store(store, history) as url:
            together = measure_together(url, store, history)
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

    about_readers = (
        f"{options.rows:,} entries, each month one part; 12 s a row; each reader asks all questions"
        " but the export, in an order of its own, the next as soon as it has its answer. What comes"
        f" in is what correlate makes of {EVENTS_PER_S:,} events a second (9 links an entry),"
        " inserted once a second by the same process, as far as it keeps up."
    )
    section = f"{about_readers}\n{machine_line()}.\n\n{markdown(together)}"
    console.print(section)
    kept = [asdict(each) for each in together]
    (options.folder / "read-together.json").write_text(json.dumps(kept, indent=2) + "\n")
    if options.write_docs:
        write_section("read-together", section)


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
    with (
        _served_store(store, history) as url,
        httpx.Client(base_url=url, timeout=60, headers=HEADERS) as client,
    ):
        figures = [
            figure(
                question.name,
                [_ask(client, question) for _ in range(_WARM_UP + repetitions)][_WARM_UP:],
                question.target_ms,
            )
            for question in track(
                Questions(history, some_ids(store, history), seed).all(), "asking", console=console
            )
        ]
        return figures + _deep_pages(client, repetitions, min(1_000_000, history.rows // 2))


@contextlib.contextmanager
def _served_store(store: Store, history: History) -> Iterator[str]:
    """The address of a read API on this store."""
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
        with _served(services) as url:
            yield url
        access_log.close()
        control.close()


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
