"""Messages as the first version of each schema wrote them, from what they say as JSON.

Must stay true: the writer's schema is version 1, whatever the product writes by now. The header is
the golden message's own, so what is made here is what that version made.
"""

import io
import json
from functools import cache
from typing import Any, Final

import fastavro

from tests.schemas.golden_content import AVRO_FOLDER, GOLDEN_FOLDER

_HEADER_BYTES: Final = 10


def old_message(said: dict[str, Any]) -> bytes:
    """`said` is `{"hex": …}` for bytes as they were, else the content by the schema's name."""
    ((name, content),) = said.items()
    if name == "hex":
        return bytes.fromhex(content)
    out = io.BytesIO()
    out.write((GOLDEN_FOLDER / f"{name}-1.avro").read_bytes()[:_HEADER_BYTES])
    fastavro.schemaless_writer(out, _schema(name), _datum(content))
    return out.getvalue()


@cache
def _schema(name: str) -> Any:
    return fastavro.parse_schema(json.loads((AVRO_FOLDER / f"{name}-1.avsc").read_text()))


def _datum(value: Any) -> Any:
    match value:
        case {"hex": str(text)} if len(value) == 1:
            return bytes.fromhex(text)
        case {"envelope": dict()} if len(value) == 1:
            return old_message(value)
        case dict():
            return {name: _datum(inner) for name, inner in value.items()}
        case [str(record), dict(fields)]:
            return (record, _datum(fields))  # a branch of several records
        case list():
            return [_datum(inner) for inner in value]
        case _:
            return value
