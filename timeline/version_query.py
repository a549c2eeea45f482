"""Which version a CLI instance had at a time, and on which machine it was.

Source: the contract, section 2.
"""

from typing import Literal, NamedTuple

from timeline import ddl
from timeline.entry_conditions import time_sql
from timeline.statement import Statement
from timeline.store import Store


class VersionAt(NamedTuple):
    version: str
    observed_at: int  # µs: when it was last seen with it by then


async def read_version_at(
    store: Store, organization: str, instance_id: str, at_us: int
) -> VersionAt | None:
    """The version of the latest observation that states one, at or before `at_us` (µs).

    `instance_id` in lower case. Of several at one moment the higher text, as in the register. None:
    no version was seen by then. Raises TimelineUnavailableError.
    """
    found = await _latest_stated(store, "cli_version", organization, instance_id, at_us)
    return None if found is None else VersionAt(*found)


async def read_machine_at(
    store: Store, organization: str, instance_id: str, at_us: int
) -> str | None:
    """The machine of the latest observation that states one. All else as above."""
    found = await _latest_stated(store, "hostname", organization, instance_id, at_us)
    return None if found is None else found[0]


async def _latest_stated(
    store: Store,
    column: Literal["cli_version", "hostname"],
    organization: str,
    instance_id: str,
    at_us: int,
) -> tuple[str, int] | None:
    """What was stated last by then, and when (µs)."""
    rows = await store.rows(
        Statement(
            f"SELECT {column}, toUnixTimestamp64Micro(observed_at)"
            f" FROM {ddl.OBSERVATIONS.name} WHERE organization = {{organization:String}}"
            " AND cli_instance_id = {id:String}"
            f" AND observed_at <= {time_sql('at')} AND is_sighting AND {column} != ''"
            # Repeated rows are alike, so which of them answers does not matter.
            f" ORDER BY observed_at DESC, {column} DESC LIMIT 1",
            {"organization": organization, "id": instance_id, "at": at_us},
        )
    )
    return (str(rows[0][0]), int(rows[0][1])) if rows else None
