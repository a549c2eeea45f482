"""compose.yaml, checked as far as a machine without a container daemon can."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import click
import jsonschema
import pytest
import yaml

from opstrail.main import cli
from opstrail.server import GRACE_S
from runtime.settings import load_settings
from tests.deploy.deployment import (
    COMPOSE,
    DOCKERFILE,
    ENV_EXAMPLE,
    ROOT,
    SETTING_VARIABLES,
    documents,
    suite_variables,
    variables_in,
)

_OURS: Final = ("init", "query", "sink", "correlate", "ingest")
_THEIRS: Final = ("kafka", "clickhouse", "postgres")
_PASSWORDS: Final = {"CLICKHOUSE_PASSWORD": "c0ffee", "POSTGRES_PASSWORD": "c0ffee"}
# ${NAME}, ${NAME:-default}, ${NAME:?what to do}
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_]\w*)(?::([-?])([^}]*))?\}")


def _compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _compose()["services"]
    return services


def _filled(text: str) -> str:
    """As Compose would fill it in with nothing set but the passwords."""
    return _REFERENCE.sub(lambda found: _PASSWORDS.get(found[1], found[3] or ""), text)


def _seconds(duration: str) -> int:
    assert duration.endswith("s"), duration
    return int(duration[:-1])


def _command_names() -> set[str]:
    return set(cli.list_commands(click.Context(cli)))


def test_it_is_valid_by_the_compose_specification() -> None:
    found = importlib.util.find_spec("check_jsonschema")
    if found is None or found.origin is None:
        pytest.skip("check-jsonschema, which brings the specification's schema, is not installed")
    vendored = Path(found.origin).parent / "builtin_schemas" / "vendor"
    schema = json.loads((vendored / "compose-spec.json").read_text())

    jsonschema.validate(_compose(), schema)


def _docker_compose(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", "--file", COMPOSE, "--env-file", os.devnull, "config", "--quiet"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _require_docker_compose() -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    version = subprocess.run(
        ["docker", "compose", "version"], capture_output=True, timeout=60, check=False
    )
    if version.returncode != 0:
        pytest.skip("docker is installed without its compose plugin")


def test_docker_compose_can_read_it() -> None:
    _require_docker_compose()

    answer = _docker_compose(_PASSWORDS)

    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("missing", sorted(_PASSWORDS))
def test_docker_compose_says_which_password_is_missing(missing: str) -> None:
    _require_docker_compose()

    answer = _docker_compose({name: text for name, text in _PASSWORDS.items() if name != missing})

    assert answer.returncode != 0
    assert missing in answer.stderr


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [COMPOSE, DOCKERFILE, ENV_EXAMPLE, *documents()], ids=_name)
def test_every_variable_is_a_setting(path: Path) -> None:
    assert variables_in(path) - SETTING_VARIABLES - suite_variables() == set()


def test_every_service_is_known() -> None:
    assert set(_services()) == {*_OURS, *_THEIRS}


@pytest.mark.parametrize("name", _OURS)
def test_every_command_exists(name: str) -> None:
    (command,) = _services()[name]["command"]

    assert command in _command_names()


@pytest.mark.parametrize("name", _OURS)
def test_every_process_accepts_its_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SETTING_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    environment = _services()[name]["environment"]
    for variable, text in environment.items():
        assert variable in SETTING_VARIABLES
        monkeypatch.setenv(variable, _filled(text))

    settings = load_settings()

    assert settings.partitions == 24
    assert settings.kafka_bootstrap
    assert bool(settings.clickhouse_url) == (name in {"init", "query", "sink", "correlate"})
    assert bool(settings.control_url) == (name in {"init", "query", "ingest"})


def test_what_all_processes_must_agree_on_is_said_once() -> None:
    environments = [_services()[name]["environment"] for name in _OURS]
    shared = ("OPSTRAIL_PARTITIONS", "OPSTRAIL_LOST_AFTER_HOURS")

    for variable in shared:
        assert len({environment[variable] for environment in environments}) == 1


@pytest.mark.parametrize("name", [*_OURS, *_THEIRS])
def test_every_service_but_init_starts_again(name: str) -> None:
    assert _services()[name]["restart"] == ("no" if name == "init" else "unless-stopped")


@pytest.mark.parametrize("name", [*_OURS, *_THEIRS])
def test_every_service_says_whether_it_is_well(name: str) -> None:
    service = _services()[name]

    match name:
        case "init":
            assert service["healthcheck"] == {"disable": True}  # it ends
        case "query" | "ingest":
            assert "healthcheck" not in service  # the image's, which asks /healthz
        case "sink" | "correlate":
            port = service["environment"]["OPSTRAIL_METRICS_PORT"]
            assert f":{port}/metrics" in service["healthcheck"]["test"][-1]
        case _:
            assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted({*_OURS, *_THEIRS} - {"init"}))
def test_every_service_has_time_to_stop(name: str) -> None:
    grace_s = _seconds(_services()[name]["stop_grace_period"])

    assert grace_s > GRACE_S


@pytest.mark.parametrize("name", [*_OURS, *_THEIRS])
def test_images_are_named_with_a_version(name: str) -> None:
    _, _, tag = _services()[name]["image"].partition(":")

    assert tag
    assert tag != "latest"


def test_our_image_is_named_with_our_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert {_services()[name]["image"] for name in _OURS} == {f"opstrail:{project['version']}"}


def test_only_this_machine_reaches_what_is_published() -> None:
    published = {name: service.get("ports", []) for name, service in _services().items()}

    assert {name for name, ports in published.items() if ports} == {"ingest", "query"}
    for ports in published.values():
        assert all(_filled(port).startswith("127.0.0.1:") for port in ports)


def test_passwords_come_from_the_environment_and_say_so_when_missing() -> None:
    references = {found[0]: (found[1], found[2]) for found in _REFERENCE.findall(_text())}

    for name in _PASSWORDS:
        sign, said = references[name]
        assert sign == "?"
        assert said
    for service in _services().values():
        for variable, text in service.get("environment", {}).items():
            if variable.endswith("_PASSWORD"):
                assert _REFERENCE.fullmatch(text), variable


def _text() -> str:
    """Without comments."""
    return re.sub(r"(?m)^\s*#.*$", "", COMPOSE.read_text())


def test_the_example_names_every_variable_and_holds_no_password() -> None:
    asked = {found[0] for found in _REFERENCE.findall(_text())}
    lines = re.findall(r"(?m)^(?:# )?([A-Z_]+)=(.*)$", ENV_EXAMPLE.read_text())
    example = dict(lines)

    assert set(example) == asked
    assert all(example[name] == "" for name in _PASSWORDS)


def test_the_example_shows_the_defaults() -> None:
    defaults = {name: said for name, sign, said in _REFERENCE.findall(_text()) if sign == "-"}
    example = dict(re.findall(r"(?m)^# ([A-Z_]+)=(.*)$", ENV_EXAMPLE.read_text()))

    assert example == defaults


def test_data_is_kept_in_named_volumes() -> None:
    mounted = {
        volume.partition(":")[0]
        for service in _services().values()
        for volume in service.get("volumes", [])
    }

    assert mounted == set(_compose()["volumes"])
    assert all("volumes" in _services()[name] for name in _THEIRS)


@pytest.mark.parametrize("name", _OURS)
def test_every_process_waits_for_what_it_needs(name: str) -> None:
    waits = {on: how["condition"] for on, how in _services()[name]["depends_on"].items()}

    if name == "init":
        assert waits == dict.fromkeys(_THEIRS, "service_healthy")
    else:
        assert waits["init"] == "service_completed_successfully"
    assert set(waits) <= set(_services())


def test_an_upgrade_brings_readers_before_writers() -> None:
    services = _services()

    assert "sink" in services["correlate"]["depends_on"]
    assert "correlate" in services["ingest"]["depends_on"]


def test_two_processes_correlate() -> None:
    assert _services()["correlate"]["deploy"] == {"replicas": 2}


@pytest.mark.parametrize("name", _OURS)
def test_our_processes_may_do_little(name: str) -> None:
    service = _services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
