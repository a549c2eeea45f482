"""The filters and the cursor of the deployments. Pure. Source: the contract, section 5.

Values of one name are alternatives, names are all required.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from schemas.limits import STRING_CHARACTERS_MAX
from timeline.cursor import TIME_US_MAX, Order, read_opaque, refused_cursor, write_opaque
from timeline.filters import Filters, _commit
from timeline.parameters import LIMIT_DEFAULT, NAME, Parameters

_TEXTS: Final = ("block", "block_name", "block_version", "action", "actor", "hostname", "ticket")
DEPLOYMENT_PARAMETERS: Final = (
    *("from", "to", "workspace", "environment", *_TEXTS, "commit", "latest"),
    *("order", "limit", "cursor"),
)


class DeploymentPlace(NamedTuple):
    """Deployments are sorted by these, in this order. Nothing of a closed run's place changes."""

    deployed_at: int  # µs
    id: str
    workspace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFilters:
    """`from_us` and `to_us` (µs, half-open) are about the end of the run, not about its start.

    `is_latest`: only the newest of each workspace and block among those that fit the rest.
    """

    from_us: int = 0
    to_us: int = TIME_US_MAX
    common: Filters = field(default_factory=Filters)  # workspaces, environments, texts, commits
    is_latest: bool = False
    order: Order = Order.DESC
    limit: int = LIMIT_DEFAULT
    after: DeploymentPlace | None = None


def parse_deployment_filters(pairs: Iterable[tuple[str, str]]) -> DeploymentFilters:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, DEPLOYMENT_PARAMETERS)
    from_us, to_us = given.period_us()
    texts = {name: given.texts(name) for name in _TEXTS}
    after, order = _after_and_order(given)
    return DeploymentFilters(
        from_us=0 if from_us is None else from_us,
        to_us=TIME_US_MAX if to_us is None else to_us,
        common=Filters(
            workspaces=given.texts("workspace", NAME),
            environments=given.texts("environment"),
            texts={name: values for name, values in texts.items() if values},
            commits=tuple(map(_commit, given.all("commit"))),
        ),
        is_latest=bool(given.boolean("latest")),
        order=order,
        limit=given.limit(),
        after=after,
    )


class _CursorBody(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    list_: str
    order: Order
    deployed_at: int
    id: str
    workspace: str


_LIST: Final = "deployments"


def write_deployment_cursor(place: DeploymentPlace, order: Order) -> str:
    return write_opaque(_CursorBody(_LIST, order, *place))


def _read_cursor(text: str) -> tuple[DeploymentPlace, Order]:
    """Raises RefusedError naming `cursor` for anything we did not write."""
    body = read_opaque(text, _CursorBody)
    is_sound = (
        body.list_ == _LIST
        and 0 <= body.deployed_at < TIME_US_MAX
        and max(len(body.id), len(body.workspace)) <= STRING_CHARACTERS_MAX
    )
    if not is_sound:
        raise refused_cursor()
    return DeploymentPlace(body.deployed_at, body.id, body.workspace), body.order


def _after_and_order(given: Parameters) -> tuple[DeploymentPlace | None, Order]:
    """A cursor brings its order along; another one beside it would skip and repeat."""
    stated = given.choice("order", Order)
    text = given.one("cursor")
    if text is None:
        return None, Order(stated or Order.DESC)
    place, order = _read_cursor(text)
    if stated is not None and stated != order:
        raise refused_cursor()
    return place, order
