"""One house for each mode."""

from collections.abc import Iterator

import pytest

from tests.contracts.access.house import House
from tests.support.opstrail import DistributedOpstrail, EmbeddedOpstrail

MODES = ("embedded", "distributed")


@pytest.fixture(scope="package", params=MODES)
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp(request.param)
    system: EmbeddedOpstrail | DistributedOpstrail
    if request.param == "embedded":
        system = EmbeddedOpstrail(folder)
    else:
        system = DistributedOpstrail(
            folder,
            kafka=request.getfixturevalue("kafka_bootstrap"),
            clickhouse=request.getfixturevalue("clickhouse_url"),
            postgres=request.getfixturevalue("postgres_url"),
        )
    try:
        house = House(system)
        yield house
        house.close()
    finally:
        system.close()
