"""How `make test` deals the tests out to several processes; without these nothing here happens.

Must stay true:
- Tests that share a running installation stay in one process, in their order: those of one file,
  and those of a folder whose conftest.py starts one for all its files.
- Each process starts services of its own. Those at an address in the environment are one for all,
  and serve one installation at a time (tests/support/opstrail.py): then there is one process.
"""

import os
from typing import Final

import pytest
import xdist
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support import clickhouse_service, kafka_service, postgres_service

_ADDRESSES: Final = (
    clickhouse_service.VARIABLE,
    kafka_service.VARIABLE,
    postgres_service.VARIABLE,
)
_SHARING_FOLDERS: Final = ("tests/contracts/access", "tests/contracts/month")
# Their files take up to two minutes each: one that began last would be waited for alone.
_FIRST_FOLDERS: Final = ("tests/e2e/", "tests/contracts/", "tests/upgrades/")


class BySharedInstallation(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """As --dist=loadfile, but a folder that shares an installation counts as one file."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((each for each in _SHARING_FOLDERS if path.startswith(f"{each}/")), path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """None: as many as there are cores; 0: all in this process."""
    return 0 if any(os.environ.get(name) for name in _ADDRESSES) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """None: the one that --dist names."""
    return BySharedInstallation(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """The long files first, as they are handed out in this order; else it stays as it was."""
    if xdist.is_xdist_worker(session):
        items.sort(key=lambda item: [not item.nodeid.startswith(each) for each in _FIRST_FOLDERS])
