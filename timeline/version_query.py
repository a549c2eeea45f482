"""Which version a CLI instance had at a time, and on which machine it was.

Source: the contract, section 2.
"""

from typing import NamedTuple

from timeline import ddl
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
    rows = await store.rows(
        Statement(
            "SELECT cli_version, toUnixTimestamp64Micro(observed_at)"
            f" FROM {ddl.OBSERVATIONS.name} WHERE organization = {{organization:String}}"
            " AND cli_instance_id = {id:String}"
            " AND observed_at <= fromUnixTimestamp64Micro({at:Int64}, 'UTC')"
            " AND is_sighting AND cli_version != ''"
            # Repeated rows are alike, so which of them answers does not matter.
            " ORDER BY observed_at DESC, cli_version DESC LIMIT 1",
            {"organization": organization, "id": instance_id, "at": at_us},
        )
    )
    return VersionAt(str(rows[0][0]), int(rows[0][1])) if rows else None


async def read_machine_at(
    store: Store, organization: str, instance_id: str, at_us: int
) -> str | None:
    """The machine of the latest observation that states one, at or before `at_us` (µs).

    Ties and errors as above. None: no machine was stated by then.
    """
    rows = await store.rows(
        Statement(
            f"SELECT hostname FROM {ddl.OBSERVATIONS.name}"
            " WHERE organization = {organization:String} AND cli_instance_id = {id:String}"
            " AND observed_at <= fromUnixTimestamp64Micro({at:Int64}, 'UTC')"
            " AND is_sighting AND hostname != ''"
            " ORDER BY observed_at DESC, hostname DESC LIMIT 1",
            {"organization": organization, "id": instance_id, "at": at_us},
        )
    )
    return str(rows[0][0]) if rows else None
