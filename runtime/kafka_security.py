"""How every client of ours speaks to the brokers: in the open, by TLS, and with which sign-in.

Must stay true:
- One object gives the arguments of every client; none is made with arguments of its own.
- A setting that would have no effect is refused: who set it believes to be protected by it.
- The password is in what `arguments` answers and nowhere else: in no text, no repr and no error.
"""

import ssl
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from runtime.errors import LogUnavailableError, SettingsError
from runtime.settings import PREFIX, Settings
from runtime.tls import client_context, show_certificate

_SSL: Final = frozenset({"ssl", "sasl_ssl"})
_SASL: Final = frozenset({"sasl_plaintext", "sasl_ssl"})
_SSL_ONLY: Final = ("kafka_ca_file", "kafka_certificate", "kafka_key")
_SASL_ONLY: Final = ("kafka_user", "kafka_password")
_ASK_TIMEOUT_MS: Final = 3_000
_SIGN_IN_REFUSED: Final = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
_BROKEN_OFF: Final = (
    "takes the connection and breaks it off; is OPSTRAIL_KAFKA_SECURITY what this listener speaks?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """By SASL."""

    mechanism: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """Without both: everything in the open."""

    context: ssl.SSLContext | None = None
    sign_in: SignIn | None = None

    @property
    def protocol(self) -> str:
        """As Kafka names it."""
        transport = "PLAINTEXT" if self.context is None else "SSL"
        return transport if self.sign_in is None else f"SASL_{transport}"

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that every aiokafka client takes."""
        found: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.context}
        if self.sign_in is not None:
            found |= {
                "sasl_mechanism": self.sign_in.mechanism,
                "sasl_plain_username": self.sign_in.user,
                "sasl_plain_password": self.sign_in.password,
            }
        return found


IN_THE_OPEN: Final = KafkaSecurity()


def kafka_security(settings: Settings) -> KafkaSecurity:
    """What the settings name. Reads their files. Raises SettingsError."""
    chosen = settings.kafka_security
    if chosen not in _SSL:
        _refuse(settings, _SSL_ONLY, "ssl or sasl_ssl")
    if chosen not in _SASL:
        _refuse(settings, _SASL_ONLY, "sasl_plaintext or sasl_ssl")
    return KafkaSecurity(
        context=_context(settings) if chosen in _SSL else None,
        sign_in=_sign_in(settings) if chosen in _SASL else None,
    )


async def away(
    bootstrap: str, security: KafkaSecurity, error: Exception, *, doing: str = ""
) -> LogUnavailableError:
    """What to raise from `error`, which a client raised when it was to start."""
    reason = await refusal(bootstrap, security)
    said = f" {reason}" if reason else f": {type(error).__name__}{doing and f' while {doing}'}"
    return LogUnavailableError(f"Kafka at {bootstrap}{said}")


async def refusal(bootstrap: str, security: KafkaSecurity) -> str | None:
    """Why the brokers do not let us in, with the settings at fault; None: not known.

    aiokafka logs the reason and raises only that it found no broker, so one is asked again.
    """
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"),
                int(port),
                request_timeout_ms=_ASK_TIMEOUT_MS,
                **security.arguments(),
            )
        except _SIGN_IN_REFUSED:
            return (
                "refuses the sign-in; are OPSTRAIL_KAFKA_USER, OPSTRAIL_KAFKA_PASSWORD and"
                " OPSTRAIL_KAFKA_SASL_MECHANISM right?"
            )
        except ssl.SSLCertVerificationError as error:
            return (
                f"shows a certificate that is not trusted ({error.verify_message}); are"
                " OPSTRAIL_KAFKA_CA_FILE and the name in OPSTRAIL_KAFKA_BOOTSTRAP right?"
            )
        except ssl.SSLError:
            return (
                "breaks off the TLS handshake; are OPSTRAIL_KAFKA_SECURITY and"
                " OPSTRAIL_KAFKA_CERTIFICATE right?"
            )
        except (KafkaConnectionError, ConnectionResetError, ConnectionAbortedError):
            return _BROKEN_OFF
        except (KafkaError, OSError, TimeoutError):
            continue
        try:
            # A listener that wants a sign-in lets us ask for its versions, and no more.
            await connection.send(MetadataRequest([]))
        except KafkaConnectionError:
            return _BROKEN_OFF
        except (KafkaError, TimeoutError):
            continue
        finally:
            connection.close()
    return None


def _refuse(settings: Settings, names: tuple[str, ...], wanted: str) -> None:
    for name in names:
        if getattr(settings, name):
            raise SettingsError(
                f"{PREFIX}{name.upper()}: has no effect with OPSTRAIL_KAFKA_SECURITY"
                f" {settings.kafka_security}; it is for {wanted}"
            )


def _context(settings: Settings) -> ssl.SSLContext:
    context = client_context(settings, "kafka_ca_file", is_system_trusted=False)
    if settings.kafka_certificate or settings.kafka_key:
        show_certificate(context, settings, "kafka_certificate", "kafka_key")
    return context


def _sign_in(settings: Settings) -> SignIn:
    password = settings.kafka_password.get_secret_value()
    for name, stated in (("KAFKA_USER", settings.kafka_user), ("KAFKA_PASSWORD", password)):
        if not stated:
            raise SettingsError(
                f"{PREFIX}{name}: not set; OPSTRAIL_KAFKA_SECURITY {settings.kafka_security} needs"
                " a user and a password"
            )
    return SignIn(
        mechanism=settings.kafka_sasl_mechanism, user=settings.kafka_user, password=password
    )
