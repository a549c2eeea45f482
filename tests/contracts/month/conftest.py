"""The month of a company, sent once for each mode."""

from collections.abc import Iterator

import pytest

from tests.contracts.month.company import Company, found_company
from tests.support.opstrail import DistributedOpstrail, EmbeddedOpstrail

MODES = ("embedded", "distributed")


@pytest.fixture(scope="package", params=MODES)
def company(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
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
        company = found_company(system)
        yield company
        company.close()
    finally:
        system.close()
