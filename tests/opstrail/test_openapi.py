"""The API's document: valid, whole, the same everywhere, and its examples hold what it says."""

import asyncio
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import jsonschema
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_30_VALIDATOR, OPENAPI_31_VALIDATOR
from starlette.applications import Starlette
from starlette.routing import Route

from control.authenticator import Principal
from ingest.app import ingest_routes
from opstrail.http_app import build_http_app
from opstrail.openapi import OPERATIONS, SCHEMAS, openapi_document
from opstrail.openapi_30 import as_openapi_30
from opstrail.story import story
from query.app import query_routes
from runtime.key_rates import key_rates
from runtime.operation import JsonSchema, Operation
from runtime.settings import Settings
from schemas.kinds import ActorKind
from tests.support.access_log import failures, recorder
from timeline.filters import FILTERS

DOCUMENT = openapi_document()
SETTINGS = Settings()
# What others may extend, and OpenAPI's own document.
OPEN_OBJECTS = {"CloudEvent"}


class NobodysKey:
    """A key that is good and may do nothing."""

    async def authenticate(self, token: str) -> Principal:
        return Principal(
            organization="acme",
            actor="nobody",
            actor_kind=ActorKind.PERSON,
            key_id="key",
            roles=frozenset(),
            workspace_patterns=None,
        )


def ingest_side(settings: Settings = SETTINGS) -> list[Route]:
    return ingest_routes(
        authenticator=NobodysKey(),
        failed_authentications=failures(),
        log=cast("Any", None),
        position_secret=b"",
        clock=lambda: 0,
        settings=settings,
    )


def query_side(settings: Settings = SETTINGS) -> list[Route]:
    services = SimpleNamespace(
        authenticator=NobodysKey(),
        failed_authentications=failures(),
        access=recorder(),
        rates=key_rates(settings),
    )
    return query_routes(cast("Any", services))


def everything(settings: Settings = SETTINGS) -> Starlette:
    return build_http_app([*ingest_side(settings), *query_side(settings)])


def ask(app: Starlette, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(asked())


def check(value: Any, schema: JsonSchema) -> None:
    """Raises jsonschema's error, also for formats."""
    whole = {**schema, "components": {"schemas": dict(SCHEMAS)}}
    validator = jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(value)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner)


def filled(operation: Operation) -> str:
    """The operation's path with the examples of its parameters."""
    examples = {parameter.name: parameter.example for parameter in operation.parameters}
    return re.sub(r"\{(\w+)\}", lambda found: str(examples[found[1]]), operation.path)


def test_the_document_is_openapi_31_and_its_schemas_are_json_schema() -> None:
    OPENAPI_31_VALIDATOR.validate(DOCUMENT)
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_document_of_the_page_is_openapi_30_of_the_same_operations() -> None:
    older = as_openapi_30(DOCUMENT)

    OPENAPI_30_VALIDATOR.validate(older)
    assert older["paths"].keys() == DOCUMENT["paths"].keys()
    assert older["components"]["schemas"].keys() == SCHEMAS.keys()
    assert not [node for node in nodes(older) if isinstance(node.get("type"), list)]
    assert openapi_document() == DOCUMENT, "translating changes nothing of the original"


def test_every_route_has_its_operation_and_every_operation_its_route() -> None:
    routes = [
        (method, route.path)
        for route in everything().routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    ]

    assert len(routes) == len(set(routes))
    assert {(operation.method, operation.path) for operation in OPERATIONS} == set(routes)
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_an_operation_says_which_role_its_key_takes(operation: Operation) -> None:
    app = everything()
    if operation.role is None:
        if operation.path != "/metrics":
            assert ask(app, filled(operation)).status_code == 200
        return

    assert ask(app, filled(operation), operation.method).status_code == 401
    refused = ask(app, filled(operation), operation.method, Authorization="Bearer key")
    assert refused.status_code == 403
    assert f"`{operation.role}`" in refused.json()["detail"]


def test_the_processes_of_the_distributed_system_serve_the_same_document() -> None:
    served = [
        ask(build_http_app(cast("Any", routes)), "/openapi.json")
        for routes in (ingest_side(), query_side())
    ]

    assert [answer.json() for answer in served] == [DOCUMENT, DOCUMENT]
    assert served[0].headers["content-type"] == "application/json"


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    referred = {node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node}
    components = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers")
        for name in DOCUMENT["components"][kind]
    }

    assert referred == components


def test_objects_are_closed_wherever_their_members_are_known() -> None:
    for name, schema in SCHEMAS.items():
        for node in nodes(schema):
            if isinstance(node.get("properties"), dict) and "type" in node:
                assert node["additionalProperties"] is (name in OPEN_OBJECTS), name


def test_every_example_is_what_its_schema_says() -> None:
    checked = 0
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            if parameter.example is not None:
                check(parameter.example, parameter.schema)
        contents = [answer.content for answer in operation.answers.values()]
        if operation.body is not None:
            contents.append(operation.body.content)
        for by_media_type in contents:
            for content in by_media_type.values():
                for example in content.examples.values():
                    assert content.schema is not None
                    check(example, content.schema)
                    checked += 1
    assert checked > 20


def test_every_answer_with_a_body_of_json_has_a_schema() -> None:
    for operation in OPERATIONS:
        for answer in operation.answers.values():
            for media_type, content in answer.content.items():
                assert content.schema is not None or "json" not in media_type


def test_a_list_documents_the_filters_it_reads() -> None:
    (listing,) = (operation for operation in OPERATIONS if operation.path == "/v1/timeline")

    assert {parameter.name for parameter in listing.parameters} == {*FILTERS, "format"}


EVENTS = [event for _, events in story() for event in events]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["id"])
def test_the_events_of_the_story_are_events(event: dict[str, Any]) -> None:
    check(event, SCHEMAS["Event"])
    for wrong in (
        {"stdout": "x"},
        {"workspace": "a b"},
        {"type": "cli"},
        {"id": "1"},
        {"reason": ""},
        {"ticket": "a\u202eb"},
        {"client_seq": -1},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check({**event, **wrong}, SCHEMAS["Event"])
    check({**event, "reason": None}, SCHEMAS["Event"])
