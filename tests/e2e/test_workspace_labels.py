"""Labels of workspaces through a whole process, and what a sudden end leaves of them."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from control.database import open_control
from control.workspaces import WorkspaceLabel, put_label
from tests.support.opstrail import EmbeddedOpstrail

SHOP = "/v1/workspaces/shop"


def call(system: EmbeddedOpstrail, method: str, path: str, **more: Any) -> Any:
    answer = httpx.request(
        method,
        f"{system.url}{path}",
        headers={"Authorization": f"Bearer {system.admin_key}"},
        timeout=10,
        **more,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_label_outlives_the_process_that_took_it(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    said = call(system, "PUT", SHOP, json={"environment": "production", "labels": {"a": "b"}})
    system.process.kill()
    system.start()

    assert call(system, "GET", SHOP) == said
    system.close()


def test_a_label_that_was_kept_and_not_copied_shows_after_the_next_start(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    call(system, "PUT", SHOP, json={"environment": "staging"})
    system.process.kill()
    control = open_control(f"sqlite:///{tmp_path / 'data' / 'control.db'}")
    with control.writing() as connection:
        put_label(
            connection,
            WorkspaceLabel(environment="production"),
            organization="default",
            name="shop",
            now=datetime.now(UTC),
        )
    control.close()
    system.start()

    give_up_at_s = time.monotonic() + 20
    while call(system, "GET", SHOP)["environment"] != "production":
        assert time.monotonic() < give_up_at_s
        time.sleep(0.05)
    system.process.stop()
    assert system.process.exit_code == 0
    system.close()
