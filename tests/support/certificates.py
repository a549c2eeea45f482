"""Certificates of a CA of the tests' own, made anew each time by the program `openssl`.

Nothing of them is kept: they and their keys are in a folder that goes with the test.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.support.services import run_tool

_TIMEOUT_S = 30.0
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = "2"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files; the key without a passphrase, in PKCS 8."""

    certificate: Path
    key: Path


class Authority:
    """A CA. Raises ServiceMissingError without `openssl`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._made = self._paths(name)
        self._openssl(
            *("req", "-x509", *_CURVE, "-days", _DAYS, "-subj", f"/CN=opstrail test {name}"),
            *("-keyout", self._made.key, "-out", self._made.certificate),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    @property
    def file(self) -> Path:
        """What a client must trust."""
        return self._made.certificate

    def certificate(self, name: str, *, host: str = "127.0.0.1") -> Certificate:
        """A certificate for one address, for a server and for a client."""
        made = self._paths(name)
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        kind = "IP" if host[0].isdigit() else "DNS"
        extensions.write_text(
            f"subjectAltName={kind}:{host}\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        self._openssl(
            *("req", "-new", *_CURVE, "-subj", f"/CN={name}"),
            *("-keyout", made.key, "-out", request),
        )
        self._openssl(
            *("x509", "-req", "-in", request, "-days", _DAYS, "-extfile", extensions),
            *("-CA", self._made.certificate, "-CAkey", self._made.key, "-CAcreateserial"),
            *("-out", made.certificate),
        )
        return made

    def locked(self, made: Certificate) -> Path:
        """The key of `made` behind a passphrase."""
        path = made.key.with_suffix(".locked")
        self._openssl("ec", "-in", made.key, "-aes256", "-passout", "pass:sesame", "-out", path)
        return path

    def _paths(self, name: str) -> Certificate:
        return Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")

    def _openssl(self, *arguments: str | Path) -> None:
        run_tool(["openssl", *arguments], folder=self._folder, timeout_s=_TIMEOUT_S)
