"""Real Kafka, ClickHouse and PostgreSQL for tests, and how one is found.

In this order: an address in the environment; a container, when a Docker daemon answers; a program
started here. Else the test is skipped with the reason, or fails where skipping is not allowed.

Must stay true:
- What is found but does not come up is an error, never a reason to skip.
- Nothing waits without a bound, listens beyond this machine, or keeps data outside a temporary
  folder; only downloads are kept, in the cache.
"""

import contextlib
import fcntl
import gc
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.support.ports import HOST, is_bindable
from tests.support.processes import STOP_TIMEOUT_S, ChildProcess, wait_until

MISSING = "missing service"  # begins the reason of every skip; the run's summary counts these
CACHE_VARIABLE = "OPSTRAIL_CACHE_DIR"
REPOSITORY = Path(__file__).resolve().parents[2]

DOCKER_PING_TIMEOUT_S = 3
DOCKER_CALL_TIMEOUT_S = 300  # pulling an image is one call
CONTAINER_START_TIMEOUT_S = 90.0
DOWNLOAD_TIMEOUT_S = 900.0
PORT_FREE_TIMEOUT_S = 15.0  # a client that still calls the dead server may hold its port a while


class ServiceMissingError(Exception):
    """This way to the service is not open on this machine; the message says what is missing."""


class Source(StrEnum):
    """How a service was found."""

    ENVIRONMENT = "environment"
    DOCKER = "docker"
    STARTED = "started"


class Service(ABC):
    """One server with an address that stays the same, and so does its data, over restarts.

    All calls block: from a coroutine, use `asyncio.to_thread`.
    """

    name: str
    address: str
    source: Source

    @abstractmethod
    def start(self) -> None:
        """Return once it answers; does nothing when it runs. Raises ProcessError when it fails."""

    @abstractmethod
    def stop(self) -> None:
        """End it in an orderly way; return when it ended."""

    @abstractmethod
    def kill(self) -> None:
        """End it as `kill -9` does; return when it ended."""

    @abstractmethod
    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers, until `resume`."""

    @abstractmethod
    def resume(self) -> None:
        """Let it go on after `pause`; return once it answers."""

    @abstractmethod
    def close(self) -> None:
        """End it if we started it, and delete its data."""

    def restart(self) -> None:
        """Stop it and start it again; return once it answers."""
        self.stop()
        self.start()


class GivenService(Service):
    """A server named in the environment. It belongs to somebody else: it cannot be disturbed."""

    source = Source.ENVIRONMENT

    def __init__(self, name: str, address: str, variable: str) -> None:
        self.name = name
        self.address = address
        self._variable = variable

    def start(self) -> None:
        """Nothing to do: it runs."""

    def close(self) -> None:
        """Nothing to do: it goes on running."""

    def stop(self) -> None:
        self._refuse()

    def kill(self) -> None:
        self._refuse()

    def pause(self) -> None:
        self._refuse()

    def resume(self) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        skip_or_fail(
            f"a {self.name} this test may stop; {self._variable} names one that is not ours."
            f" Unset {self._variable}"
        )


class ProgramService(Service):
    """A server running as our child process, in a temporary folder of its own."""

    source = Source.STARTED

    def __init__(
        self,
        name: str,
        *,
        address: str,
        ports: Sequence[int],
        folder: Path,
        process: ChildProcess,
        answers: Callable[[str], bool],
        start_timeout_s: float,
    ) -> None:
        """`answers(address)` says whether it serves requests; `folder` is deleted by `close`."""
        self.name = name
        self.address = address
        self.process = process
        self._ports = ports
        self._folder = folder
        self._answers = answers
        self._start_timeout_s = start_timeout_s

    def start(self) -> None:
        if not self.process.is_running:
            for port in self._ports:
                wait_until(
                    partial(is_bindable, port),
                    timeout_s=PORT_FREE_TIMEOUT_S,
                    what=f"port {port} of {self.name} to be free",
                )
            self.process.start()
        self._wait()

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()
        self._wait()

    def close(self) -> None:
        # The data goes anyway; an orderly end would only take time.
        self.process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        self.process.wait_until(
            lambda: self._answers(self.address),
            timeout_s=self._start_timeout_s,
            what=f"{self.name} to answer",
        )


class DockerService(Service):
    """A server in a container. testcontainers removes it even when the suite is killed."""

    source = Source.DOCKER

    def __init__(
        self,
        name: str,
        *,
        address: str,
        image: str,
        ports: tuple[int, int],
        variables: dict[str, str],
        answers: Callable[[str], bool],
        files: dict[str, bytes] | None = None,
    ) -> None:
        """`ports` are the one inside and the one on this machine; `files` go in by their path."""
        # Here, not above: slow to import, and most runs have no Docker.
        from testcontainers.core.container import DockerContainer

        self.name = name
        self.address = address
        self._answers = answers
        self._is_created = False
        self._container = DockerContainer(
            image, docker_client_kw={"timeout": DOCKER_CALL_TIMEOUT_S}, env=variables
        )
        inside, here = ports
        # The type leaves it out, but Docker takes (address, port), and by a port alone the
        # server would be open to the network.
        container_ports: dict[str, Any] = self._container.ports
        container_ports[f"{inside}/tcp"] = (HOST, here)
        for path, content in (files or {}).items():
            self._container.with_copy_into_container(content, path)

    def start(self) -> None:
        if self._is_created:
            self._call("start")
        else:
            try:
                self._container.start()
            except Exception as error:  # whatever the daemon says, there is no such container
                raise ServiceMissingError(f"Docker cannot run {self.name}: {error}") from error
            self._is_created = True
        self._wait()

    def stop(self) -> None:
        self._call("stop", timeout=int(STOP_TIMEOUT_S))

    def kill(self) -> None:
        self._call("kill")
        self._call("wait", timeout=int(STOP_TIMEOUT_S))

    def pause(self) -> None:
        self._call("pause")

    def resume(self) -> None:
        self._call("unpause")
        self._wait()

    def close(self) -> None:
        self._container.stop()

    def _call(self, verb: str, **arguments: int) -> None:
        getattr(self._container.get_wrapped_container(), verb)(**arguments)

    def _wait(self) -> None:
        wait_until(
            lambda: self._answers(self.address),
            timeout_s=CONTAINER_START_TIMEOUT_S,
            what=f"{self.name} in its container to answer",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The ways to one service.

    `container` and `program` return it not yet started, or raise ServiceMissingError.
    """

    name: str
    variable: str  # names an address in the environment
    container: Callable[[], Service]
    program: Callable[[], Service]


