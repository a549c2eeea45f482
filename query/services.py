"""What the read API needs, put together by whoever starts it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from control.authenticator import Principal
from control.database import Control
from query.label_mirror import LabelMirror
from query.watermark_view import WatermarkView
from runtime.clock import WallClock
from runtime.settings import Settings
from timeline.moment import Moment
from timeline.store import Store

# Returns when the dependency answers; raises an UnavailableError that says what is wrong.
Check = Callable[[], Awaitable[None]]


class Authenticates(Protocol):
    """`control.authenticator.Authenticator`, and fakes of it."""

    async def authenticate(self, token: str) -> Principal:
        """Raises NotAuthenticatedError, ControlUnavailableError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryServices:
    """`position_secret` seals the positions; `partitions` are those of the log (embedded: 1).

    `deploy_actions` count as deployments where a workspace does not say otherwise.
    """

    store: Store
    control: Control
    label_mirror: LabelMirror
    watermarks: WatermarkView
    authenticator: Authenticates
    position_secret: bytes
    partitions: int
    lost_after_us: int
    deploy_actions: Sequence[str]
    wall_clock: WallClock

    def moment(self) -> Moment:
        """Now, for what reads as lost."""
        return Moment(now_us=self.wall_clock(), lost_after_us=self.lost_after_us)


def query_services(
    settings: Settings,
    *,
    store: Store,
    control: Control,
    authenticator: Authenticates,
    position_secret: bytes,
    wall_clock: WallClock,
) -> QueryServices:
    """The services these settings describe. Nothing connects yet."""
    return QueryServices(
        store=store,
        control=control,
        label_mirror=LabelMirror(control, store),
        watermarks=WatermarkView(store),
        authenticator=authenticator,
        position_secret=position_secret,
        partitions=1 if settings.is_embedded else settings.partitions,
        lost_after_us=settings.lost_after_us,
        deploy_actions=settings.deploy_action_names,
        wall_clock=wall_clock,
    )
