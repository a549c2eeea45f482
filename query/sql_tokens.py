"""The text of a checked query, looked at once more as ClickHouse will: token by token. Pure.

The second wall behind `sql_guard.py`, and one that does not lean on sqlglot: whatever a parser
might have misunderstood, this text holds only words, functions and signs from lists.

Must stay true: what is not known here is refused. Every name of the query stands in double quotes,
so that each bare word is a keyword, a type, a unit or a function.
"""

import re
from collections.abc import Mapping
from typing import Final

from query.sql_functions import is_allowed_function, words
from query.sql_refusal import shown, sql_refused

VIEW_MARK: Final = "opstrail_view_"

_KEYWORDS: Final = words("""
    all and anti any array as asc asof between by case cast columns cross cube current desc distinct
    else end except exists extract false fill filter first following from full group grouping groups
    having ilike in inner intersect interval is join last left like limit not null nulls offset on
    or order outer over partition preceding qualify range replace right rollup row rows select semi
    sets step then ties to totals true unbounded union using when where window with
    """)
_UNITS: Final = words(
    "nanosecond microsecond millisecond second minute hour day week month quarter year"
)
_TYPES: Final = words("""
    array bool boolean date date32 datetime datetime64 decimal decimal32 decimal64 decimal128
    decimal256 fixedstring float32 float64 int8 int16 int32 int64 int128 int256 ipv4 ipv6
    lowcardinality map nullable string tuple uint8 uint16 uint32 uint64 uint128 uint256 uuid
    """)
_BARE: Final = _KEYWORDS | _UNITS | _TYPES

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ ]+)
  | (?P<text>'(?:[^'\\\x00-\x1f]|\\x[0-9A-F]{2})*'(?!'))
  | (?P<name>"[^"\\\x00-\x1f]+"(?!"))
  | (?P<parameter>\{[a-z_][a-z0-9_]*:[A-Za-z0-9_(), '/]+\})
  | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z_]))
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<forbidden>--|/\*|//|\#|;)
  | (?P<sign>->|\|\||::|<>|<=|>=|!=|[()\[\],.+\-*/%<>=])
    """,
    re.VERBOSE | re.ASCII,
)


def is_type_text(text: str) -> bool:
    """Whether this names a type, without the values of its arguments."""
    words = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", re.sub(r"'[A-Za-z0-9_/+-]*'", "", text))
    return (
        re.fullmatch(r"[A-Za-z0-9_(), '/+-]+", text, re.ASCII) is not None
        and bool(words)
        and all(word.lower() in _TYPES for word in words)
    )


def put_views_in(sql: str, selects: Mapping[str, str]) -> str:
    """The text with each mark of a view replaced by its SELECT.

    Raises the sql_refused problem for whatever is not on the lists.
    """
    parts: list[str] = []
    after_in = False
    for token in _tokens(sql):
        kind, text = token.lastgroup, token.group()
        if kind == "name":
            if after_in:
                raise sql_refused("IN needs a list of values or a SELECT, not a name.")
            name = text[1:-1]
            if name.startswith(VIEW_MARK):
                text = f"({selects[name.removeprefix(VIEW_MARK)]})"
            elif sql.startswith("(", token.end()):
                raise sql_refused("A function's name must not be quoted.")
        elif kind == "word":
            _check_word(text, is_call=sql.startswith("(", token.end()))
        elif kind == "forbidden":
            raise sql_refused("The query holds a sign that has no place in it.")
        # A bare name, or one in parentheses, behind IN could mean a table.
        if kind != "space" and text != "(":
            after_in = kind == "word" and text.lower() == "in"
        parts.append(text)
    return "".join(parts)


def _tokens(sql: str) -> list[re.Match[str]]:
    found = []
    at = 0
    while at < len(sql):
        token = _TOKEN.match(sql, at)
        if token is None:
            raise sql_refused("The query holds a sign that has no place in it.")
        found.append(token)
        at = token.end()
    return found


def _check_word(word: str, *, is_call: bool) -> None:
    if word.lower() in _BARE or (is_call and is_allowed_function(word)):
        return
    what = "function" if is_call else "word"
    raise sql_refused(f"The {what} {shown(word)} is not allowed.")