def find(recipe: Recipe) -> Service:
    """The service, answering; the caller closes it. Each call without an address starts another.

    Raises ServiceMissingError with the reason of each way, ProcessError when it does not come up.
    """
    if address := os.environ.get(recipe.variable):
        return GivenService(recipe.name, address, recipe.variable)
    reasons = [f"{recipe.variable} is not set"]
    for make in (_in_docker(recipe.container), recipe.program):
        try:
            return _started(make())
        except ServiceMissingError as error:
            reasons.append(str(error))
    raise ServiceMissingError("; ".join(reasons))


def require(recipe: Recipe) -> Service:
    """As `find`, but without a service the test is skipped, or fails where that is not allowed."""
    try:
        return find(recipe)
    except ServiceMissingError as error:
        skip_or_fail(
            f"{recipe.name}: {error}. Set {recipe.variable}, start Docker, or install the above"
        )


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test; fail it with CI=true or OPSTRAIL_REQUIRE_SERVICES=1."""
    message = f"{MISSING}: {reason}"
    if os.environ.get("CI") == "true" or os.environ.get("OPSTRAIL_REQUIRE_SERVICES") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@contextlib.contextmanager
def data_folder(name: str) -> Iterator[Path]:
    """A new temporary folder for the data of one server, whose `close` deletes it.

    Deleted here when the body raises: then there is no server.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"opstrail-{name}-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make` fills it, once for all test processes.

    It appears whole or not at all. `make` gets an empty folder and raises ServiceMissingError when
    it cannot fill it.
    """
    root = Path(os.environ.get(CACHE_VARIABLE) or REPOSITORY / ".cache" / "services").absolute()
    root.mkdir(parents=True, exist_ok=True)
    folder = root / name
    with _lock(root / f"{name}.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=root) as draft:
                content = Path(draft, "content")
                content.mkdir()
                make(content)
                content.rename(folder)
    return folder


def run_tool(command: Sequence[str | Path], *, folder: Path, timeout_s: float) -> str:
    """What `command` prints, run in `folder`. Raises ServiceMissingError when it does not work."""
    tool = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            timeout=timeout_s,
            check=True,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError as error:
        raise ServiceMissingError(f"{tool} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceMissingError(f"{tool} took longer than {timeout_s:g} s") from error
    except subprocess.CalledProcessError as error:
        said = " / ".join(str(error.stdout).strip().splitlines()[-3:])
        raise ServiceMissingError(f"{tool} failed: {said}") from error
    return done.stdout


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold `path` against other processes. Raises ServiceMissingError after DOWNLOAD_TIMEOUT_S."""
    with path.open("w") as lock:
        deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise ServiceMissingError(f"another process holds {path.name}") from error
                time.sleep(0.2)
        yield  # closing the file lets go


def _started(service: Service) -> Service:
    try:
        service.start()
    except BaseException:
        service.close()
        raise
    return service


def _in_docker(container: Callable[[], Service]) -> Callable[[], Service]:
    def make() -> Service:
        if reason := _docker_missing():
            raise ServiceMissingError(reason)
        return container()

    return make


@cache
def _docker_missing() -> str:
    """Why Docker cannot be used; empty when it can. Asks the daemon once, for a few seconds."""
    with warnings.catch_warnings():
        # The client leaves its socket to the garbage collector when nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        reason = _docker_error()
        gc.collect()
    return reason


def _docker_error() -> str:
    try:
        import docker

        client = docker.from_env(timeout=DOCKER_PING_TIMEOUT_S)
        client.ping()
        client.close()
    except Exception as error:
        return f"no Docker daemon answers ({type(error).__name__})"
    return ""
