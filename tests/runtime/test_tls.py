"""Files of certificates and keys: which are taken, and what a refusal says."""

import ssl
from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.settings import load_settings
from runtime.tls import client_context, http_tls
from tests.support.certificates import Authority, Certificate


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def own(authority: Authority) -> Certificate:
    return authority.certificate("server")


def refusal_of(certificate: object, key: object) -> str:
    settings = load_settings(tls_certificate=str(certificate), tls_key=str(key))
    with pytest.raises(SettingsError) as caught:
        http_tls(settings)
    # What a traceback would print of OpenSSL's is not ours to vouch for.
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_without_both_settings_the_server_is_plain() -> None:
    assert http_tls(load_settings()) is None


def test_nothing_older_than_tls_1_2_is_spoken(own: Certificate) -> None:
    context = http_tls(load_settings(tls_certificate=str(own.certificate), tls_key=str(own.key)))

    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_one_of_the_two_names_the_other(own: Certificate) -> None:
    assert refusal_of(own.certificate, "").startswith("OPSTRAIL_TLS_KEY: not set")
    assert refusal_of("", own.key).startswith("OPSTRAIL_TLS_CERTIFICATE: not set")


def test_a_file_that_is_not_there_is_named(own: Certificate, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"

    assert (
        refusal_of(missing, own.key)
        == f"OPSTRAIL_TLS_CERTIFICATE: {missing}: No such file or directory"
    )
    assert refusal_of(own.certificate, tmp_path) == f"OPSTRAIL_TLS_KEY: {tmp_path}: Is a directory"
    assert refusal_of(own.certificate, "a\0b") == "OPSTRAIL_TLS_KEY: not the name of a file"


def test_a_key_of_another_certificate_is_refused(own: Certificate, authority: Authority) -> None:
    other = authority.certificate("other")

    refusal = refusal_of(own.certificate, other.key)

    assert refusal.startswith(f"OPSTRAIL_TLS_KEY: {other.key} is not the key of")


def test_a_key_behind_a_passphrase_is_refused_and_nobody_is_asked(
    own: Certificate, authority: Authority
) -> None:
    refusal = refusal_of(own.certificate, authority.locked(own))

    assert "without a passphrase" in refusal


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe"])
def test_a_file_of_another_kind_is_refused(
    content: bytes, own: Certificate, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(content)

    assert str(other) in refusal_of(other, own.key)
    assert str(other) in refusal_of(own.certificate, other)
    with pytest.raises(SettingsError, match=r"^OPSTRAIL_CA_FILE: .*other"):
        client_context(load_settings(ca_file=str(other)), "ca_file", is_system_trusted=True)


def test_a_ca_of_ours_stands_beside_the_systems_or_in_their_place(authority: Authority) -> None:
    settings = load_settings(ca_file=str(authority.file))

    alone = client_context(settings, "ca_file", is_system_trusted=False)
    beside = client_context(settings, "ca_file", is_system_trusted=True)
    system = client_context(load_settings(), "ca_file", is_system_trusted=True)

    (ours,) = alone.get_ca_certs(binary_form=True)
    assert ours in beside.get_ca_certs(binary_form=True)
    assert ours not in system.get_ca_certs(binary_form=True)
    for context in (alone, beside, system):
        assert context.check_hostname
        assert context.verify_mode == ssl.CERT_REQUIRED
