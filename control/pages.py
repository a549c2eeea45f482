"""One page of a list: sorted by the list's own name or id, byte by byte, from after a given one."""

from dataclasses import dataclass
from typing import Final

from control.errors import InvalidValueError

# As for every list of the contract, and one row more, which tells whether there is a next page.
PAGE_ROWS_MAX: Final = 1_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Raises InvalidValueError when made with a limit outside 1..1001."""

    after: str = ""  # the name or id the last page ended with
    limit: int = PAGE_ROWS_MAX

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= PAGE_ROWS_MAX:
            raise InvalidValueError(f"1 to {PAGE_ROWS_MAX}.", field="limit")


FIRST_PAGE: Final = Page()
