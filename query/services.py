"""What the read API needs, put together by whoever starts it."""

import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from control.authenticator import Principal
from control.database import Control
from control.failed_authentications import FailedAuthentications
from query.access_record import AccessRecorder
from query.label_mirror import LabelMirror
from query.watermark_view import WatermarkView
from runtime.access_log import AccessLog
from runtime.clock import WallClock
from runtime.key_rates import KeyRates, key_rates
from runtime.log import Log
from runtime.metrics import WATERMARK_LAG_SECONDS, WATERMARK_PARTITION_LAG_SECONDS
from runtime.settings import Settings
from timeline.moment import Moment
from timeline.store import Store


class Authenticates(Protocol):
    """`control.authenticator.Authenticator`, and fakes of it."""

    async def authenticate(self, token: str) -> Principal:
        """Raises NotAuthenticatedError, ControlUnavailableError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryServices:
    """`position_secret` seals the positions; `partitions` are those of the log (embedded: 1).

    `deploy_actions` count as deployments where a workspace does not say otherwise. `log` is for
    what is sent again (query/dead_letter_resend.py); `append_timeout_s`: how long to wait for it.
    """

    store: Store
    control: Control
    label_mirror: LabelMirror
    watermarks: WatermarkView
    authenticator: Authenticates
    rates: KeyRates
    access: AccessRecorder
    log: Log
    append_timeout_s: float
    failed_authentications: FailedAuthentications
    position_secret: bytes
    partitions: int
    lost_after_us: int
    deploy_actions: Sequence[str]
    wall_clock: WallClock

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this is entered, what goes on beside the answers goes on."""
        async with self.label_mirror.running(), self.failed_authentications.running():
            yield

    def moment(self) -> Moment:
        """Now, for what reads as lost."""
        return Moment(now_us=self.wall_clock(), lost_after_us=self.lost_after_us)

    async def lag_s(self) -> float | None:
        """How far readers are behind, which is a metric too; None: nothing is promised yet."""
        now_us = self.wall_clock()
        lag_s = await self.watermarks.lag_s(self.partitions, now_us)
        WATERMARK_LAG_SECONDS.set(math.nan if lag_s is None else lag_s)
        for partition, own_s in enumerate(
            self.watermarks.partition_lags_s(self.partitions, now_us)
        ):
            WATERMARK_PARTITION_LAG_SECONDS.labels(str(partition)).set(
                math.nan if own_s is None else own_s
            )
        return lag_s


def query_services(
    settings: Settings,
    *,
    store: Store,
    control: Control,
    authenticator: Authenticates,
    access_log: AccessLog,
    log: Log,
    failed_authentications: FailedAuthentications,
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
        rates=key_rates(settings),
        access=AccessRecorder(access_log, settings.append_timeout_s, wall_clock),
        log=log,
        append_timeout_s=settings.append_timeout_s,
        failed_authentications=failed_authentications,
        position_secret=position_secret,
        partitions=1 if settings.is_embedded else settings.partitions,
        lost_after_us=settings.lost_after_us,
        deploy_actions=settings.deploy_action_names,
        wall_clock=wall_clock,
    )
