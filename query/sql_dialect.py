"""ClickHouse's SQL as we read and write it: function names stay as they were written.

sqlglot knows what many functions mean and would write some of them in another way. Here it knows
none: what it does not understand it cannot change.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.generators.clickhouse import ClickHouseGenerator
from sqlglot.parsers.clickhouse import ClickHouseParser

# Those whose arguments have a syntax of their own.
_SYNTAX: Final = ("CAST", "EXTRACT", "COLUMNS")


class AnalystSql(ClickHouse):
    class Parser(ClickHouseParser):
        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            name: ClickHouseParser.FUNCTION_PARSERS[name] for name in _SYNTAX
        }
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            "CASE": ClickHouseParser.NO_PAREN_FUNCTION_PARSERS["CASE"]
        }

        def _warn_unsupported(self) -> None:
            """Else it would log a part of the query."""

    class Generator(ClickHouseGenerator):
        def literal_sql(self, expression: exp.Literal) -> str:
            """Text so that nothing in it means anything: to ClickHouse or to its client."""
            text = str(expression.this)
            if not expression.is_string:
                return text
            return f"'{''.join(map(_escaped, text))}'"

        def placeholder_sql(self, expression: exp.Placeholder) -> str:
            return f"{{{expression.name}:{self.sql(expression, 'kind')}}}"


_ESCAPED: Final = frozenset("\\'{}%$`\"")


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _ESCAPED or code < 0x20 or code == 0x7F:
        return f"\\x{code:02X}"
    return character
