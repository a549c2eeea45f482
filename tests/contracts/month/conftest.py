"""The month of a company, sent once for each mode."""

from collections.abc import Iterator

import pytest

from tests.contracts.month.company import Company, found_company
from tests.support.opstrail import MODES, running


@pytest.fixture(scope="package", params=MODES)
def company(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, request.getfixturevalue) as system:
        company = found_company(system)
        yield company
        company.close()
