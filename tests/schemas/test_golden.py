"""Messages of every version that was ever written, which stay readable for ever."""

import json
from typing import Any

import pytest

from schemas.entry import TIMELINE_CODEC
from schemas.envelope import ENVELOPE_CODEC, decode_envelope, encode_envelope
from tests.schemas.golden_content import (
    AVRO_FOLDER,
    CONTENT,
    GOLDEN_FOLDER,
    as_json,
    field_names,
    newest_codec,
    newest_version,
)

SCHEMAS = sorted(path.stem for path in AVRO_FOLDER.glob("*.avsc"))


def message(schema: str) -> bytes:
    return (GOLDEN_FOLDER / f"{schema}.avro").read_bytes()


def expected(schema: str) -> Any:
    return json.loads((GOLDEN_FOLDER / f"{schema}.json").read_text(encoding="utf-8"))


def test_every_schema_has_its_golden_pair_and_there_are_no_others() -> None:
    files = {path.name for path in GOLDEN_FOLDER.iterdir()}

    assert SCHEMAS
    assert files == {f"{schema}.{ending}" for schema in SCHEMAS for ending in ("avro", "json")}


def test_versions_of_a_message_are_counted_from_1_without_gaps() -> None:
    for name in CONTENT:
        numbers = {int(schema.rpartition("-")[2]) for schema in SCHEMAS if _name(schema) == name}

        assert numbers == set(range(1, newest_version(name) + 1))
    assert {_name(schema) for schema in SCHEMAS} == CONTENT.keys()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_golden_message_is_read_as_it_was_written(schema: str) -> None:
    assert as_json(newest_codec(_name(schema)).decode(message(schema))) == expected(schema)


@pytest.mark.parametrize("name", CONTENT)
def test_the_newest_encoder_still_writes_the_very_same_bytes(name: str) -> None:
    golden = message(f"{name}-{newest_version(name)}")

    assert newest_codec(name).encode(CONTENT[name]) == golden


def test_the_product_reads_and_writes_the_newest_version() -> None:
    for codec in (ENVELOPE_CODEC, TIMELINE_CODEC):
        golden = message(f"{codec.name}-{newest_version(codec.name)}")

        assert codec.encode(codec.decode(golden)) == golden


def test_a_golden_envelope_goes_round_through_the_product() -> None:
    golden = message(f"envelope-{newest_version('envelope')}")

    assert encode_envelope(decode_envelope(golden)) == golden


@pytest.mark.parametrize("name", CONTENT)
def test_golden_content_sets_every_field_of_every_record(name: str) -> None:
    """A field that is always at its default would prove nothing."""
    schema = json.loads((AVRO_FOLDER / f"{name}-{newest_version(name)}.avsc").read_text())
    found: dict[str, set[str]] = {}

    _collect(schema, expected(f"{name}-{newest_version(name)}"), found)

    assert found == field_names(f"{name}-{newest_version(name)}")


def _collect(schema: Any, value: Any, found: dict[str, set[str]]) -> None:
    """Adds to `found`, by record, the fields of `value` that are not at a default."""
    match schema, value:
        case {"type": "record", "name": record, "fields": fields}, dict():
            names = found.setdefault(record, set())
            for field in fields:
                if value[field["name"]] not in (None, "", False, []):
                    names.add(field["name"])
                    _collect(field["type"], value[field["name"]], found)
        case {"type": "array", "items": items}, list():
            for item in value:
                _collect(items, item, found)
        case list(), [str() as branch, dict() as fields]:
            chosen = next(inner for inner in schema if inner["name"] == branch)
            _collect(chosen, fields, found)
        case ["null", inner], _:
            _collect(inner, value, found)


def _name(schema: str) -> str:
    return schema.rpartition("-")[0]
