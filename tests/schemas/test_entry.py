"""A link's id is the same wherever it is computed."""

import copy
import hashlib
import json
import uuid
from typing import Any

import pytest

from schemas.codec import UndecodableError
from schemas.entry import (
    LINK_COLUMNS,
    LINK_NAMESPACE,
    NO_GAP,
    TIMELINE_CODEC,
    EntryRow,
    LinkColumns,
    ObservationRow,
    SnapshotRow,
    TimelineBatch,
    decode_batch,
    link_id,
    row_count,
)
from tests.schemas.golden_content import CONTENT, GOLDEN_FOLDER, field_names, newest_version


def test_a_links_id_is_the_uuid5_that_the_contract_describes() -> None:
    name = b"acme/prod/during/ssh_session/c5f4411d/action_run/4bb2ab1c"
    namespace = uuid.UUID("6f1c1d0e-5b0b-4f6f-9a37-3e0d7f0f5c21").bytes
    digest = bytearray(hashlib.sha1(namespace + name).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50  # version 5
    digest[8] = digest[8] & 0x3F | 0x80  # the variant of RFC 9562

    found = link_id(
        "acme", "prod", "during", ("ssh_session", "c5f4411d"), ("action_run", "4bb2ab1c")
    )

    assert found == str(uuid.UUID(bytes=bytes(digest)))
    assert found == str(uuid.uuid5(LINK_NAMESPACE, name.decode()))


def test_a_links_id_never_changes() -> None:
    source = ("ssh_session", "c5f4411d-641a-4b0a-8ee6-291d1c725c20")
    target = ("action_run", "4bb2ab1c-9f05-4f4e-8a0c-0f3d54d1e5aa")

    assert link_id("acme", "prod", "after", source, target) == (
        "7e71956b-1c11-59a2-9c10-c4573a4a5cec"
    )


def test_each_part_of_a_link_makes_another_id() -> None:
    one, other = ("ssh_session", "1"), ("action_run", "2")
    ids = {
        link_id("acme", "prod", "during", one, other),
        link_id("globex", "prod", "during", one, other),
        link_id("acme", "test", "during", one, other),
        link_id("acme", "prod", "after", one, other),
        link_id("acme", "prod", "during", other, one),
        link_id("acme", "prod", "during", ("ssh_session", "3"), other),
        link_id("acme", "prod", "during", one, ("action_run", "3")),
    }

    assert len(ids) == 7


def test_what_an_entry_row_names_travels_on_the_log() -> None:
    names = field_names(f"timeline_batch-{newest_version('timeline_batch')}")

    assert TimelineBatch.__annotations__.keys() == names["timeline_batch"]
    # Older versions sent the sentences.
    assert EntryRow.__annotations__.keys() - {"link_explanation"} <= names["entry"]
    assert LinkColumns.__annotations__.keys() <= EntryRow.__annotations__.keys()
    assert ObservationRow.__annotations__.keys() == names["observation"]
    assert SnapshotRow.__annotations__.keys() == names["snapshot"]


def test_a_batch_of_version_1_has_all_that_is_required_of_a_batch() -> None:
    batch: Any = TIMELINE_CODEC.decode((GOLDEN_FOLDER / "timeline_batch-1.avro").read_bytes())

    assert TimelineBatch.__required_keys__ == batch.keys()
    assert row_count(batch) == 4


@pytest.mark.parametrize("version", [1, 2])
def test_links_of_an_older_version_are_read_as_columns(version: int) -> None:
    golden = GOLDEN_FOLDER / f"timeline_batch-{version}"
    written = json.loads(golden.with_suffix(".json").read_text())["entries"][0]["links"]

    entry, bare, *_ = decode_batch(golden.with_suffix(".avro").read_bytes())["entries"]

    assert len(written) == 2
    for name in ("rule", "target_kind", "target_id", "confidence", "explanation"):
        assert entry[f"link_{name}"] == [link[name] for link in written]
    assert entry["link_gap_ms"] == [95_000, NO_GAP]
    assert "links" not in entry
    assert (bare["link_rule"], bare["link_explanation"]) == ([], [])


@pytest.mark.parametrize("name", LINK_COLUMNS)
def test_lists_of_links_that_differ_in_length_are_refused(name: str) -> None:
    batch = copy.deepcopy(CONTENT["timeline_batch"])
    batch["entries"][0][name].pop()

    with pytest.raises(UndecodableError, match="differ in length"):
        decode_batch(TIMELINE_CODEC.encode(batch))


def test_the_rows_of_a_batch_are_those_of_every_table() -> None:
    batch: Any = CONTENT["timeline_batch"]

    assert row_count(batch) == 6


def test_an_entry_row_without_what_is_not_known_comes_back_with_it_empty() -> None:
    full = CONTENT["timeline_batch"]
    needed = EntryRow.__required_keys__
    least = {name: value for name, value in full["entries"][0].items() if name in needed}

    decoded = TIMELINE_CODEC.decode(TIMELINE_CODEC.encode({**full, "entries": [least]}))

    (entry,) = decoded["entries"]
    assert {name: entry[name] for name in least} == least
    assert all(entry[name] in ("", None, False, []) for name in entry.keys() - least.keys())
