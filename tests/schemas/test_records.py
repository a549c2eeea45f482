"""What the table of kinds says, and that the other tables say the same."""

from typing import Any

import pytest

from schemas.events import EVENT_TYPES
from schemas.kinds import CLI_INSTANCE, Flag, Kind, Status
from schemas.limits import US_PER_MS, US_PER_S
from schemas.records import COMMON_FIELDS, RECORD_KINDS, OwnField, own_columns
from tests.schemas.golden_content import field_names, newest_version


def test_every_kind_of_record_has_its_line_and_cli_instances_have_none() -> None:
    assert list(RECORD_KINDS) == list(Kind)
    assert EVENT_TYPES.keys() == {*Kind, CLI_INSTANCE}
    assert all(spec.kind is kind for kind, spec in RECORD_KINDS.items())


def test_a_field_inside_another_has_both_names_in_its_column() -> None:
    assert OwnField("host.inventory_name").column == "host_inventory_name"
    assert OwnField("block").column == "block"


def test_own_columns_are_those_of_all_kinds_and_shared_ones_come_once() -> None:
    assert {name: field.type for name, field in own_columns().items()} == {
        "block": "string",
        "block_from": "string",
        "block_name": "string",
        "block_version": "string",
        "action": "string",
        "exit_code": "integer",
        "commit_sha": "string",
        "retriggered_from": "string",
        "host_inventory_name": "string",
        "host_ansible_host": "string",
        "host_hostname_reported": "string",
        "result": "string",
        "git_branch": "string",
        "git_before_sha": "string",
        "git_after_sha": "string",
        "encryption_enabled": "boolean",
        "encryption_key_id": "string",
        "encryption_status": "string",
    }


def test_kinds_that_share_a_column_mean_the_same_type_by_it() -> None:
    for spec in RECORD_KINDS.values():
        for field in spec.own_fields:
            assert own_columns()[field.column].type == field.type


def test_every_column_travels_on_the_log() -> None:
    newest = f"timeline_batch-{newest_version('timeline_batch')}"
    assert {*own_columns(), *COMMON_FIELDS} <= field_names(newest)["entry"]


@pytest.mark.parametrize("kind", Kind)
def test_every_field_of_the_table_is_a_field_of_the_event(kind: Kind) -> None:
    spec, names = RECORD_KINDS[kind], EVENT_TYPES[kind].__annotations__.keys()
    derived = {"block_name"}
    spans = {spec.start_field, spec.end_field, spec.duration_field} - {None}

    assert spans <= names
    assert set(COMMON_FIELDS) <= names
    assert spec.closing_fields <= names
    assert {field.path.split(".")[0] for field in spec.own_fields} - derived <= names


@pytest.mark.parametrize("kind", Kind)
def test_every_field_of_an_event_is_kept_somewhere(kind: Kind) -> None:
    spec, names = RECORD_KINDS[kind], set(EVENT_TYPES[kind].__annotations__)
    kept = {field.path.split(".")[0] for field in spec.own_fields} | set(COMMON_FIELDS)
    # Where it belongs, what only orders or is derived anew, and the span.
    elsewhere = {"type", "id", "organization", "workspace", "client_seq", "status"}
    span = {spec.start_field, spec.end_field, spec.duration_field}

    assert names - kept - elsewhere - span == set()


def test_durations_are_in_the_unit_of_their_name() -> None:
    units = {spec.duration_field: spec.duration_unit_us for spec in RECORD_KINDS.values()}

    assert units["duration_ms"] == US_PER_MS
    assert units["duration_seconds"] == US_PER_S


@pytest.mark.parametrize(
    ("kind", "fields", "is_open", "status"),
    [
        (Kind.ACTION_RUN, {}, True, Status.RUNNING),
        (Kind.ACTION_RUN, {"exit_code": 0}, True, Status.RUNNING),
        (Kind.ACTION_RUN, {"exit_code": 0}, False, Status.SUCCESSFUL),
        (Kind.ACTION_RUN, {"exit_code": 1}, False, Status.FAILED),
        (Kind.ACTION_RUN, {"exit_code": -1}, False, Status.FAILED),
        (Kind.ACTION_RUN, {}, False, Status.ABORTED),
        (Kind.ACTION_RUN, {"exit_code": 0, "status": "failed"}, False, Status.FAILED),
        (Kind.ACTION_RUN, {"exit_code": 1, "status": "aborted"}, False, Status.ABORTED),
        (Kind.SSH_SESSION, {}, True, Status.RUNNING),
        (Kind.SSH_SESSION, {"exit_code": 255}, True, Status.RUNNING),
        (Kind.SSH_SESSION, {}, False, Status.ENDED),
        (Kind.SSH_SESSION, {"exit_code": 0}, False, Status.ENDED),
        (Kind.SSH_SESSION, {"exit_code": 254}, False, Status.ENDED),
        (Kind.SSH_SESSION, {"exit_code": 255}, False, Status.FAILED),
        (Kind.SSH_SESSION, {"exit_code": 256}, False, Status.ENDED),
        (Kind.WORKSPACE_SYNC, {"result": "success"}, False, Status.SUCCESSFUL),
        (Kind.WORKSPACE_SYNC, {"result": "failed"}, False, Status.FAILED),
        (Kind.WORKSPACE_SYNC, {"result": "conflict"}, False, Status.FAILED),
    ],
)
def test_the_status_follows_from_end_exit_code_and_result(
    kind: Kind, fields: dict[str, Any], is_open: bool, status: Status
) -> None:
    assert RECORD_KINDS[kind].status(fields, is_open) is status


@pytest.mark.parametrize(
    ("fields", "columns", "flags"),
    [
        ({}, {}, ()),
        ({"block_version": "1.4.0"}, {}, ()),
        (
            {"block_from": "infra/nginx:0.3.1", "block_version": "1.4.0"},
            {"block_name": "infra/nginx", "block_version": "0.3.1"},
            (),
        ),
        (
            {"block_from": "nginx", "block_version": "1.4.0"},
            {"block_name": "nginx", "block_version": "1.4.0"},
            (),
        ),
        (
            {"block_from": "nginx"},
            {"block_name": "nginx", "block_version": ""},
            (Flag.FLOATING_VERSION,),
        ),
        (
            {"block_from": "nginx:latest"},
            {"block_name": "nginx", "block_version": "latest"},
            (Flag.FLOATING_VERSION,),
        ),
    ],
)
def test_block_name_and_version_follow_from_the_reference(
    fields: dict[str, Any], columns: dict[str, str], flags: tuple[Flag, ...]
) -> None:
    assert RECORD_KINDS[Kind.ACTION_RUN].derive(fields) == (columns, flags)


@pytest.mark.parametrize("kind", [Kind.SSH_SESSION, Kind.WORKSPACE_SYNC])
def test_nothing_is_derived_for_the_other_kinds(kind: Kind) -> None:
    assert RECORD_KINDS[kind].derive({"block_from": "nginx"}) == ({}, ())
