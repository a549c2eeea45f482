"""Settings: where they come from, which source wins, and how a bad one names itself."""

from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.settings import PREFIX, Settings, load_settings

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "opstrail.toml"


def refusal_of(config: Path | None = None, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config, **overrides)
    return str(caught.value)


def test_without_any_setting_everything_is_in_one_process() -> None:
    settings = load_settings()

    assert settings.is_embedded
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.control_database_url == f"sqlite:///{Path('data/control.db').absolute()}"


def test_a_kafka_address_makes_it_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSTRAIL_KAFKA_BOOTSTRAP", "kafka-1:9092,kafka-2:9092")

    assert not load_settings().is_embedded


def test_a_stated_control_database_is_taken_as_it_is() -> None:
    url = "postgresql://opstrail@db/opstrail"

    assert load_settings(control_url=url).control_database_url == url


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KAFKA_BOOTSTRAP", "kafka"),
        ("KAFKA_BOOTSTRAP", "kafka:"),
        ("KAFKA_BOOTSTRAP", ":9092"),
        ("KAFKA_BOOTSTRAP", "kafka:port"),
        ("KAFKA_BOOTSTRAP", "kafka:9092,other"),
        ("CLICKHOUSE_URL", "clickhouse:8123"),
        ("CLICKHOUSE_URL", "tcp://clickhouse:9000"),
        ("CLICKHOUSE_DATABASE", "Opstrail"),
        ("CLICKHOUSE_DATABASE", "a-b"),
        ("CLICKHOUSE_DATABASE", "1a"),
        ("CLICKHOUSE_DATABASE", ""),
        ("CLICKHOUSE_DATABASE", "a" * 64),
        ("CONTROL_URL", "mysql://db/opstrail"),
        ("CONTROL_URL", "sqlite://relative.db"),
        ("CONTROL_URL", "data/control.db"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("METRICS_PORT", "65536"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", "1025"),
        ("PARTITIONS", "many"),
        ("PARTITIONS", "4.5"),
        ("REPLICATION", "0"),
        ("REPLICATION", "8"),
        ("RETENTION_HOURS", "0"),
        ("HORIZON_HOURS", "0"),
        ("LOST_AFTER_HOURS", "0"),
        ("RATE_REQUESTS_PER_S", "-1"),
        ("RATE_EVENTS_PER_S", "-1"),
        ("RATE_EVENTS_PER_S", "0.5"),
        ("RATE_PROCESSES", "0"),
        ("RATE_PROCESSES", "1025"),
        ("LOST_AFTER_HOURS", ""),
        ("APPEND_TIMEOUT_S", "0"),
        ("APPEND_TIMEOUT_S", "121"),
        ("APPEND_TIMEOUT_S", "nan"),
        ("INFLIGHT_BYTES_MAX", "1048575"),
        ("SINK_ROWS_MAX", "0"),
        ("SINK_WAIT_MS", "9"),
        ("SINK_WAIT_MS", "10001"),
        ("MEMORY_BYTES_MAX", "268435455"),
        ("LOG_LEVEL", "loud"),
        ("LOG_LEVEL", "INFO"),
        ("KAFKA_SECURITY", "tls"),
        ("KAFKA_SECURITY", ""),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
    ],
)
def test_a_bad_value_names_its_variable(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name, text)

    assert refusal_of().startswith(f"{PREFIX}{name}: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "0"),
        ("PORT", "65535"),
        ("PARTITIONS", "1"),
        ("PARTITIONS", "1024"),
        ("REPLICATION", "1"),
        ("REPLICATION", "7"),
        ("APPEND_TIMEOUT_S", "0.1"),
        ("APPEND_TIMEOUT_S", "120"),
        ("INFLIGHT_BYTES_MAX", "1048576"),
        ("SINK_WAIT_MS", "10"),
        ("SINK_WAIT_MS", "10000"),
        ("MEMORY_BYTES_MAX", "268435456"),
        ("CLICKHOUSE_DATABASE", "a" * 63),
        ("CLICKHOUSE_URL", "https://reader@clickhouse:8443"),
        ("CONTROL_URL", "sqlite:///control.db"),
        ("CONTROL_URL", "postgresql+psycopg://opstrail@db/opstrail"),
        ("LOG_LEVEL", "debug"),
    ],
)
def test_a_value_just_inside_its_bounds_is_good(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name, text)

    assert str(getattr(load_settings(), name.lower())) == str(
        type(getattr(Settings(), name.lower()))(text)
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("PORT", "port = 65536"),
        ("PORT", 'port = "http"'),
        ("HOST", "host = 5"),
        ("CONTROL_URL", 'control_url = "mysql://db"'),
        ("LOG_LEVEL", 'log_level = "loud"'),
        ("KAFKA_BOOTSTRAP", 'kafka_bootstrap = ["kafka:9092"]'),
    ],
)
def test_a_bad_value_of_the_file_names_its_variable_too(name: str, line: str, config: Path) -> None:
    config.write_text(line)

    assert refusal_of(config).startswith(f"{PREFIX}{name}: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CONTROL_URL", f"mysql://opstrail:{SECRET}@db"),
        ("CLICKHOUSE_URL", f"tcp://opstrail:{SECRET}@clickhouse"),
        ("PORT", SECRET),
        ("KAFKA_BOOTSTRAP", SECRET),
        ("LOG_LEVEL", SECRET),
        ("CLICKHOUSE_DATABASE", f"{SECRET}!"),
    ],
)
def test_a_refusal_repeats_no_value(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, text)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None, "nor does what a traceback would print"


