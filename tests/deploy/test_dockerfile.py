"""The image, checked as far as a machine without a container daemon can."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.deploy.deployment import COMPOSE, DEPLOY, DOCKERFILE, ROOT

_UID: Final = "10001"


class _Instruction(NamedTuple):
    name: str
    text: str


def _instructions() -> list[_Instruction]:
    """Without comments, continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text())
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    split = (line.partition(" ") for line in lines if line.strip())
    return [_Instruction(name, rest.strip()) for name, _, rest in split]


def _final_stage() -> list[_Instruction]:
    """What is in the image, not only in its making."""
    instructions = _instructions()
    last = max(index for index, each in enumerate(instructions) if each.name == "FROM")
    return instructions[last:]


def _only(name: str) -> str:
    (found,) = [each.text for each in _final_stage() if each.name == name]
    return found


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).parent
    hadolint = shutil.which("hadolint", path=str(beside)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")

    answer = subprocess.run(
        [hadolint, "--failure-threshold", "style", DOCKERFILE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout


def test_it_is_built_in_stages_from_named_versions() -> None:
    bases = [each.text.split()[0] for each in _instructions() if each.name == "FROM"]

    assert len(bases) > 1
    assert set(bases) == {"python:3.13-slim"}


def test_the_process_is_not_root() -> None:
    assert _only("USER") == f"{_UID}:{_UID}"
    # Nothing after it may turn back.
    assert [each.name for each in _final_stage()].count("USER") == 1


def test_the_user_of_the_image_owns_the_writable_folder_in_compose() -> None:
    assert f"/var/lib/opstrail:uid={_UID},gid={_UID},mode=0700" in COMPOSE.read_text()


def test_signals_reach_the_process() -> None:
    assert json.loads(_only("ENTRYPOINT")) == ["opstrail"]
    assert isinstance(json.loads(_only("CMD")), list)


def test_the_health_check_needs_no_further_tool_and_compiles() -> None:
    _, _, command = _only("HEALTHCHECK").partition("CMD ")
    program, option, code = json.loads(command)

    assert (program, option) == ("python", "-c")
    assert "/healthz" in code
    compile(code, "HEALTHCHECK", "exec")


def _package_installs() -> list[str]:
    runs = (each.text for each in _instructions() if each.name == "RUN")
    return [part for run in runs for part in run.split("&&") if " install " in part]


def test_what_comes_from_outside_comes_by_hash_and_as_wheels() -> None:
    outside = [part for part in _package_installs() if "--requirement" in part]

    assert len(outside) == 2
    for part in outside:
        assert "--require-hashes" in part
        assert "--only-binary :all:" in part


def test_the_project_brings_nothing_along() -> None:
    (ours,) = [part for part in _package_installs() if ".whl" in part]

    assert "--no-deps" in ours
    assert "--no-index" in ours


def test_no_development_tool_is_in_the_image() -> None:
    text = "\n".join(each.text for each in _final_stage())

    assert "requirements-dev" not in DOCKERFILE.read_text()
    assert "apt-get" not in text
    assert "--without-pip" in DOCKERFILE.read_text()
    copied = [each.text for each in _final_stage() if each.name == "COPY"]
    assert copied == ["--from=build /opt/opstrail /opt/opstrail"]


def test_the_build_backend_is_the_one_of_the_project() -> None:
    lock = (DEPLOY / "requirements-build.lock").read_text()
    (required,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    developed_with = (ROOT / "requirements-dev.lock").read_text()

    assert re.findall(r"(?m)^(\S+==\S+)", lock) == [required]
    block = developed_with.partition(f"\n{required} ")[2].partition("\n    # via")[0]
    assert set(re.findall(r"sha256:\w+", lock)) == set(re.findall(r"sha256:\w+", block))


def test_the_build_sees_every_package_and_nothing_else() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {pattern.rstrip("*") for pattern in included}
    files = {"LICENSE", "README.md", "pyproject.toml", "requirements.lock"}

    assert ignore[1] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == (
        packages | files | {"deploy/requirements-build.lock"}
    )
