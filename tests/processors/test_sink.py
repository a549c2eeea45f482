"""The range that a commit records before an insert. The sink itself is tested against Kafka."""

import pytest

from processors.sink import range_metadata, recorded_end


@pytest.mark.parametrize("end", [0, 1, 5_000, 2**63 - 1])
def test_a_recorded_range_is_read_back(end: int) -> None:
    assert recorded_end(range_metadata(end)) == end


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        " ",
        "7",
        "null",
        "true",
        '"next"',
        "[]",
        '["next", 7]',
        "{}",
        '{"next": null}',
        '{"next": "7"}',
        '{"next": 7.5}',
        '{"next": [7]}',
        '{"next": 7',
        '{"end": 7}',
        "not json",
        "\ufffd",
    ],
)
def test_metadata_that_records_no_range_is_none(metadata: str | None) -> None:
    assert recorded_end(metadata) is None


def test_metadata_of_somebody_else_records_no_range() -> None:
    for metadata in ('{"next": true}', "[" * 100_000):
        assert recorded_end(metadata) is None
