"""PostgreSQL: from an address, in a container, or the programs of this system."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.support.ports import HOST, free_port
from tests.support.processes import ChildProcess
from tests.support.services import (
    DockerService,
    ProgramService,
    Recipe,
    Service,
    ServiceMissingError,
    data_folder,
)

NAME = "PostgreSQL"
VARIABLE = "OPSTRAIL_TEST_CONTROL_URL"
IMAGE = "postgres:17"
USER = "opstrail"  # a superuser, let in without a password
DATABASE = "postgres"  # there from the start; tests make their own beside it
SYSTEM_FOLDER = Path("/usr/lib/postgresql")
INITDB_TIMEOUT_S = 60.0
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 2

# The data need not outlive a power cut, only the processes.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    # A killed server leaves nothing behind in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}


def program() -> Service:
    """A server of this system, not yet started. Raises ServiceMissingError when there is none."""
    programs = _programs()
    owner = _owner()
    with data_folder("postgres") as folder:
        data = _initialized(folder, programs, owner)
    port = free_port()
    settings = {**_SETTINGS, "port": str(port)}
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    return ProgramService(
        NAME,
        address=_url(port),
        ports=[port],
        folder=folder,
        process=ChildProcess(
            [str(programs / "postgres"), "-D", str(data), *options],
            folder=folder,
            log=folder / "postgres.log",
            owner=owner,
            # "Fast": SIGTERM would wait for every client to leave.
            stop_signal=signal.SIGINT,
        ),
        answers=answers,
        start_timeout_s=START_TIMEOUT_S,
    )


def container() -> Service:
    """A server in a container, not yet started."""
    port = free_port()
    return DockerService(
        NAME,
        address=_url(port),
        image=IMAGE,
        ports=(5432, port),
        variables={
            "POSTGRES_USER": USER,
            "POSTGRES_DB": DATABASE,
            "POSTGRES_HOST_AUTH_METHOD": "trust",
        },
        answers=answers,
    )


RECIPE = Recipe(name=NAME, variable=VARIABLE, container=container, program=program)


def libpq_url(url: str) -> str:
    """`url` as psycopg itself takes it: the driver in the scheme is SQLAlchemy's."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def answers(url: str) -> bool:
    """Whether the server at `url` answers a query. Never raises."""
    try:
        with psycopg.connect(libpq_url(url), connect_timeout=ANSWER_TIMEOUT_S) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _url(port: int) -> str:
    return f"postgresql+psycopg://{USER}@{HOST}:{port}/{DATABASE}"


def _programs() -> Path:
    """The folder with `initdb` and `postgres`, of the newest version installed."""
    installed = sorted(
        SYSTEM_FOLDER.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    on_path = shutil.which("postgres")
    for postgres in [*installed, *([Path(on_path)] if on_path else [])]:
        if postgres.with_name("initdb").exists():
            return postgres.parent
    raise ServiceMissingError("the PostgreSQL server is not installed")


def _owner() -> tuple[int, int] | None:
    """(uid, gid) to run as; None: as the suite itself. PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    raise ServiceMissingError("PostgreSQL does not run as root, and there is no other user")


def _initialized(folder: Path, programs: Path, owner: tuple[int, int] | None) -> Path:
    """A new data folder inside `folder`, made by `owner`, to whom `folder` then belongs."""
    if owner is not None:
        os.chown(folder, *owner)
        if closed := [str(path) for path in folder.parents if not path.stat().st_mode & 0o001]:
            raise ServiceMissingError(
                f"the user that runs PostgreSQL may not enter {closed[0]}: set TMPDIR elsewhere"
            )
    data = folder / "data"
    options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", f"--username={USER}"]
    uid, gid = owner or (None, None)
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, *options],
            cwd=folder,
            timeout=INITDB_TIMEOUT_S,
            check=True,
            capture_output=True,
            user=uid,
            group=gid,
            extra_groups=None if owner is None else [],
        )
    except subprocess.CalledProcessError as error:
        raise ServiceMissingError(f"initdb failed: {error.stderr.decode()[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceMissingError(f"initdb took longer than {INITDB_TIMEOUT_S:g} s") from error
    return data
