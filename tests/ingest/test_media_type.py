import pytest

from ingest.media_type import MediaType, read_media_type
from runtime.http import Problem


@pytest.mark.parametrize("media_type", list(MediaType))
def test_the_media_types_of_the_contract_are_known(media_type: MediaType) -> None:
    assert read_media_type([media_type.value]) is media_type


@pytest.mark.parametrize(
    "stated",
    [
        "Application/JSON",
        " application/json ",
        "application/json;",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; profile=x ; CHARSET=Utf-8",
        'application/json; note="a;b=\\"c"; charset=utf-8',
    ],
)
def test_case_and_parameters_do_not_matter(stated: str) -> None:
    assert read_media_type([stated]) is MediaType.JSON


@pytest.mark.parametrize(
    "stated",
    [
        [],
        [""],
        ["text/json"],
        ["application/jsonx"],
        ["application/json, application/json"],
        ["application/json", "application/json"],
        ["application/json; charset=utf-16"],
        ["application/json; charset="],
        ["application/json; charset"],
        ["application/json; charset=utf-8; charset=latin-1"],
        ['application/json; charset="utf-8'],
        ["application/json; =x"],
    ],
)
def test_everything_else_is_unsupported_and_told_what_is_accepted(stated: list[str]) -> None:
    with pytest.raises(Problem) as raised:
        read_media_type(stated)

    assert raised.value.status == 415
    assert raised.value.headers["Accept-Post"] == (
        "application/json, application/x-ndjson, application/cloudevents+json,"
        " application/cloudevents-batch+json"
    )
