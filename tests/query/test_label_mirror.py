import asyncio
from collections.abc import Awaitable, Callable

import pytest

from control.errors import ControlUnavailableError, InvalidValueError
from control.workspaces import WorkspaceLabel, get_workspace, put_label
from query.label_mirror import LabelMirror
from runtime.errors import TimelineUnavailableError
from schemas.times import to_datetime
from tests.query.world import World
from tests.timeline.trail import NOW_US
from timeline.environment_query import mirror_workspaces, read_environments

NOW = to_datetime(NOW_US)
PRODUCTION = WorkspaceLabel(environment="production")
# Longer than a test: whatever happens sooner was not by waiting for it.
NEVER_S = 600.0


def mirror(world: World, *, retry_delay_s: float = 0.01, look_s: float = NEVER_S) -> LabelMirror:
    services = world.services
    return LabelMirror(
        services.control, services.store, retry_delay_s=retry_delay_s, look_interval_s=look_s
    )


def keep(world: World, name: str, label: WorkspaceLabel = PRODUCTION) -> None:
    """As a process that ends before it copies."""
    with world.services.control.writing() as connection:
        put_label(connection, label, organization=world.trail.organization, name=name, now=NOW)


async def shown(world: World, *names: str) -> dict[str, str]:
    return await read_environments(world.services.store, world.trail.organization, names)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await is_so():
            await asyncio.sleep(0.01)


class Outage:
    """Fails so many copies, then copies."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or TimelineUnavailableError("away")

    async def __call__(self, *arguments: object, **named: object) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error
        await mirror_workspaces(*arguments, **named)  # type: ignore[arg-type]


def test_a_label_kept_before_a_crash_is_copied_at_the_next_start(world: World) -> None:
    keep(world, "shop")
    assert world.run(shown(world, "shop")) == {}

    async def start() -> None:
        async with mirror(world).running():
            await until(lambda: is_shown(world, "shop"))

    world.run(start())


async def is_shown(world: World, name: str, environment: str = "production") -> bool:
    return await shown(world, name) == {name: environment}


def test_a_copy_that_failed_is_tried_until_the_store_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query.label_mirror.mirror_workspaces", Outage(3))
    keep(world, "shop")

    async def start() -> None:
        async with mirror(world).running():
            await until(lambda: is_shown(world, "shop"))

    world.run(start())


def test_a_label_that_could_not_be_copied_does_not_wait_for_the_next_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say() -> None:
        labels = mirror(world)
        keep(world, "first")
        async with labels.running():
            await until(lambda: is_shown(world, "first"))
            await asyncio.sleep(0.1)  # the first look is over
            monkeypatch.setattr("query.label_mirror.mirror_workspaces", Outage(2))
            with pytest.raises(TimelineUnavailableError):
                await labels.say(
                    PRODUCTION, organization=world.trail.organization, name="shop", now=NOW
                )
            await until(lambda: is_shown(world, "shop"))

    world.run(say())


def test_what_another_process_kept_is_found_by_looking_now_and_then(world: World) -> None:
    async def start() -> None:
        async with mirror(world, look_s=0.05).running():
            await until(lambda: nothing_is_missing(world))
            keep(world, "shop")
            await until(lambda: is_shown(world, "shop"))
            keep(world, "shop", WorkspaceLabel(environment="staging"))
            await until(lambda: is_shown(world, "shop", "staging"))

    world.run(start())


async def nothing_is_missing(world: World) -> bool:
    return await mirror(world).look() == 0


def test_mistakes_of_ours_and_an_absent_control_database_do_not_end_the_looking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (AssertionError("ours"), ControlUnavailableError("away")):
        monkeypatch.setattr("query.label_mirror.mirror_workspaces", Outage(2, error))
        keep(world, type(error).__name__)

        async def start(name: str = type(error).__name__) -> None:
            async with mirror(world, look_s=0.02).running():
                await until(lambda: is_shown(world, name))

        world.run(start())


def test_a_copy_by_a_slower_process_does_not_bring_an_old_label_back(world: World) -> None:
    """Two processes: the first kept its label earlier and copies it later."""
    held: list[tuple[tuple[object, ...], dict[str, object]]] = []

    async def race() -> None:
        with pytest.MonkeyPatch.context() as patched:

            async def hold(*arguments: object, **named: object) -> None:
                held.append((arguments, named))

            patched.setattr("query.label_mirror.mirror_workspaces", hold)
            await mirror(world).say(
                WorkspaceLabel(environment="staging"),
                organization=world.trail.organization,
                name="shop",
                now=NOW,
            )
        await mirror(world).say(
            PRODUCTION, organization=world.trail.organization, name="shop", now=NOW
        )
        ((arguments, named),) = held
        await mirror_workspaces(*arguments, **named)  # type: ignore[arg-type]

    world.run(race())
    assert world.run(shown(world, "shop")) == {"shop": "production"}
    assert world.run(mirror(world).look()) == 0


def test_labels_said_at_once_end_alike_on_both_sides(world: World) -> None:
    async def say(environment: str) -> None:
        await mirror(world).say(
            WorkspaceLabel(environment=environment),
            organization=world.trail.organization,
            name="shop",
            now=NOW,
        )

    async def race() -> None:
        await asyncio.gather(*[say(f"e{number}") for number in range(12)])

    world.run(race())
    with world.services.control.reading() as connection:
        workspace = get_workspace(connection, organization=world.trail.organization, name="shop")
    assert workspace is not None
    assert world.run(shown(world, "shop")) == {"shop": workspace.label.environment}


def test_more_labels_than_a_page_are_compared_across_organizations(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query.label_mirror._PAGE_ROWS", 3)
    names = [f"w{number}" for number in range(7)]
    for name in names:
        keep(world, name)
    with world.services.control.writing() as connection:
        put_label(connection, PRODUCTION, organization=world.other.organization, name="w0", now=NOW)

    assert world.run(mirror(world).look()) == 8
    assert world.run(mirror(world).look()) == 0
    keep(world, "w3", WorkspaceLabel())
    assert world.run(mirror(world).look()) == 1
    assert sorted(world.run(shown(world, *names))) == [n for n in names if n != "w3"]


def test_a_refused_label_changes_nothing(world: World) -> None:
    with pytest.raises(InvalidValueError):
        world.run(
            mirror(world).say(
                WorkspaceLabel(environment=""),
                organization=world.trail.organization,
                name="shop",
                now=NOW,
            )
        )
    assert world.run(mirror(world).look()) == 0


def test_a_store_that_hangs_is_as_good_as_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(NEVER_S)

    monkeypatch.setattr("query.label_mirror.COPY_WAIT_S", 0.05)
    monkeypatch.setattr("query.label_mirror.mirror_workspaces", hang)
    with pytest.raises(TimelineUnavailableError):
        world.run(
            mirror(world).say(
                PRODUCTION, organization=world.trail.organization, name="shop", now=NOW
            )
        )
