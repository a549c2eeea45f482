"""The two sides of TLS: what our server shows, and whom our clients trust.

Must stay true:
- Nothing older than TLS 1.2 is spoken, and every certificate is checked, its name too.
- A file that cannot be used is named together with its setting, at start; what is in it never is.
"""

import ssl
from pathlib import Path
from typing import Final

from runtime.errors import SettingsError
from runtime.settings import PREFIX, Settings

_OLDEST: Final = ssl.TLSVersion.TLSv1_2


def http_tls(settings: Settings) -> ssl.SSLContext | None:
    """What the HTTP server speaks; None: plain HTTP. Read once: a renewed file needs a restart.

    Raises SettingsError.
    """
    if not settings.tls_certificate and not settings.tls_key:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = _OLDEST
    context.set_alpn_protocols(["http/1.1"])
    show_certificate(context, settings, "tls_certificate", "tls_key")
    return context


def client_context(
    settings: Settings, ca_setting: str, *, is_system_trusted: bool
) -> ssl.SSLContext:
    """Whom a client trusts: the system's CAs, those of the setting's file, or both.

    `is_system_trusted` is about the system's CAs where there is a file. Raises SettingsError.
    """
    path = checked_ca_file(settings, ca_setting)
    context = ssl.create_default_context(cafile=path)
    if path is not None and is_system_trusted:
        context.load_default_certs()
    context.minimum_version = _OLDEST
    return context


def checked_ca_file(settings: Settings, ca_setting: str) -> str | None:
    """The setting's file, once it is known to be one of certificates; None: not set.

    Raises SettingsError.
    """
    path = getattr(settings, ca_setting)
    if not path:
        return None
    _open(ca_setting, path)
    try:
        # Into a context of its own: it says of any other file that it holds no certificate.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise SettingsError(f"{_name(ca_setting)}: {path} holds no certificate in PEM") from None
    return str(path)


def show_certificate(
    context: ssl.SSLContext, settings: Settings, certificate_setting: str, key_setting: str
) -> None:
    """Let `context` show the certificate of two settings. Raises SettingsError."""
    certificate, key = getattr(settings, certificate_setting), getattr(settings, key_setting)
    if not certificate or not key:
        missing = key_setting if certificate else certificate_setting
        other = certificate_setting if certificate else key_setting
        raise SettingsError(f"{_name(missing)}: not set, but {_name(other)} is; set both or none")
    _open(certificate_setting, certificate)
    _open(key_setting, key)
    try:
        # Without an answer of ours OpenSSL would ask for a passphrase on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(
                f"{_name(key_setting)}: {key} is not the key of the first certificate in"
                f" {certificate}"
            ) from None
        raise SettingsError(
            f"{_name(certificate_setting)}: {certificate} and {key} cannot be used; a certificate"
            " and its key are wanted, in PEM, the key without a passphrase"
        ) from None


def distrust(error: BaseException) -> str | None:
    """What is wrong with the other side's certificate, when that is why a call failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None


def _open(setting: str, path: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{_name(setting)}: {path}: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{_name(setting)}: not the name of a file") from None


def _name(setting: str) -> str:
    return PREFIX + setting.upper()
