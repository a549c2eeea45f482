"""Faust's clients speak to the brokers as all others of ours do."""

from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from processors.app import _credentials
from runtime.kafka_security import KafkaSecurity, kafka_security
from runtime.settings import load_settings
from tests.support.certificates import Authority

PASSWORD = "correct-horse-battery"


def security_of(security: str, folder: Path) -> KafkaSecurity:
    stated: dict[str, Any] = {"kafka_security": security}
    if security in ("ssl", "sasl_ssl"):
        stated["kafka_ca_file"] = str(Authority(folder).file)
    if security.startswith("sasl"):
        stated |= {"kafka_user": "opstrail", "kafka_password": PASSWORD}
    return kafka_security(load_settings(**stated))


@pytest.mark.parametrize("security", ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
def test_fausts_clients_get_the_same_arguments(security: str, tmp_path: Path) -> None:
    wanted = security_of(security, tmp_path)

    credentials = _credentials(wanted)

    arguments = {"ssl_context": None, **credentials_to_aiokafka_auth(credentials)}
    assert arguments == wanted.arguments()
    assert PASSWORD not in repr(credentials)
