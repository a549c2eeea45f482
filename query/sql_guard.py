"""An analyst's query as SQL that is safe to run. Pure.

Must stay true:
- What is executed is written anew from a checked tree; never the text that came in.
- Allow-lists only: a clause, an expression or a function that is not known here is refused.
- Tables are the views and the query's own WITH names. A view's name gives way to its SELECT; a
  WITH name is changed to one that no table has, so that a name out of its scope finds nothing.
- No name and no parameter of the query begins with what our own SELECTs use.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from query.sql_dialect import AnalystSql
from query.sql_functions import is_allowed_function, words
from query.sql_refusal import shown, sql_refused
from query.sql_tokens import VIEW_MARK, is_type_text, put_views_in
from timeline.sql_views import RESERVED

# A query that a person wrote, or a tool for one, is far below these.
QUERY_CHARACTERS_MAX: Final = 64 * 1024
TOKENS_MAX: Final = 5_000
# The parser tries several ways at each opening parenthesis.
DEPTH_MAX: Final = 40

_CTE_MARK: Final = f"{RESERVED}with_"


@dataclass(frozen=True, slots=True)
class GuardedQuery:
    """`sql` may be run; `parameter_names` are those of the query that it refers to.

    `time_names` are those of them that are times in UTC.
    """

    sql: str
    parameter_names: frozenset[str]
    time_names: frozenset[str]


def guard(query: str, selects: Mapping[str, str]) -> GuardedQuery:
    """`selects` are the views by name, as SELECTs for this reader. Raises sql_refused."""
    try:
        tree = _parse(query)
        for node in tree.walk():
            _check(node)
        placeholders = list(tree.find_all(exp.Placeholder))
        names = frozenset(node.name for node in placeholders)
        times = frozenset(node.name for node in placeholders if _is_time(node))
        _bind_tables(tree, frozenset(selects))
        text = AnalystSql().generate(
            tree, identify=True, comments=False, unsupported_level=ErrorLevel.RAISE, copy=False
        )
        return GuardedQuery(put_views_in(text, selects), names, times)
    except SqlglotError as error:
        raise sql_refused(f"The query could not be understood{_place(error)}.") from None
    except RecursionError:
        raise sql_refused("The query is nested too deeply.") from None


_UTC_TIME: Final = re.compile(r"DateTime64\(\s*\d\s*,\s*'UTC'\s*\)", re.ASCII | re.IGNORECASE)


def _is_time(placeholder: exp.Placeholder) -> bool:
    kind: exp.Expr = placeholder.args["kind"]
    return _UTC_TIME.fullmatch(kind.sql(dialect=AnalystSql)) is not None


def _place(error: SqlglotError) -> str:
    """Where a parser stopped, without what stands there."""
    first: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
    line, column = first.get("line"), first.get("col")
    return f", from line {line}, column {column} on" if line and column else ""


def _parse(query: str) -> exp.Query:
    if len(query) > QUERY_CHARACTERS_MAX:
        raise sql_refused(f"A query has at most {QUERY_CHARACTERS_MAX} characters.")
    dialect = AnalystSql()
    tokens = _one_statement(dialect.tokenize(query))
    trees = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, query)
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise _only_select()
    return trees[0]


_OPENING: Final = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSING: Final = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)
_STARTS: Final = (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN)


def _one_statement(tokens: Sequence[Token]) -> list[Token]:
    """The tokens but a semicolon at the end."""
    if len(tokens) > TOKENS_MAX:
        raise sql_refused(f"A query has at most {TOKENS_MAX} words and signs.")
    last = len(tokens)
    while last and tokens[last - 1].token_type is TokenType.SEMICOLON:
        last -= 1
    statement = list(tokens[:last])
    if any(token.token_type is TokenType.SEMICOLON for token in statement):
        raise sql_refused("One statement at a time.")
    if not statement or statement[0].token_type not in _STARTS:
        raise _only_select()
    depth = 0
    for token in statement:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > DEPTH_MAX:
            raise sql_refused("The query is nested too deeply.")
    return statement


def _only_select() -> Exception:
    return sql_refused("Only SELECT is allowed: with WITH, UNION, INTERSECT and EXCEPT.")


_NODES: Final[frozenset[type[exp.Expr]]] = frozenset(
    {
        *(exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE),
        *(exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order),
        *(exp.Ordered, exp.WithFill, exp.Limit, exp.LimitOptions, exp.Offset, exp.Distinct),
        *(exp.Rollup, exp.Cube, exp.GroupingSets),
        *(exp.Table, exp.TableAlias, exp.Identifier, exp.Column, exp.Star, exp.Columns),
        *(exp.Alias, exp.Tuple, exp.Paren, exp.Array, exp.Bracket, exp.Dot, exp.Lambda),
        *(exp.Literal, exp.Null, exp.Boolean, exp.Placeholder, exp.Interval, exp.Var),
        *(
            exp.Cast,
            exp.CastToStrType,
            exp.DataType,
            exp.DataTypeParam,
            exp.Case,
            exp.If,
            exp.Extract,
        ),
        *(exp.Anonymous, exp.AnonymousAggFunc, exp.CombinedAggFunc),
        *(exp.ParameterizedAgg, exp.CombinedParameterizedAgg),
        *(exp.Window, exp.WindowSpec, exp.Filter),
        *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is),
        *(exp.In, exp.Between, exp.Like, exp.ILike, exp.Exists),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe),
    }
)
# What a refusal calls the others; the rest is "this kind of expression".
_CLAUSES: Final[Mapping[str, str]] = {
    "settings": "SETTINGS",
    "format": "FORMAT",
    "into": "INTO",
    "sample": "SAMPLE",
    "final": "FINAL",
    "prewhere": "PREWHERE",
    "locks": "FOR UPDATE",
    "tablesample": "SAMPLE",
    "apply": "APPLY",
    "any": "ANY(…)",
    "recursive": "RECURSIVE",
    "aliases": "AS (…)",
    "values": "VALUES",
    "insert": "INSERT",
    "command": "another statement",
}
# Of a query: these parts and no other.
_PARTS: Final[Mapping[type[exp.Expr], frozenset[str]]] = {
    exp.Select: words(
        "with_ expressions distinct from_ joins where group having qualify windows order limit"
        " offset"
    ),
    exp.Union: words("with_ this expression distinct order limit offset by_name"),
    exp.Except: words("with_ this expression distinct order limit offset"),
    exp.Intersect: words("with_ this expression distinct order limit offset"),
    exp.Subquery: words("this alias order limit offset joins"),
    exp.Table: words("this alias joins"),
    exp.With: frozenset({"expressions"}),
    exp.CTE: frozenset({"this", "alias", "scalar"}),
    exp.TableAlias: frozenset({"this"}),
    exp.Star: words("except_ replace"),
    exp.In: words("this expressions query field"),
    exp.Column: words("this table"),
}


def _check(node: exp.Expr) -> None:
    if type(node) not in _NODES:
        raise sql_refused(f"{_named(node.key)} is not allowed.")
    parts = _PARTS.get(type(node))
    if parts is not None:
        for part, value in node.args.items():
            if value and part not in parts:
                raise sql_refused(_refused_part(node, part))
    check = _CHECKS.get(type(node))
    if check is not None:
        check(node)


def _named(key: str) -> str:
    return _CLAUSES.get(key, f"{key.upper().replace('_', ' ')} here")


def _refused_part(node: exp.Expr, part: str) -> str:
    if isinstance(node, exp.Table | exp.Column) and part in ("db", "catalog"):
        return "A table is named alone, without a database; a column with its table at most."
    return f"{_named(part)} is not allowed."


# No quote, no backslash, nothing invisible: inside double quotes such a name is only a name.
_NAME: Final = re.compile(r"[^\W\d][\w .:%()/+-]{0,127}")
_PARAMETER_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,63}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?", re.ASCII)


def _check_name(node: exp.Expr) -> None:
    name = node.name
    if _NAME.fullmatch(name) is None:
        raise sql_refused("A name begins with a letter and has at most 128 letters and digits.")
    if name.lower().startswith(RESERVED):
        raise sql_refused(f"Names must not begin with `{RESERVED}`.")


def _check_literal(node: exp.Expr) -> None:
    text = node.name
    if not node.is_string and (not text or _NUMBER.fullmatch(text) is None):
        raise sql_refused("Numbers are written in decimal.")
    if node.is_string and not text.isprintable() and "\x00" in text:
        raise sql_refused("Text must not hold NUL.")


def _check_function(node: exp.Expr) -> None:
    name = node.this if isinstance(node.this, str) else None
    if name is None:
        raise sql_refused("A function's name must not be quoted.")
    if not is_allowed_function(name):
        raise sql_refused(f"The function {shown(name)} is not allowed.")
    arguments = node.expressions
    if name.lower() in _UNIT_FIRST and arguments and _is_bare(arguments[0]):
        # `dateAdd(day, 1, t)`: a word of the language, not a column.
        arguments[0].replace(exp.Var(this=arguments[0].name.upper()))
    if name.lower() == "char" and len(arguments) > 1_000:
        raise sql_refused("`char` has at most 1000 arguments.")


_UNIT_FIRST: Final = frozenset(
    f"{stem}{end}"
    for stem in ("date", "timestamp")
    for end in ("add", "_add", "sub", "_sub", "diff", "_diff")
)


def _is_bare(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and not node.table


def _check_placeholder(node: exp.Expr) -> None:
    name, kind = node.name, node.args.get("kind")
    if _PARAMETER_NAME.fullmatch(name) is None or not isinstance(kind, exp.DataType):
        raise sql_refused(
            "A parameter is written {name:Type}: a name in lower case, and the type of a value."
        )
    if name.startswith(RESERVED):
        raise sql_refused(f"Parameters must not begin with `{RESERVED}`.")
    if not is_type_text(kind.sql(dialect=AnalystSql)):
        raise sql_refused(f"The type of the parameter {shown(name)} is not allowed.")


def _check_type(node: exp.Expr) -> None:
    if not is_type_text(node.sql(dialect=AnalystSql)):
        raise sql_refused("That type is not allowed.")


def _check_cast_to_text(node: exp.Expr) -> None:
    to = node.args.get("to")
    if not (isinstance(to, exp.Literal) and to.is_string and is_type_text(to.name)):
        raise sql_refused("That type is not allowed.")


def _check_in(node: exp.Expr) -> None:
    field = node.args.get("field")
    members = [*node.expressions, *([field] if field is not None else [])]
    for member in members:
        while isinstance(member, exp.Paren | exp.Alias | exp.Tuple) and not (
            isinstance(member, exp.Tuple) and not member.expressions
        ):
            member = member.expressions[0] if isinstance(member, exp.Tuple) else member.this
        if isinstance(member, exp.Column | exp.Identifier | exp.Dot | exp.Star | exp.Table):
            raise sql_refused("IN needs a list of values or a SELECT, not a name.")


def _check_cte(node: exp.Expr) -> None:
    if not node.args.get("scalar") and not isinstance(node.this, exp.Query):
        raise sql_refused("WITH needs `name AS (SELECT …)` or `value AS name`.")


def _check_columns(node: exp.Expr) -> None:
    if not (isinstance(node.this, exp.Literal) and node.this.is_string):
        raise sql_refused("COLUMNS needs a pattern as text.")


def _check_join(node: exp.Expr) -> None:
    if node.args.get("global_"):
        raise sql_refused("GLOBAL is not allowed.")


_CHECKS: Final[Mapping[type[exp.Expr], Callable[[exp.Expr], None]]] = {
    exp.Identifier: _check_name,
    exp.Literal: _check_literal,
    exp.Anonymous: _check_function,
    exp.AnonymousAggFunc: _check_function,
    exp.CombinedAggFunc: _check_function,
    exp.ParameterizedAgg: _check_function,
    exp.CombinedParameterizedAgg: _check_function,
    exp.Placeholder: _check_placeholder,
    exp.DataType: _check_type,
    exp.CastToStrType: _check_cast_to_text,
    exp.In: _check_in,
    exp.CTE: _check_cte,
    exp.Columns: _check_columns,
    exp.Join: _check_join,
}


def _bind_tables(tree: exp.Query, views: frozenset[str]) -> None:
    """Give every table its mark, and every name of a WITH another."""
    tables = list(tree.find_all(exp.Table))
    named = [(table, _bound_name(table, views)) for table in tables]
    ctes = [cte for cte in tree.find_all(exp.CTE) if not cte.args.get("scalar")]
    for table, bound in named:
        if table.args.get("alias") is None:
            # Columns may be written with the name of their table.
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name)))
        table.set("this", exp.to_identifier(bound, quoted=True))
    for cte in ctes:
        alias = cte.args["alias"]
        alias.set("this", exp.to_identifier(_CTE_MARK + cte.alias, quoted=True))


def _bound_name(table: exp.Table, views: frozenset[str]) -> str:
    if not isinstance(table.this, exp.Identifier):
        name = table.this.name if isinstance(table.this, exp.Func) else ""
        raise sql_refused(f"The table function {shown(name)} is not allowed.")
    name = table.name
    if name in _names_around(table):
        return _CTE_MARK + name
    if name in views:
        return VIEW_MARK + name
    raise sql_refused(f"There is no table {shown(name)}; there are: {', '.join(sorted(views))}.")


def _names_around(node: exp.Expr) -> Iterator[str]:
    """The names that a WITH of a query around `node` gives to SELECTs, as far as it sees them."""
    below, above = node, node.parent
    while above is not None:
        if isinstance(above, exp.With):
            # Inside a WITH: those before. Its own name still means what it meant outside.
            yield from _given_names(above.expressions[: below.index])
        elif (around := above.args.get("with_")) is not None and around is not below:
            yield from _given_names(around.expressions)
        below, above = above, above.parent


def _given_names(ctes: Sequence[exp.Expr]) -> Iterator[str]:
    return (cte.alias for cte in ctes if not cte.args.get("scalar"))