def test_the_environment_wins_over_the_file_and_options_win_over_both(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('port = 1\nhost = "file"\npartitions = 1\n')
    monkeypatch.setenv("OPSTRAIL_PORT", "2")
    monkeypatch.setenv("OPSTRAIL_HOST", "environment")

    settings = load_settings(config, port=3, partitions=None)

    assert (settings.port, settings.host, settings.partitions) == (3, "environment", 1)


def test_an_option_that_was_not_given_overrides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSTRAIL_PORT", "2")

    assert load_settings(port=None).port == 2


def test_a_value_of_the_file_that_the_environment_overrides_need_not_be_good(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("port = -1")
    monkeypatch.setenv("OPSTRAIL_PORT", "2")

    assert load_settings(config).port == 2


def test_an_unknown_name_in_the_file_is_refused_by_name(config: Path) -> None:
    config.write_text("port = 1\nprot = 2\n")

    assert refusal_of(config) == f"{config}: unknown setting 'prot'; see docs/settings.md"


def test_an_unknown_variable_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSTRAIL_TEST_SOMETHING", "1")

    load_settings()


@pytest.mark.parametrize("content", [b"port: 1", b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_file_that_is_no_toml_is_named(content: bytes, config: Path) -> None:
    config.write_bytes(content)

    assert f"--config {config}: not TOML" in refusal_of(config)


def test_a_file_that_is_not_there_is_named(config: Path) -> None:
    assert refusal_of(config) == f"--config {config}: No such file or directory"
    assert refusal_of(config.parent) == f"--config {config.parent}: Is a directory"


def test_settings_do_not_change_after_they_were_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().__setattr__("port", 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KAFKA_PASSWORD", SECRET),
        ("CLICKHOUSE_URL", f"https://opstrail:{SECRET}@clickhouse"),
        ("CLICKHOUSE_SQL_URL", f"https://reader:{SECRET}@clickhouse"),
        ("CONTROL_URL", f"postgresql://opstrail:{SECRET}@db/opstrail"),
    ],
)
def test_no_password_shows_when_settings_are_printed(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + name, text)

    settings = load_settings()

    assert SECRET not in f"{settings!r} {settings}"


def test_a_key_does_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSTRAIL_KEY", SECRET)

    settings = load_settings()

    assert SECRET not in f"{settings!r} {settings}"
    assert settings.key.get_secret_value() == SECRET
