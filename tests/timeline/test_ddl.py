import pytest

from schemas.records import own_columns
from timeline import ddl
from timeline.column import Column, Table

TABLES = [value for value in vars(ddl).values() if isinstance(value, Table)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_remembers_its_inserts_and_the_embedded_ones_reach_the_disk(
    table: Table,
) -> None:
    assert "non_replicated_deduplication_window = 10000" in table.create(is_embedded=False)
    assert "fsync_after_insert = 1" in table.create(is_embedded=True)
    assert "fsync" not in table.create(is_embedded=False)


def test_entries_have_a_column_for_every_kinds_own_fields() -> None:
    assert set(own_columns()) <= {column.name for column in ddl.ENTRIES.columns}


def test_names_that_would_need_escaping_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        Column("a`b", "String", "x")
    with pytest.raises(AssertionError):
        Column("a", "String", "")
