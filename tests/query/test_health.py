import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from query.health import health_routes
from runtime.errors import LogUnavailableError, TimelineUnavailableError
from tests.query.problems import problem
from tests.query.world import World
from timeline.store import Store


async def fine() -> None:
    return None


async def away() -> None:
    raise LogUnavailableError("the log does not answer")


def test_health_and_metrics_need_no_key(world: World) -> None:
    assert world.get("/healthz", None).json() == {"alive": True}
    assert world.get("/readyz", None).status_code == 200
    metrics = world.get("/metrics", None)
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "opstrail_http_requests_total" in metrics.text


def test_readiness_names_each_dependency(store: Store) -> None:
    with World(store, {"log": fine}) as world:
        body = world.get("/readyz", None).json()
    assert body["ready"] is True
    assert {name: part["ok"] for name, part in body["dependencies"].items()} == {
        "timeline": True,
        "log": True,
    }


def test_one_dependency_away_is_not_ready_but_alive(store: Store) -> None:
    with World(store, {"log": away}) as world:
        body = problem(world.get("/readyz", None), 503, "unavailable")
        assert world.get("/healthz", None).status_code == 200
    assert body["dependencies"]["log"] == {"ok": False, "detail": "the log does not answer"}
    assert body["dependencies"]["timeline"]["ok"] is True
    assert body["ready"] is False


def test_readiness_tells_how_far_each_stage_is_behind_and_does_not_depend_on_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hours_ago(partitions: int, now_us: int) -> float | None:
        return 7_200.12345

    async def not_known(partitions: int, now_us: int) -> float | None:
        return None

    monkeypatch.setattr(world.services.watermarks, "lag_s", hours_ago)
    ready = world.get("/readyz", None)
    assert (ready.status_code, ready.json()["lag_seconds"]) == (200, {"timeline": 7_200.123})

    monkeypatch.setattr(world.services.watermarks, "lag_s", not_known)
    ready = world.get("/readyz", None)
    assert (ready.status_code, ready.json()["lag_seconds"]) == (200, {"timeline": None})


def test_what_is_not_ready_tells_its_lag_too(store: Store) -> None:
    with World(store, {"log": away}) as world:
        body = problem(world.get("/readyz", None), 503, "unavailable")

    assert set(body["lag_seconds"]) == {"timeline"}


def test_a_lag_that_cannot_be_asked_for_is_not_known() -> None:
    async def lost() -> float | None:
        raise TimelineUnavailableError("the store does not answer")

    (_, ready, _) = health_routes({"log": fine}, {"timeline": lost})

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=[ready]))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/readyz")

    assert asyncio.run(ask()).json() == {
        "ready": True,
        "dependencies": {"log": {"ok": True, "detail": "answers"}},
        "lag_seconds": {"timeline": None},
    }


def test_metrics_say_which_dependency_is_away_to_whoever_asks_for_nothing_else(
    store: Store,
) -> None:
    with World(store, {"log": away}) as world:
        said = world.get("/metrics", None).text
    with World(store, {"log": fine}) as world:
        later = world.get("/metrics", None).text

    assert 'opstrail_dependency_up{dependency="log"} 0.0' in said
    assert 'opstrail_dependency_up{dependency="timeline"} 1.0' in said
    assert 'opstrail_dependency_up{dependency="log"} 1.0' in later


def test_metrics_tell_how_far_readers_are_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behind(partitions: int, now_us: int) -> float | None:
        return 75.5

    monkeypatch.setattr(world.services.watermarks, "lag_s", behind)

    assert "opstrail_watermark_lag_seconds 75.5\n" in world.get("/metrics", None).text
