"""One house for each mode."""

from collections.abc import Iterator

import pytest

from tests.contracts.access.house import House
from tests.support.opstrail import MODES, running


@pytest.fixture(scope="package", params=MODES)
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, request.getfixturevalue) as system:
        house = House(system)
        yield house
        house.close()
