"""One page of a list."""

import pytest

from control.errors import InvalidValueError
from control.pages import Page


@pytest.mark.parametrize("limit", [1, 1_001])
def test_a_limit_inside_the_bounds_is_taken(limit: int) -> None:
    assert Page(limit=limit).limit == limit


@pytest.mark.parametrize("limit", [-1, 0, 1_002])
def test_a_limit_outside_the_bounds_is_refused(limit: int) -> None:
    with pytest.raises(InvalidValueError) as refused:
        Page(limit=limit)

    assert refused.value.field == "limit"
