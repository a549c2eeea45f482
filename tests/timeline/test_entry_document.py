import json
from typing import Any

import msgspec
import pytest

from schemas.records import RECORD_KINDS
from tests.timeline.trail import id_of
from timeline import ddl
from timeline.entry_document import DOCUMENT_SQL, TAGS, OtherLayoutError, entry_of

KIND = "ssh_session"
# What versions before migration 7 wrote, and never changes.
OLDER_TAG = "31cf7801"


def test_each_kind_has_a_layout_of_its_own() -> None:
    assert len(set(TAGS)) == len(RECORD_KINDS)
    assert all(f"'{tag}'" in DOCUMENT_SQL for tag in TAGS)
    assert all(f"kind = '{kind}'" in DOCUMENT_SQL for kind in RECORD_KINDS)


def test_an_entry_has_every_column_whatever_its_kind() -> None:
    assert set(entry_of("org-1", row())) == {column.name for column in ddl.ENTRIES.columns}


def test_numbers_in_quotes_are_numbers() -> None:
    """Settings of the engine decide how it writes 64 bits in JSON."""
    plain, quoted = inside(duration_ms=2**63 - 1), inside(duration_ms=str(2**63 - 1))

    assert entry_of("org-1", row(plain)) == entry_of("org-1", row(quoted))


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        '["00000000"]',
        "{}",
        "[",
        json.dumps(["00000000"]),
        '["' + TAGS[0] + '"]',
    ],
)
def test_another_layout_is_never_guessed_at(document: str) -> None:
    with pytest.raises(OtherLayoutError):
        entry_of("org-1", ("acme", KIND, id_of(1), 1, 1, document))


def test_a_document_that_holds_more_or_less_is_of_another_layout() -> None:
    values = inside()
    for other in (values[:-1], [*values, 1], ["00000000", *values[1:]]):
        with pytest.raises(OtherLayoutError):
            entry_of("org-1", row(other))


def test_a_kind_that_is_not_known_is_of_another_layout() -> None:
    with pytest.raises(OtherLayoutError):
        entry_of("org-1", ("acme", "new_kind", id_of(1), 1, 1, msgspec.json.encode(inside())))


def test_a_document_from_before_links_had_an_origin_is_read() -> None:
    names = [*_names()]
    values = inside(link_explanation=["the run overlaps in time"], actor="anna")
    del values[1 + names.index("link_origin")]
    values[0] = OLDER_TAG

    entry = entry_of("org-1", row(values))

    assert set(entry) == {column.name for column in ddl.ENTRIES.columns}
    assert (entry["actor"], entry["link_explanation"]) == ("anna", ["the run overlaps in time"])
    assert entry["link_origin"] == []


def inside(**chosen: Any) -> list[Any]:
    """What the document of a session holds."""
    known = {name: value(name) for name in _names()} | chosen
    tag = TAGS[list(RECORD_KINDS).index(KIND)]  # type: ignore[arg-type]
    return [tag, *(known[name] for name in _names())]


def _names() -> list[str]:
    own = {field.column for field in RECORD_KINDS[KIND].own_fields}  # type: ignore[index]
    beside = {"organization", "workspace", "kind", "id", "occurred_at", "revision"}
    others = {column.name for column in ddl.OWN_COLUMNS} - own
    return [column.name for column in ddl.ENTRIES.columns if column.name not in beside | others]


def value(name: str) -> Any:
    (type_,) = (column.type for column in ddl.ENTRIES.columns if column.name == name)
    if type_.startswith("Array"):
        return []
    return (
        ""
        if "String" in type_
        else {"Bool": False}.get(type_, 1 if type_ != "Nullable(Bool)" else None)
    )


def row(values: list[Any] | None = None) -> tuple[Any, ...]:
    document = json.dumps(inside() if values is None else values)
    return ("acme", KIND, id_of(1), 1, 1, document)
