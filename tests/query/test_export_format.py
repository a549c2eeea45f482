import pytest
from starlette.requests import Request

from query.export_format import ExportFormat, accepted, negotiate, other_parameters
from runtime.errors import RefusedError
from runtime.http import Problem

NDJSON, CSV, PARQUET, ARROW = ExportFormat
PARQUET_TYPE = "application/vnd.apache.parquet"
ARROW_TYPE = "application/vnd.apache.arrow.stream"


def asked(query: str = "", *accept: str) -> Request:
    headers = [(b"accept", text.encode()) for text in accept]
    return Request(
        {"type": "http", "method": "GET", "query_string": query.encode(), "headers": headers}
    )


@pytest.mark.parametrize("form", ExportFormat)
def test_every_form_is_had_by_its_name_and_by_its_media_type(form: ExportFormat) -> None:
    assert negotiate(asked(f"format={form.value}")) is form
    assert negotiate(asked("", form.media_type)) is form
    assert negotiate(asked("", form.media_type.partition(";")[0])) is form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", None),
        ("*/*", None),
        ("application/json", None),
        ("application/*", None),
        ("text/*", CSV),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        ("text/csv, */*", CSV),
        ("*/*, text/csv", CSV),
        ("text/csv, application/json", None),
        ("text/csv, application/json;q=0.9", CSV),
        ("application/json;q=0.1, application/x-ndjson;q=0.2", NDJSON),
        (f"{PARQUET_TYPE}, {ARROW_TYPE}", PARQUET),
        (f"{PARQUET_TYPE};q=0.5, {ARROW_TYPE};q=0.501", ARROW),
        # What a browser sends.
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None),
        # The most exact range decides, not the highest quality.
        ("*/*;q=1, application/json;q=0.1, text/csv;q=0.5", NDJSON),
        ("text/csv;q=0, */*", None),
        ("application/json;q=0, text/csv;q=0.1", CSV),
        ("text/csv;q=0.1, text/csv;header=present;q=0.9, application/json;q=0.5", CSV),
        ("text/csv;charset=utf-8", CSV),
        ('text/csv;charset="UTF-8"', CSV),
        ("text/csv ; header=present ; q=1.000", CSV),
        ("application/json;charset=utf-8", None),
        ("application/json;profile=short", None),
        ('application/json;profile="a, b", text/csv;q=0.1', None),
        # What is no media range says nothing.
        ("json", None),
        ("text/csv;q=2, application/x-ndjson", NDJSON),
        ("*/csv, application/x-ndjson", NDJSON),
        (", ,, text/csv ,", CSV),
    ],
)
def test_accept_is_read_as_the_rfc_says(accept: str, form: ExportFormat | None) -> None:
    assert accepted(accept) is form
    assert negotiate(asked("", accept)) is form


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/*",
        "*/*;q=0",
        "application/json;q=0.000",
        "text/csv;header=absent",
        "text/csv;charset=iso-8859-1",
        "application/json;q=0, text/html",
    ],
)
def test_an_accept_that_allows_none_of_ours_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(Problem) as caught:
        negotiate(asked("", accept))
    assert (caught.value.status, caught.value.slug) == (406, "not_acceptable")
    for form in ExportFormat:
        assert form.media_type in caught.value.detail


def test_several_headers_are_one_list() -> None:
    assert negotiate(asked("", "application/json;q=0.5", "text/csv")) is CSV


def test_the_parameter_wins_over_the_header() -> None:
    assert negotiate(asked("format=json", "text/csv")) is None
    assert negotiate(asked("format=arrow", "text/html")) is ARROW


@pytest.mark.parametrize("query", ["format=xml", "format=", "format=CSV", "format=csv&format=csv"])
def test_an_unknown_form_is_refused_by_the_name_of_the_parameter(query: str) -> None:
    with pytest.raises(RefusedError) as caught:
        negotiate(asked(query))
    assert (caught.value.code, caught.value.field) == ("bad_value", "format")


def test_the_other_parameters_are_left_for_those_who_know_them() -> None:
    assert other_parameters(asked("kind=a&format=csv&kind=b")) == [("kind", "a"), ("kind", "b")]


def test_an_endless_accept_is_read_in_no_time() -> None:
    assert accepted("a/b;" + '"' * 60_000) is None
    assert accepted("application/json," + "a/b;x=y," * 10_000) is None
