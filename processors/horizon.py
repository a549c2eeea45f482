"""For how long records stay in memory. Pure."""

from dataclasses import dataclass

from runtime.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """What arrived and happened longer ago than `longest_us` is let go of.

    While more than `records_max` records are held, so is what is older than `least_us`, the oldest
    first.
    """

    longest_us: int
    least_us: int
    records_max: int


def horizon_of(settings: Settings) -> Horizon:
    return Horizon(
        longest_us=settings.horizon_us,
        least_us=settings.least_horizon_us,
        records_max=settings.records_max,
    )
