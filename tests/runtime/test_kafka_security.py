"""Speaking to a broker by TLS and with a sign-in: a real one, through each of its doors."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import LogUnavailableError, SettingsError
from runtime.kafka_log import KafkaLog
from runtime.kafka_security import IN_THE_OPEN, kafka_security
from runtime.kafka_topics import make_topics
from runtime.settings import Settings, load_settings
from tests.runtime.envelopes import envelope
from tests.support.certificates import Authority
from tests.support.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka

SIGN_IN: dict[str, Any] = {"kafka_user": USER, "kafka_password": PASSWORD}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


def settings_for(kafka: SecuredKafka, security: str, **changes: Any) -> Settings:
    wanted: dict[str, Any] = {
        "kafka_bootstrap": kafka.bootstrap(security),
        "kafka_security": security,
        "partitions": 4,
    }
    if security in ("ssl", "sasl_ssl"):
        wanted["kafka_ca_file"] = str(kafka.ca)
    if security == "ssl":
        wanted |= {"kafka_certificate": str(kafka.own.certificate), "kafka_key": str(kafka.own.key)}
    if security.startswith("sasl"):
        wanted |= SIGN_IN
    return load_settings(**{**wanted, **changes})


async def appended(settings: Settings) -> int:
    """How many envelopes landed, topics made first."""
    await make_topics(settings)
    log = log_of(settings)
    try:
        await log.ping(timeout_s=10)
        return len(await log.append([envelope()], timeout_s=20))
    finally:
        await log.close()


def log_of(settings: Settings) -> KafkaLog:
    return KafkaLog(
        settings.kafka_bootstrap,
        partitions=settings.partitions,
        inflight_bytes_max=settings.inflight_bytes_max,
        security=kafka_security(settings),
    )


def ping_refusal(settings: Settings) -> str:
    async def ping() -> None:
        log = log_of(settings)
        try:
            await log.ping(timeout_s=10)
        finally:
            await log.close()

    with pytest.raises(LogUnavailableError) as caught:
        asyncio.run(ping())
    return str(caught.value)


@pytest.mark.parametrize(
    ("security", "mechanism"),
    [
        ("ssl", "PLAIN"),
        ("sasl_plaintext", "PLAIN"),
        ("sasl_plaintext", "SCRAM-SHA-256"),
        ("sasl_ssl", "PLAIN"),
        ("sasl_ssl", "SCRAM-SHA-512"),
    ],
)
def test_each_door_opens_to_who_has_its_key(
    kafka: SecuredKafka, security: str, mechanism: str
) -> None:
    settings = settings_for(kafka, security, kafka_sasl_mechanism=mechanism)

    assert asyncio.run(appended(settings)) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_names_the_settings_and_repeats_nothing(
    kafka: SecuredKafka, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "swordfish-swordfish"
    settings = settings_for(kafka, "sasl_ssl", kafka_password=wrong, kafka_sasl_mechanism=mechanism)

    refusal = ping_refusal(settings)

    assert "refuses the sign-in" in refusal
    assert "OPSTRAIL_KAFKA_PASSWORD" in refusal
    assert wrong not in refusal + caplog.text


def test_making_topics_says_so_as_well(kafka: SecuredKafka) -> None:
    settings = settings_for(kafka, "sasl_plaintext", kafka_password="swordfish")

    with pytest.raises(LogUnavailableError, match="OPSTRAIL_KAFKA_PASSWORD"):
        asyncio.run(make_topics(settings))


def test_a_broker_of_another_ca_is_not_spoken_to(kafka: SecuredKafka) -> None:
    refusal = ping_refusal(settings_for(kafka, "sasl_ssl", kafka_ca_file=str(kafka.stranger)))

    assert "OPSTRAIL_KAFKA_CA_FILE" in refusal
    assert "not trusted" in refusal


def test_a_broker_of_our_own_ca_is_not_one_of_the_systems(kafka: SecuredKafka) -> None:
    refusal = ping_refusal(settings_for(kafka, "sasl_ssl", kafka_ca_file=""))

    assert "OPSTRAIL_KAFKA_CA_FILE" in refusal


@pytest.mark.parametrize(
    ("door", "spoken"),
    [
        ("sasl_plaintext", "plaintext"),
        ("sasl_ssl", "plaintext"),
        ("plaintext", "ssl"),
    ],
)
def test_the_wrong_door_names_the_setting(kafka: SecuredKafka, door: str, spoken: str) -> None:
    bootstrap = kafka.bootstrap(door)

    refusal = ping_refusal(settings_for(kafka, spoken, kafka_bootstrap=bootstrap))

    assert "OPSTRAIL_KAFKA_SECURITY" in refusal


def test_a_broker_that_wants_a_certificate_of_ours_and_gets_none_names_the_settings(
    kafka: SecuredKafka,
) -> None:
    refusal = ping_refusal(settings_for(kafka, "ssl", kafka_certificate="", kafka_key=""))

    assert "OPSTRAIL_KAFKA_SECURITY" in refusal


def test_without_settings_everything_is_in_the_open() -> None:
    assert kafka_security(load_settings()) == IN_THE_OPEN
    assert IN_THE_OPEN.arguments() == {"security_protocol": "PLAINTEXT", "ssl_context": None}


def test_every_client_gets_the_same_arguments(tmp_path: Path) -> None:
    ca = Authority(tmp_path).file
    security = kafka_security(
        load_settings(kafka_security="sasl_ssl", kafka_ca_file=str(ca), **SIGN_IN)
    )

    assert security.context is not None
    assert security.arguments() == {
        "security_protocol": "SASL_SSL",
        "ssl_context": security.context,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": USER,
        "sasl_plain_password": PASSWORD,
    }


def test_a_tls_context_checks_name_and_certificate_and_knows_no_old_version() -> None:
    context = kafka_security(load_settings(kafka_security="ssl")).context

    assert context is not None
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_password_does_not_show() -> None:
    settings = load_settings(kafka_security="sasl_plaintext", **SIGN_IN)

    assert PASSWORD not in f"{kafka_security(settings)!r} {settings!r} {settings}"


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"kafka_security": "sasl_ssl", "kafka_user": "a"}, "OPSTRAIL_KAFKA_PASSWORD"),
        ({"kafka_security": "sasl_plaintext", "kafka_password": "b"}, "OPSTRAIL_KAFKA_USER"),
        ({"kafka_security": "plaintext", "kafka_user": "a"}, "OPSTRAIL_KAFKA_USER"),
        ({"kafka_security": "ssl", "kafka_password": "b"}, "OPSTRAIL_KAFKA_PASSWORD"),
        ({"kafka_security": "plaintext", "kafka_ca_file": "c"}, "OPSTRAIL_KAFKA_CA_FILE"),
        (
            {"kafka_security": "sasl_plaintext", **SIGN_IN, "kafka_key": "k"},
            "OPSTRAIL_KAFKA_KEY",
        ),
        ({"kafka_security": "ssl", "kafka_ca_file": "missing.pem"}, "OPSTRAIL_KAFKA_CA_FILE"),
        ({"kafka_security": "ssl", "kafka_certificate": "missing.pem"}, "OPSTRAIL_KAFKA_KEY"),
    ],
)
def test_what_is_missing_or_would_have_no_effect_is_refused(
    stated: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        kafka_security(load_settings(**stated))

    assert str(caught.value).startswith(f"{named}: ")
