"""What passes the guard, and as what it comes out."""

import pytest
from sqlglot import exp

from query.sql_dialect import AnalystSql
from query.sql_functions import is_allowed_function
from query.sql_guard import DEPTH_MAX, QUERY_CHARACTERS_MAX, guard
from query.sql_tokens import put_views_in
from runtime.errors import RefusedError
from tests.query.sql_attacks import ATTACKS

SELECTS = {
    "timeline": "SELECT entries.id FROM `db`.entries AS entries",
    "links": "SELECT 1 AS rule",
}
# What only the engine, or the address, can tell.
LATER = {"parameter without a value", "long sums"}


def guarded(query: str) -> str:
    return guard(query, SELECTS).sql


@pytest.mark.parametrize(
    "query", [pytest.param(query, id=name) for name, query in ATTACKS if name not in LATER]
)
def test_an_attack_is_refused_as_such(query: str) -> None:
    with pytest.raises(RefusedError) as refused:
        guard(query.replace("DATABASE", "opstrail"), SELECTS)
    assert refused.value.code == "sql_refused"


def test_views_give_way_to_their_selects_under_their_own_names() -> None:
    assert guarded("select timeline.id from timeline") == (
        f'SELECT "timeline"."id" FROM ({SELECTS["timeline"]}) AS "timeline"'
    )
    assert guarded("SELECT t.id FROM timeline t").endswith(') AS "t"')


def test_names_of_the_query_cannot_be_tables_of_ours() -> None:
    sql = guarded("WITH entries AS (SELECT id FROM timeline) SELECT entries.id FROM entries")

    assert sql == (
        f'WITH "opstrail_with_entries" AS (SELECT "id" FROM ({SELECTS["timeline"]}) AS "timeline")'
        ' SELECT "entries"."id" FROM "opstrail_with_entries" AS "entries"'
    )


def test_a_name_of_the_query_may_be_that_of_a_view_and_then_means_the_query() -> None:
    sql = guarded("WITH timeline AS (SELECT rule FROM links) SELECT rule FROM timeline")

    assert SELECTS["timeline"] not in sql
    assert sql.endswith('FROM "opstrail_with_timeline" AS "timeline"')


def test_inside_a_with_its_own_name_still_means_the_view() -> None:
    sql = guarded("WITH timeline AS (SELECT id FROM timeline) SELECT id FROM timeline")

    assert sql == (
        f'WITH "opstrail_with_timeline" AS (SELECT "id" FROM ({SELECTS["timeline"]}) AS "timeline")'
        ' SELECT "id" FROM "opstrail_with_timeline" AS "timeline"'
    )


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT sleep(1)", "`sleep`"),
        ("SELECT * FROM url('http://x')", "`url`"),
        ("SELECT * FROM entries", "`entries`"),
        ("SELECT 1 SETTINGS a = 1", "SETTINGS"),
        ("SELECT 1 FORMAT CSV", "FORMAT"),
        ("SELECT * FROM timeline FINAL", "FINAL"),
        ("DROP TABLE x", "Only SELECT"),
        ("SELECT 1; SELECT 1", "One statement"),
    ],
)
def test_a_refusal_names_what_is_not_allowed(query: str, named: str) -> None:
    with pytest.raises(RefusedError, match=named):
        guarded(query)


@pytest.mark.parametrize("secret", ["ghp_0123456789abcdefghijABCDEFGHIJ012345", "naïve", "a b"])
def test_a_refusal_does_not_repeat_what_may_be_a_secret(secret: str) -> None:
    for query in (f'SELECT * FROM "{secret}"', f"SELECT sleep('{secret}')", f"DROP {secret}"):
        with pytest.raises(RefusedError) as refused:
            guarded(query)
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["it's", "a\\", "\\'", "{x:String}", "%(x)s", "\n\t", '"`', "ü“”", "--", "/*", "$x$"]
)
def test_text_comes_out_as_text_and_nothing_else(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    sql = guarded(f"SELECT '{quoted}' AS a")

    assert not set(sql) & set("\\'{}%$`\n") - set("\\'")
    literal = AnalystSql().parse(sql)[0]
    assert literal is not None
    found = literal.find(exp.Literal)
    assert found is not None
    assert found.name == text


def test_comments_do_not_come_through() -> None:
    assert guarded("SELECT 1 /* a */ AS b -- c") == 'SELECT 1 AS "b"'


def test_the_depth_is_bounded_exactly() -> None:
    guarded("SELECT " + "(" * DEPTH_MAX + "1" + ")" * DEPTH_MAX)
    with pytest.raises(RefusedError, match="deep"):
        guarded("SELECT " + "(" * (DEPTH_MAX + 1) + "1" + ")" * (DEPTH_MAX + 1))


def test_the_length_is_bounded_exactly() -> None:
    query = "SELECT 1"
    guarded(query + " " * (QUERY_CHARACTERS_MAX - len(query)))
    with pytest.raises(RefusedError, match="characters"):
        guarded(query + " " * (QUERY_CHARACTERS_MAX - len(query) + 1))


@pytest.mark.parametrize("name", ["count", "COUNT", "sumIf", "quantileTDigestIfOrNull", "toDate"])
def test_functions_are_known_in_any_case_and_with_combinators(name: str) -> None:
    assert is_allowed_function(name)


@pytest.mark.parametrize(
    "name", ["sleep", "uniqMerge", "sumState", "hostNameIf", "if_", "dictGetIf", "", "aggThrow"]
)
def test_what_is_not_on_the_list_is_not_allowed(name: str) -> None:
    assert not is_allowed_function(name)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1 -- x",
        "SELECT /* x */ 1",
        "SELECT 1 SETTINGS a = 1",
        "SELECT 1 FORMAT JSON",
        "SELECT sleep(1)",
        "SELECT * FROM file('x')",
        'SELECT "sleep"(1)',
        'SELECT 1 IN "entries"',
        'SELECT 1 IN (("entries"))',
        "SELECT entries.id",
        "SELECT `a`",
        "SELECT 'a''b'",
        "SELECT 'a\\'b'",
        "SELECT $$x$$",
        "SELECT {x:Identifier",
        "SELECT ?",
        "SELECT 1\n",
    ],
)
def test_the_second_look_at_the_text_does_not_lean_on_the_first(text: str) -> None:
    with pytest.raises(RefusedError):
        put_views_in(text, SELECTS)
