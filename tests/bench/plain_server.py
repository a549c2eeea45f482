"""What a user might write instead of ingest: Starlette, pydantic, json, one Kafka record an event.

`python -m tests.bench.plain_server BOOTSTRAP`. It checks as much of an event as a model says
easily, and answers 202 when all records are acknowledged, as ingest does; no keys, no limits.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import uvicorn
from aiokafka import AIOKafkaProducer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from schemas import topics
from tests.support.ports import HOST


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    workspace: str
    cli_instance_id: str | None = None
    cli_version: str | None = None
    hostname: str | None = None
    os_user: str | None = None
    user: str | None = None


class _Run(_Event):
    type: Literal["action_run"]
    block: str
    block_from: str | None = None
    action: str
    started_at: datetime
    finished_at: datetime | None = None
    duration_ms: int | None = None
    exit_code: int | None = None


class _Host(BaseModel):
    inventory_name: str
    ansible_host: str | None = None


class _Session(_Event):
    type: Literal["ssh_session"]
    host: _Host
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None


class _Git(BaseModel):
    branch: str | None = None
    before_sha: str | None = None
    after_sha: str | None = None


class _Sync(_Event):
    type: Literal["workspace_sync"]
    timestamp: datetime
    result: str
    git: _Git


_EVENTS: TypeAdapter[list[_Run | _Session | _Sync]] = TypeAdapter(
    list[Annotated[_Run | _Session | _Sync, Field(discriminator="type")]]
)


def build_app(bootstrap: str) -> Starlette:
    """Connects when it is started."""
    producers: list[AIOKafkaProducer] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
        await producer.start()
        producers.append(producer)
        try:
            yield
        finally:
            await producer.stop()

    async def receive(request: Request) -> JSONResponse:
        try:
            events = _EVENTS.validate_python(await request.json())
        except ValidationError as error:
            return JSONResponse({"rejected": error.error_count()}, status_code=422)
        sent = [
            await producers[0].send(
                topics.EVENTS,
                json.dumps(event.model_dump(mode="json")).encode(),
                key=event.workspace.encode(),
            )
            for event in events
        ]
        await asyncio.gather(*sent)
        return JSONResponse({"accepted": len(events)}, status_code=202)

    return Starlette(routes=[Route("/v1/events", receive, methods=["POST"])], lifespan=lifespan)


def main() -> None:
    config = uvicorn.Config(
        build_app(sys.argv[1]), host=HOST, port=0, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            print(f"listening on http://{HOST}:{port}", flush=True)
        await serving

    asyncio.run(serve())


if __name__ == "__main__":
    main()
