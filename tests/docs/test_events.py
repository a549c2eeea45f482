"""docs/events.md tells senders what the code does; its examples are test input."""

import json
import re
from typing import Any, Final

import pytest
from typing_extensions import is_typeddict

from schemas.block_reference import parse_block_reference
from schemas.events import EVENT_TYPES
from schemas.kinds import DeadLetterReason, Flag, Status
from schemas.limits import (
    BODY_BYTES_MAX,
    CLIENT_SEQ_MAX,
    EVENT_BYTES_MAX,
    EVENTS_PER_REQUEST_MAX,
    EXIT_CODE_MAX,
    EXIT_CODE_MIN,
    KIB,
    MIB,
    NAME_CHARACTERS_MAX,
    STRING_CHARACTERS_MAX,
)
from schemas.rejections import RejectionCode
from schemas.validation import ValidEvent, validate
from tests.docs.tables import DOCS, code, table_rows

_PAGE: Final = DOCS / "events.md"
_BLOCKS: Final = re.findall(r"(?s)```json\n(.*?)```", _PAGE.read_text())


@pytest.mark.parametrize("block", _BLOCKS)
def test_every_example_is_accepted(block: str) -> None:
    verdict = validate(json.loads(block), organization="default")

    assert isinstance(verdict, ValidEvent), verdict


def test_every_type_has_an_example() -> None:
    assert {json.loads(block)["type"] for block in _BLOCKS} == set(EVENT_TYPES)


def _fields(shape: Any) -> dict[str, bool]:
    """Every field, `host.inventory_name` too, and whether it is required."""
    fields: dict[str, bool] = {}
    for name, annotation in shape.__annotations__.items():
        fields[name] = name in shape.__required_keys__
        inner = getattr(annotation, "__args__", (annotation,))[0]
        if is_typeddict(inner):
            fields |= {f"{name}.{key}": required for key, required in _fields(inner).items()}
    return fields


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_the_tables_list_every_field_and_no_other(name: str) -> None:
    rows = table_rows(_PAGE, "Common") + table_rows(_PAGE, f"`{name}`")
    table = {code(row[0]): {"yes": True, "no": False}[row[1]] for row in rows}

    assert table == _fields(EVENT_TYPES[name])


@pytest.mark.parametrize(
    ("heading", "vocabulary"),
    [
        ("Code", RejectionCode),
        ("Flag", Flag),
        ("Reason", DeadLetterReason),
        ("Record status", Status),
    ],
)
def test_every_word_of_a_closed_vocabulary_is_explained(heading: str, vocabulary: Any) -> None:
    rows = table_rows(_PAGE, heading)

    assert [code(row[0]) for row in rows] == list(dict.fromkeys(code(row[0]) for row in rows))
    assert {code(row[0]) for row in rows} == set(vocabulary)
    assert all(row[1] for row in rows)


def test_the_block_references_are_taken_apart_as_shown() -> None:
    for row in table_rows(_PAGE, "`block_from`"):
        stated = (
            code(row[0].partition("`block_version` ")[2]) if "block_version" in row[0] else None
        )
        name, version, is_floating = parse_block_reference(code(row[0]), stated)

        assert (name, version) == (code(row[1]), code(row[2]))
        assert is_floating == ("floating_version" in row[2])


@pytest.mark.parametrize(
    "limit",
    [
        f"{EVENTS_PER_REQUEST_MAX:,} events",
        f"{BODY_BYTES_MAX // MIB} MiB",
        f"{EVENT_BYTES_MAX // KIB} KiB",
        f"1 to {STRING_CHARACTERS_MAX} characters",
        f"1 to {NAME_CHARACTERS_MAX} of",
        f"from {EXIT_CODE_MIN} to {EXIT_CODE_MAX}",
        f"from 0 to {CLIENT_SEQ_MAX}",
    ],
)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert limit in " ".join(_PAGE.read_text().split())
