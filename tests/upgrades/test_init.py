"""`opstrail init` on the servers of an installation that an earlier version made."""

import os
import subprocess
import uuid
from pathlib import Path

import psycopg

from control.database import open_control
from runtime.settings import load_settings
from tests.support.opstrail import opstrail
from tests.support.postgres_service import libpq_url
from tests.upgrades.old_control import POSITION_SECRET, REVISIONS, insert_old_rows
from tests.upgrades.old_timeline import VERSIONS, make_old_timeline
from tests.upgrades.test_control import make_tables
from timeline.migrations import MIGRATIONS
from timeline.statement import Statement
from timeline.store import open_store

_INIT_TIMEOUT_S = 60.0


def test_init_from_two_machines_at_once_upgrades_the_oldest_installation(
    kafka_bootstrap: str, clickhouse_url: str, postgres_url: str, tmp_path: Path
) -> None:
    name = f"upgrade_{uuid.uuid4().hex}"
    with psycopg.connect(libpq_url(postgres_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    variables = {
        "OPSTRAIL_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPSTRAIL_CLICKHOUSE_URL": clickhouse_url,
        "OPSTRAIL_CLICKHOUSE_DATABASE": name,
        "OPSTRAIL_CONTROL_URL": postgres_url.rsplit("/", 1)[0] + f"/{name}",
        "OPSTRAIL_PARTITIONS": "4",
        "OPSTRAIL_DATA_DIR": str(tmp_path / "data"),
    }
    store = open_store(load_settings(clickhouse_url=clickhouse_url, clickhouse_database=name))
    make_old_timeline(store, VERSIONS[0])
    control = open_control(variables["OPSTRAIL_CONTROL_URL"])
    make_tables(control, REVISIONS[0])
    with control.writing() as connection_:
        insert_old_rows(connection_)

    started = [
        subprocess.Popen(
            opstrail("init"),
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=_INIT_TIMEOUT_S) for process in started]

    assert [process.returncode for process in started] == [0, 0], said
    # There is a key, so no other one is printed.
    assert [out for out, _ in said] == ["", ""]
    sql = Statement("SELECT DISTINCT number FROM migrations ORDER BY number")
    numbers = [number for (number,) in store.read_now(lambda c: c.rows(sql))]
    assert numbers == [migration.number for migration in MIGRATIONS]
    assert control.installation().position_secret == POSITION_SECRET
    store.write_now(lambda c: c.command(f"DROP DATABASE {name}"))
    store.close()
    control.close()
