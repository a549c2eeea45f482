"""Every answer is read from one generation of the timeline, whatever a rebuild does meanwhile."""

from starlette.types import ASGIApp, Receive, Scope, Send

from timeline.generation import one_generation


class OneGeneration:
    """Around an address that reads: until the last byte of the answer, however long that takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with one_generation():
            await self._app(scope, receive, send)
