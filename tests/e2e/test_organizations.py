"""A second organization as its people meet it: by command line and HTTP, on a real process."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.opstrail import EmbeddedOpstrail, User, opstrail

REVOKED_WITHIN_S = 10.0
Run = Callable[..., str]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedOpstrail]:
    system = EmbeddedOpstrail(tmp_path_factory.mktemp("organizations"))
    yield system
    system.close()


@pytest.fixture(scope="module")
def run(system: EmbeddedOpstrail) -> Run:
    """`run(key, …)`: what a command with this key prints on standard output."""

    def run_command(key: str, *arguments: str) -> str:
        ended = subprocess.run(
            opstrail(*arguments),
            capture_output=True,
            text=True,
            timeout=60,
            env={
                **os.environ,
                "OPSTRAIL_URL": system.url,
                "OPSTRAIL_KEY": key,
                "OPSTRAIL_DATA_DIR": str(system.folder / "data"),
                "COLUMNS": "80",
            },
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.removesuffix("\n")

    return run_command


def ssh_session(number: int, workspace: str) -> dict[str, object]:
    return {
        "type": "ssh_session",
        "id": f"c5f4411d-641a-4b0a-8ee6-{number:012x}",
        "workspace": workspace,
        "host": {"inventory_name": "server01"},
        "started_at": "2026-03-24T10:12:03Z",
        "ended_at": "2026-03-24T10:27:45Z",
        "exit_code": 0,
    }


def test_a_second_organization_lives_by_itself(system: EmbeddedOpstrail, run: Run) -> None:
    # The first key of the installation operates it.
    admin = run(system.admin_key, "organizations", "create", "globex")
    run(admin, "principals", "create", "ci", "--kind", "service")
    ci = ("keys", "create", "--principal", "ci", "--workspace", "team-*")
    sender = run(admin, *ci, "--role", "submit", "--expires", "1d")
    reader = run(admin, *ci, "--role", "read")

    user = User(system, sender)
    refused = user.send(ssh_session(1, "team-a"), ssh_session(2, "shop"), wait=False)
    User(system, admin).send(ssh_session(3, "shop"))

    assert [rejected["index"] for rejected in refused["rejected"]] == [1]
    assert user.ask("/v1/timeline").status_code == 403
    User(system, reader).wait_for(refused["position"])
    (seen,) = User(system, reader).timeline()
    assert (seen["workspace"], seen["actor"], seen["organization"]) == ("team-a", "ci", "globex")
    assert {entry["workspace"] for entry in User(system, admin).timeline()} == {"team-a", "shop"}
    # Nothing of it is visible to the organization that operates the installation.
    assert User(system).timeline() == []

    (key_id,) = (
        item["key_id"]
        for item in User(system, admin).get("/v1/keys", principal="ci")["items"]
        if item["roles"] == ["read"]
    )
    assert "revoked" in run(admin, "keys", "revoke", key_id)
    deadline_s = time.monotonic() + REVOKED_WITHIN_S
    while User(system, reader).ask("/v1/timeline").status_code != 401:
        assert time.monotonic() < deadline_s, "still let in"
        time.sleep(0.2)
    listed = run(admin, "keys", "list", "--principal", "ci")
    assert f"{key_id}  ci         read    revoked" in listed
    assert max(map(len, listed.splitlines())) <= 80


def test_who_lost_every_admin_key_makes_one_beside_the_server(
    system: EmbeddedOpstrail, run: Run
) -> None:
    offline = ("--offline", "--organization", "default", "--principal", "rescue")

    rescued = run("", "keys", "create", *offline, "--role", "admin", "--role", "operator")

    assert "default" in run(rescued, "organizations", "list")
    assert "rescue     service" in run(rescued, "principals", "list")


def test_no_key_is_in_the_servers_log(system: EmbeddedOpstrail, run: Run) -> None:
    key = run(system.admin_key, "keys", "create", "--principal", "admin", "--role", "read")
    assert User(system, key).ask("/v1/timeline").status_code == 200

    assert key not in system.process.output
    assert key[len("opstrail_") :][:20] not in system.process.output


def test_a_key_in_an_event_is_told_for_a_secret(system: EmbeddedOpstrail, run: Run) -> None:
    key = run(system.admin_key, "keys", "create", "--principal", "admin", "--role", "submit")

    answer = User(system, key).send(
        ssh_session(9, "shop"), {**ssh_session(10, "shop"), "reason": f"used {key}"}, wait=False
    )

    assert [rejected["code"] for rejected in answer["rejected"]] == ["looks_like_secret"]
