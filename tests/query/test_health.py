from runtime.errors import LogUnavailableError
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
