"""A broker with every door that OPSTRAIL_KAFKA_SECURITY knows, and the keys to them.

Started from its jars, also where there is a Docker daemon: its doors need files of ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import Authority, Certificate
from tests.support.kafka_service import Doors, program
from tests.support.ports import HOST, free_ports
from tests.support.services import ServiceMissingError, skip_or_fail

USER = "opstrail"
PASSWORD = "correct-horse-battery"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class SecuredKafka:
    """The addresses, and what a client needs."""

    def __init__(self, folder: Path) -> None:
        ports = dict(zip(("SSL", "SASL_PLAINTEXT", "SASL_SSL"), free_ports(3), strict=True))
        authority = Authority(folder)
        self.stranger = Authority(folder, "stranger").file
        self.ca = authority.file
        self.own: Certificate = authority.certificate("client")
        broker = authority.certificate("broker")
        keystore = folder / "broker.keystore.pem"
        keystore.write_text(broker.key.read_text() + broker.certificate.read_text())
        self._ports = ports
        self._service = program(
            Doors(
                ports=ports,
                settings=_settings(keystore, self.ca),
                scram=[f"{each}=[name={USER},password={PASSWORD}]" for each in _MECHANISMS[1:]],
            )
        )
        self._service.start()

    def bootstrap(self, security: str) -> str:
        """`host:port` of the door for one value of OPSTRAIL_KAFKA_SECURITY."""
        if security == "plaintext":
            return self._service.address
        return f"{HOST}:{self._ports[security.upper()]}"

    def close(self) -> None:
        self._service.close()


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Skips the test where there is no Java, no jars or no `openssl`."""
    try:
        kafka = SecuredKafka(folder)
    except ServiceMissingError as error:
        skip_or_fail(f"Kafka with TLS: {error}")
    try:
        yield kafka
    finally:
        kafka.close()


def _settings(keystore: Path, ca: Path) -> dict[str, str]:
    plain = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required"
        f' user_{USER}="{PASSWORD}";'
    )
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.ssl.ssl.client.auth": "required",
    }
    for door in ("sasl_plaintext", "sasl_ssl"):
        for mechanism in _MECHANISMS:
            name = f"listener.name.{door}.{mechanism.lower()}.sasl.jaas.config"
            settings[name] = plain if mechanism == "PLAIN" else scram
    return settings
