"""Avro single-object encoding: `C3 01`, the writer schema's fingerprint, the body.

The fingerprint (CRC-64-AVRO of the canonical form) names the schema a message was written with;
every schema ever used is shipped in `schemas/avro/`, so any message can be read without a registry.
`schemas/golden/` holds a message of every version, which a test decodes for ever.
Source: Apache Avro specification 1.12, "Single-object encoding".
"""

import io
import itertools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

_MAGIC: Final = b"\xc3\x01"
_HEADER_BYTES: Final = 10


class UndecodableError(ValueError):
    """The bytes are no message of a known schema. Says what was wrong, never what was in them."""


class Codec:
    """Reads and writes one kind of message. Writes the newest version, reads every version."""

    def __init__(self, name: str) -> None:
        """`schemas/avro/{name}-1.avsc` and on, without a gap; the last one is written."""
        self._readers: dict[bytes, Any] = {}
        for number in itertools.count(1):
            file = resources.files("schemas").joinpath(f"avro/{name}-{number}.avsc")
            if not file.is_file():
                break
            text = file.read_text()
            schema = fastavro.parse_schema(json.loads(text))
            digest = fingerprint(to_parsing_canonical_form(json.loads(text)), "CRC-64-AVRO")
            # As on the wire: fastavro prints its little-endian bytes.
            key = bytes.fromhex(digest)
            self._readers[key] = schema
        self._header = _MAGIC + key
        self._schema = schema
        self.name = name

    def encode(self, datum: Mapping[str, Any]) -> bytes:
        """Raises ValueError or TypeError when `datum` is not of the schema: our own mistake."""
        out = io.BytesIO()
        out.write(self._header)
        fastavro.schemaless_writer(out, self._schema, datum)
        return out.getvalue()

    def is_of(self, message: bytes) -> bool:
        """Whether a message was written with one of the schemas of this kind."""
        return message[:2] == _MAGIC and message[2:_HEADER_BYTES] in self._readers

    def decode(self, message: bytes) -> dict[str, Any]:
        """Raises UndecodableError. A branch of several records comes as `(name, fields)`."""
        if message[:2] != _MAGIC or len(message) < _HEADER_BYTES:
            raise UndecodableError(f"{self.name}: no Avro single-object header")
        schema = self._readers.get(message[2:_HEADER_BYTES])
        if schema is None:
            raise UndecodableError(
                f"{self.name}: unknown schema {message[2:_HEADER_BYTES].hex()};"
                " written by a newer version? Upgrade this process first"
            )
        body = io.BytesIO(message)
        body.seek(_HEADER_BYTES)
        try:
            datum = fastavro.schemaless_reader(
                body, schema, None, return_record_name=True, return_record_name_override=True
            )
        except Exception as error:  # fastavro raises whatever the bytes lead it into
            raise UndecodableError(f"{self.name}: {type(error).__name__} while decoding") from error
        if body.read(1):
            raise UndecodableError(f"{self.name}: bytes after the end")
        if not isinstance(datum, dict):
            raise UndecodableError(f"{self.name}: not a record")
        return datum
