"""The machine a bench runs on, so that its numbers can be read later."""

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

_GIB: Final = 1024**2  # in the kB of /proc/meminfo
_PACKAGES: Final = (
    *("aiokafka", "faust-streaming", "fastavro", "uvicorn", "uvloop", "httptools"),
    *("starlette", "pydantic", "msgspec", "clickhouse-connect", "chdb"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`load` are the averages over 1, 5 and 15 minutes; above 0.5 before a run, it shared."""

    cores: int
    processor: str
    memory_gib: float
    system: str
    python: str
    java: str
    packages: dict[str, str]
    load: tuple[float, float, float]


def this_machine() -> Machine:
    """As it is now: ask before the load begins."""
    one, five, fifteen = os.getloadavg()
    return Machine(
        cores=os.cpu_count() or 0,
        processor=_first("/proc/cpuinfo", "model name") or platform.machine(),
        memory_gib=int((_first("/proc/meminfo", "MemTotal") or "0").split()[0]) / _GIB,
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=platform.python_version(),
        java=_java(),
        packages={name: version(name) for name in _PACKAGES},
        load=(one, five, fifteen),
    )


def _first(path: str, name: str) -> str | None:
    """The value of a `name: value` line; None where there is no such file."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _java() -> str:
    try:
        said = subprocess.run(
            ["java", "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError:
        return "none"
    return (said.stderr or said.stdout).splitlines()[0]
