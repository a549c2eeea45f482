"""What an error of the engine means for the analyst whose query it was.

Must stay true: the engine's own words go nowhere. They may hold the query as we wrote it, paths,
hosts and versions; what people read is from this table, with a name at most that is harmless and
not ours.
"""

import re
from collections.abc import Mapping
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, ProgrammingError

from runtime.errors import OpstrailError, RefusedError, TimelineUnavailableError
from schemas.rejections import is_harmless_name
from timeline.sql_views import RESERVED

SQL_REFUSED: Final = "sql_refused"

_UNKNOWN_TABLE: Final = 60
_UNKNOWN_NAME: Final = frozenset({10, 16, 47})
# Source: ClickHouse's ErrorCodes.cpp.
_MEANINGS: Final[Mapping[int, str]] = {
    6: "a text does not hold what it was to be read as",
    10: "there is no such column",
    16: "there is no such column",
    20: "the number of columns differs",
    26: "a text does not hold what it was to be read as",
    27: "a text does not hold what it was to be read as",
    32: "a text does not hold what it was to be read as",
    35: "too many arguments for a function",
    36: "an argument is not one that the function takes",
    38: "a text is not a date",
    41: "a text is not a time",
    42: "wrong number of arguments for a function",
    43: "an argument has a type that the function does not take",
    44: "an argument has to be, or must not be, a constant or a column",
    46: "there is no such function",
    47: "there is no such column",
    48: "that is not possible here",
    50: "there is no such type",
    53: "two types do not go together",
    62: "ClickHouse does not understand the query",
    63: "there is no such aggregate function",
    69: "an argument is out of its range",
    70: "a value cannot be converted to that type",
    72: "a text is not a number",
    80: "the query is put together wrongly",
    94: "a LIMIT is out of range",
    125: "a subquery used as a value has more than one row",
    128: "an array would be too large",
    130: "a text is not an array",
    131: "a text would be too large",
    153: "division by zero",
    158: "it would read too many rows",
    159: "it took longer than a query may",
    160: "it would take longer than a query may",
    162: "a subquery is nested too deeply",
    167: "it is nested too deeply",
    168: "it is too large",
    170: "a type is not one",
    179: "one alias is given to several expressions",
    184: "an aggregate function stands inside another, or where none may",
    190: "arrays of different lengths cannot be joined",
    191: "a set would be too large",
    207: "a name could mean several columns",
    215: "a column is neither in GROUP BY nor inside an aggregate function",
    241: "it needs more memory than one query may use",
    258: "the parts of a UNION have different columns",
    271: "a parameter of a function has a type that it does not take",
    306: "it is nested too deeply",
    307: "it would read too much",
    321: "NULL does not fit there",
    349: "NULL does not fit there",
    352: "a name could mean several columns",
    386: "two types have no common one",
    396: "its result is too large",
    403: "a JOIN needs another ON",
    407: "a Decimal would be too large",
    427: "a regular expression is not one",
    432: "a type has no such value",
    456: "a parameter has no value",
    457: "the value of a parameter does not fit its type",
    636: "it is put together wrongly",
}
# What has nothing to do with the query: the machine, the network, the rights of our own user.
_NOT_THE_QUERY: Final = frozenset(
    {40, 74, 75, 76, 81, 107, 192, 193, 194, 202, 209, 210, 236, 242, 243, 279, 394, 439, 473, 497}
    | {499, 516, 999, 1000, 1001, 1002}
)
_NAMED: Final = re.compile(r"[`'\"]([A-Za-z0-9_.]{1,64})[`'\"]")


def refused_sql(detail: str) -> RefusedError:
    return RefusedError(detail, code=SQL_REFUSED)


def told(error: ClickHouseError) -> OpstrailError:
    """A RefusedError when the query is at fault, else a TimelineUnavailableError."""
    code = getattr(error, "code", None)
    if isinstance(error, DataError | ProgrammingError) and code is None:
        return refused_sql("The value of a parameter does not fit its type.")
    if code is None or code in _NOT_THE_QUERY:
        return TimelineUnavailableError(f"running SQL: {type(error).__name__}, ClickHouse {code}")
    if code == _UNKNOWN_TABLE:
        if f"{RESERVED}with_" in str(error):
            return refused_sql("A name of a WITH is used where it is not known.")
        return TimelineUnavailableError("running SQL: no tables yet; run `opstrail init`")
    meaning = _MEANINGS.get(code, "ClickHouse cannot run it")
    return refused_sql(f"The query failed: {meaning}{_name_in(error, code)} (ClickHouse {code}).")


def _name_in(error: ClickHouseError, code: int) -> str:
    """The column that is not there, where the engine names it and it is not one of ours."""
    found = _NAMED.search(str(error)) if code in _UNKNOWN_NAME else None
    if found is None or RESERVED in found[1] or not is_harmless_name(found[1]):
        return ""
    return f": `{found[1]}`"
