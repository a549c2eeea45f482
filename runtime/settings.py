"""Every setting, read once at start from `OPSTRAIL_*` variables and an optional TOML file.

Variables win over the file. A wrong one names itself and nothing starts. docs/settings.md is
checked against this table by a test.
"""

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.errors import SettingsError
from schemas.limits import US_PER_S

PREFIX = "OPSTRAIL_"


def _control_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("must start with sqlite:/// or postgresql://")
    return url


def _clickhouse_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must be an http:// or https:// address, such as http://user@host:8123")
    return url


def _bootstrap(servers: str) -> str:
    for server in filter(None, servers.split(",")):
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("must be host:port, several separated by commas")
    return servers


def _trusted_proxies(addresses: str) -> str:
    try:
        for address in filter(None, addresses.split(",")):
            ipaddress.ip_network(address.strip())
    except ValueError:
        raise ValueError("IP addresses or networks, separated by commas") from None
    return addresses


def _deploy_actions(actions: str) -> str:
    if not all(action.strip() for action in actions.split(",")):
        raise ValueError("names of actions, separated by commas")
    return actions


# The hour in which links look around a record, on both sides.
_HORIZON_ABOVE_LOST_HOURS: Final = 2


class Settings(BaseSettings):
    """All settings with their defaults. Sizes in bytes, times in the unit the name ends in."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    kafka_bootstrap: Annotated[str, AfterValidator(_bootstrap)] = Field(
        "", description="Kafka brokers, `host:port,host:port`; empty: the embedded log"
    )
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="How to speak to the brokers: TLS (`ssl`), a sign-in (`sasl`)"
    )
    kafka_ca_file: str = Field(
        "", description="PEM file of the CA of the brokers' certificates; empty: the system's"
    )
    kafka_certificate: str = Field(
        "", description="PEM file of our own certificate, where the brokers ask for one"
    )
    kafka_key: str = Field(
        "", description="PEM file of the key of OPSTRAIL_KAFKA_CERTIFICATE, without a passphrase"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the brokers check user and password"
    )
    kafka_user: str = Field("", description="User at the brokers, for a sign-in")
    kafka_password: SecretStr = Field(SecretStr(""), description="The user's password")
    clickhouse_url: Annotated[str, AfterValidator(_clickhouse_url)] = Field(
        "",
        description="ClickHouse by HTTP, 25.8 or newer; empty: the embedded store",
        repr=False,  # may hold a password
    )
    clickhouse_sql_url: Annotated[str, AfterValidator(_clickhouse_url)] = Field(
        "",
        description="The same server by a user made by hand for analysts' SQL; empty: the one that"
        " `opstrail init` made, else that of OPSTRAIL_CLICKHOUSE_URL",
        repr=False,
    )
    clickhouse_ca_file: str = Field(
        "",
        description="PEM file of the CA that ClickHouse's certificate is of, for `https://`; empty:"
        " the system's",
    )
    clickhouse_database: str = Field(
        "opstrail", pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Database of the timeline"
    )
    control_url: str = Field(
        "",
        description="Control database: `sqlite:///path` or `postgresql://…`; empty: in the data"
        " folder",
        repr=False,
    )
    data_dir: Path = Field(
        Path("data"), description="Folder of the embedded log, store and control database"
    )
    host: str = Field("127.0.0.1", description="Address the HTTP server listens on")
    port: int = Field(8080, ge=0, le=65535, description="Port of the HTTP server; 0: any free one")
    trusted_proxies: Annotated[str, AfterValidator(_trusted_proxies)] = Field(
        "",
        description="Addresses or networks of reverse proxies whose `X-Forwarded-For` and"
        " `X-Forwarded-Proto` are believed, separated by commas; empty: nobody's",
    )
    tls_certificate: str = Field(
        "", description="PEM file of the HTTP server's certificate and its chain; empty: no TLS"
    )
    tls_key: str = Field(
        "", description="PEM file of the key of OPSTRAIL_TLS_CERTIFICATE, without a passphrase"
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port for /metrics of correlate and sink; 0: none"
    )
    partitions: int = Field(
        24, ge=1, le=1024, description="Partitions of the log; fixed when `opstrail init` made it"
    )
    replication: int = Field(
        1, ge=1, le=7, description="Replicas of each Kafka topic; at least 3 in production"
    )
    retention_hours: int = Field(
        24 * 90, ge=1, description="How long Kafka keeps events; above the longest outage"
    )
    horizon_hours: int = Field(
        24 * 7,
        ge=1,
        description="How long correlation keeps records in memory; what comes later is linked from"
        " the timeline store, more slowly. At least two hours above OPSTRAIL_LOST_AFTER_HOURS: less"
        " counts as that",
    )
    records_max: int = Field(
        250_000,
        ge=1_000,
        description="Records that correlation keeps in memory, in each process, about 3 kB each;"
        " above it the oldest go before the horizon, those of the last OPSTRAIL_LOST_AFTER_HOURS"
        " and two hours never",
    )
    lost_after_hours: int = Field(
        24, ge=1, le=24 * 36_500, description="After how long an open record reads as lost"
    )
    deploy_actions: Annotated[str, AfterValidator(_deploy_actions)] = Field(
        "deploy,install",
        description="Actions that count as deployments, separated by commas; a workspace may say"
        " otherwise",
    )
    append_timeout_s: float = Field(
        10.0, gt=0, le=120, description="How long a request waits for the log before 503"
    )
    inflight_bytes_max: int = Field(
        64 * 1024 * 1024, ge=1024 * 1024, description="Bytes waiting for the log before 503"
    )
    rate_requests_per_s: int = Field(
        2_000, ge=0, description="Requests a second that one key may make; 0: no limit"
    )
    rate_events_per_s: int = Field(
        100_000, ge=0, description="Events a second that one key may send; 0: no limit"
    )
    rate_processes: int = Field(
        1,
        ge=1,
        le=1024,
        description="Processes of a kind (`ingest`, `query`) that share these two; each takes its"
        " share",
    )
    sink_rows_max: int = Field(10_000, ge=1, description="Rows in one insert")
    sink_wait_ms: int = Field(
        500, ge=10, le=10_000, description="How long the sink collects rows for one insert"
    )
    memory_bytes_max: int = Field(
        2 * 1024**3,
        ge=256 * 1024**2,
        description="Memory one query, or the embedded store, may use",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged"
    )
    url: str = Field(
        "http://127.0.0.1:8080", description="Server that send, timeline and others talk to"
    )
    ca_file: str = Field(
        "", description="PEM file of a CA that send, timeline and others trust, too"
    )
    key: SecretStr = Field(SecretStr(""), description="API key that send, timeline and others use")

    @property
    def control_database_url(self) -> str:
        """The control database's address, the default resolved and checked."""
        if self.control_url:
            return self.control_url
        return f"sqlite:///{(self.data_dir / 'control.db').absolute()}"

    @property
    def deploy_action_names(self) -> tuple[str, ...]:
        """The actions that count as deployments where a workspace does not say otherwise."""
        return tuple(action.strip() for action in self.deploy_actions.split(","))

    @property
    def horizon_us(self) -> int:
        """How long correlation keeps records in memory."""
        return max(self.horizon_hours * 3_600_000_000, self.least_horizon_us)

    @property
    def least_horizon_us(self) -> int:
        """Below this, ordinary open records would already need what memory let go of."""
        return (self.lost_after_hours + _HORIZON_ABOVE_LOST_HOURS) * 3_600_000_000

    @property
    def lost_after_us(self) -> int:
        """After how long an open record reads as lost."""
        return self.lost_after_hours * 3_600 * US_PER_S

    @property
    def is_embedded(self) -> bool:
        """Whether log and store are in this process."""
        return not self.kafka_bootstrap


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings of this process. `overrides` (from options) win over variables and file.

    Raises SettingsError naming the first wrong setting by its variable.
    """
    try:
        stated = _from_file(config) if config else {}
        unknown = sorted(stated.keys() - Settings.model_fields.keys())
        if unknown:
            raise SettingsError(f"{config}: unknown setting {unknown[0]!r}; see docs/settings.md")
        # Variables win over the file: what the environment states is left out of the file's part.
        from_environment = Settings().model_fields_set
        stated = {name: value for name, value in stated.items() if name not in from_environment}
        chosen = {name: value for name, value in overrides.items() if value is not None}
        settings = Settings(**{**stated, **chosen})
        if settings.control_url:
            _control_url(settings.control_url)
        return settings
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = PREFIX + ".".join(map(str, first["loc"])).upper()
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
    except ValueError as error:
        raise SettingsError(f"{PREFIX}CONTROL_URL: {error}") from None


def _from_file(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text())
    except OSError as error:
        raise SettingsError(f"--config {config}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {config}: not TOML: {error}") from error
