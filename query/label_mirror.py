"""Brings the labels of workspaces from the control database, where they are said, into the timeline
store, where filters, entries and SQL see them.

Must stay true:
- A label is kept first and copied then. Whatever ends a process in between, the next look at both
  sides finds the difference: the copy is always compared, never remembered.
- Copying twice, or two processes at once, changes nothing: the newest label of a workspace counts.
"""

import asyncio
import contextlib
import traceback
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

import structlog

from control.database import Control
from control.workspaces import Workspace, WorkspaceLabel, list_all_workspaces, put_label
from runtime.errors import TimelineUnavailableError, UnavailableError
from schemas.times import to_us
from timeline.environment_query import WorkspaceRow, mirror_workspaces, read_mirrored
from timeline.store import Store

# A copy that failed is tried again after this long.
RETRY_DELAY_S: Final = 3.0
# For what another process said and could not copy before it ended.
LOOK_INTERVAL_S: Final = 60.0
# Somebody waits for the answer; a store that hangs is as good as away.
COPY_WAIT_S: Final = 10.0
_PAGE_ROWS: Final = 1_000

_log = structlog.get_logger(__name__)


class LabelMirror:
    """Belongs to one event loop. `running` keeps both sides alike for as long as it is open."""

    def __init__(
        self,
        control: Control,
        store: Store,
        *,
        retry_delay_s: float = RETRY_DELAY_S,
        look_interval_s: float = LOOK_INTERVAL_S,
    ) -> None:
        self._control = control
        self._store = store
        self._retry_delay_s = retry_delay_s
        self._look_interval_s = look_interval_s
        self._pending = asyncio.Event()

    async def say(
        self, label: WorkspaceLabel, *, organization: str, name: str, now: datetime
    ) -> Workspace:
        """Keep a label and copy it; every reader sees it when this returns.

        Raises InvalidValueError; ControlUnavailableError: the outcome is unknown;
        TimelineUnavailableError: the label is kept, and copied as soon as the store is back.
        """
        try:
            workspace = await asyncio.to_thread(self._keep, label, organization, name, now)
            await self._copy([workspace])
        except (UnavailableError, asyncio.CancelledError):
            self._pending.set()
            raise
        return workspace

    async def look(self) -> int:
        """Compare both sides and copy what is missing; the number of labels copied.

        Raises ControlUnavailableError, TimelineUnavailableError.
        """
        copied, after = 0, ("", "")
        while page := await asyncio.to_thread(self._page, after):
            until = _place(page[-1])
            mirrored = await read_mirrored(self._store, after, until)
            missing = [
                workspace
                for workspace in page
                if mirrored.get(_place(workspace), 0) < to_us(workspace.updated_at)
            ]
            await self._copy(missing)
            copied, after = copied + len(missing), until
        return copied

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look at once, whenever a copy failed, and now and then."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            # Before the look: what is said meanwhile and cannot be copied asks for another one.
            self._pending.clear()
            try:
                copied = await self.look()
            except UnavailableError as error:
                _log.warning("labels_not_copied", reason=str(error))
                wait_s = self._retry_delay_s
            except Exception as error:
                # A mistake of ours: the labels are kept, and nothing else here depends on them.
                # Without its text, which may hold values.
                place = traceback.extract_tb(error.__traceback__)[-1]
                at = f"{place.filename}:{place.lineno} {place.name}"
                _log.error("labels_not_copied", error=type(error).__name__, at=at)
                wait_s = self._look_interval_s
            else:
                wait_s = self._look_interval_s
                if copied:
                    _log.info("labels_copied", workspaces=copied)
            await self._wait(wait_s)

    async def _wait(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._pending.wait()
                # It failed a moment ago.
                await asyncio.sleep(self._retry_delay_s)
        except TimeoutError:
            pass

    async def _copy(self, workspaces: Sequence[Workspace]) -> None:
        if not workspaces:
            return
        rows = [_row(workspace) for workspace in workspaces]
        # A token of its own each time: the store may have been restored from before the last one.
        copying = mirror_workspaces(self._store, rows, token=uuid.uuid4().hex)
        try:
            async with asyncio.timeout(COPY_WAIT_S):
                await copying
        except TimeoutError as error:
            raise TimelineUnavailableError(
                f"copying labels: no answer in {COPY_WAIT_S:g} s"
            ) from error

    def _keep(
        self, label: WorkspaceLabel, organization: str, name: str, now: datetime
    ) -> Workspace:
        with self._control.writing() as connection:
            return put_label(connection, label, organization=organization, name=name, now=now)

    def _page(self, after: tuple[str, str]) -> list[Workspace]:
        with self._control.reading() as connection:
            return list_all_workspaces(connection, after=after, limit=_PAGE_ROWS)


def _place(workspace: Workspace) -> tuple[str, str]:
    return workspace.organization, workspace.name


def _row(workspace: Workspace) -> WorkspaceRow:
    return WorkspaceRow(
        organization=workspace.organization,
        name=workspace.name,
        environment=workspace.label.environment,
        labels=workspace.label.labels,
        deploy_actions=workspace.label.deploy_actions,
        registered_at=to_us(workspace.registered_at),
        version=to_us(workspace.updated_at),
    )
