"""Every row of the contract's table of statuses, and every kind of bad input, through HTTP."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import decode_envelope, encode_envelope
from schemas.position import read_position
from tests.ingest.edge import SECRET, SESSION_ID, Edge, session

NDJSON = "application/x-ndjson"
CLOUDEVENT = "application/cloudevents+json"
CLOUDEVENTS = "application/cloudevents-batch+json"
LENIENT = {"Prefer": "handling=lenient"}
MIB = 1024 * 1024


def cloudevent(data: Any = None, **changes: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": "1", "source": "/cli", "type": "anything", **changes}
    return event if data is None else {**event, "data": data}


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_an_object_is_accepted_and_its_position_says_where_it_landed(edge: Edge) -> None:
    answer = edge.post(session())

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejected"] == []
    assert read_position(SECRET, "default", answer.json()["position"]) == {0: 0}


def test_what_is_published_is_the_event_and_the_sender_of_the_key(edge: Edge) -> None:
    edge.post(session(user=None))

    (envelope,) = edge.log.envelopes
    assert decode_envelope(encode_envelope(envelope)) == envelope
    assert envelope.workspace == "acme-corp-automation"
    assert envelope.sender.actor == "admin"
    assert envelope.sender.key_id == "key-1"
    assert envelope.events[0].fields["host"]["inventory_name"] == "server01.acme-corp.com"


def test_an_array_keeps_its_good_events_when_one_is_bad(edge: Edge) -> None:
    answer = edge.post([session(), session(stdout="x"), 5, session()])

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    assert [(each["index"], each["code"]) for each in answer.json()["rejected"]] == [
        (1, "unknown_field"),
        (2, "not_an_object"),
    ]
    assert answer.json()["rejected"][0]["field"] == "stdout"
    assert answer.json()["rejected"][0]["id"] == SESSION_ID


def test_ndjson_takes_a_line_an_event_and_skips_blank_ones(edge: Edge) -> None:
    line = json.dumps(session()).encode()
    answer = edge.post(b"\r\n" + line + b"\r\n\n" + b"{nope\n" + line, NDJSON)

    assert answer.json()["accepted"] == 2
    assert [(each["index"], each["code"]) for each in answer.json()["rejected"]] == [
        (1, "not_json")
    ]


def test_a_cloudevent_carries_the_event_in_its_data(edge: Edge) -> None:
    assert edge.post(cloudevent(session()), CLOUDEVENT).json()["accepted"] == 1
    assert edge.post([cloudevent(session())] * 2, CLOUDEVENTS).json()["accepted"] == 2


def test_what_is_no_cloudevent_is_refused_alone_in_a_batch_and_whole_by_itself(edge: Edge) -> None:
    batch = [cloudevent(session()), {"specversion": "1.0"}, cloudevent(), "x"]
    answer = edge.post(batch, CLOUDEVENTS)

    assert answer.status_code == 202
    codes = [(each["index"], each["code"]) for each in answer.json()["rejected"]]
    assert codes == [(1, "not_a_cloudevent"), (2, "not_a_cloudevent"), (3, "not_a_cloudevent")]
    assert edge.post({"id": "1"}, CLOUDEVENT).status_code == 400
    no_data = edge.post(cloudevent(), CLOUDEVENT)
    assert no_data.status_code == 422
    assert no_data.json()["rejected"][0]["code"] == "not_a_cloudevent"
    assert edge.post(cloudevent(data_base64="eA=="), CLOUDEVENT).status_code == 422


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("identity", bytes),
    ],
)
def test_bodies_may_be_compressed(edge: Edge, encoding: str, compress: Any) -> None:
    body = compress(json.dumps(session()).encode())

    assert edge.post(body, headers={"Content-Encoding": encoding}).status_code == 202


def test_several_gzip_members_are_one_body(edge: Edge) -> None:
    line = json.dumps(session()).encode() + b"\n"
    body = gzip.compress(line) + gzip.compress(line)

    answer = edge.post(body, NDJSON, headers={"Content-Encoding": "gzip"})

    assert answer.json()["accepted"] == 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_broken_compressed_body_is_a_bad_request(edge: Edge, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    body = compress(json.dumps(session()).encode())
    headers = {"Content-Encoding": encoding}

    assert edge.post(body[:-6], headers=headers).status_code == 400
    assert edge.post(b"not compressed at all", headers=headers).status_code == 400


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_gigabyte_in_a_small_body_is_too_large_and_costs_no_memory(
    edge: Edge, encoding: str
) -> None:
    zeros = bytes(MIB)
    gzipper = zlib.compressobj(9, wbits=31)
    zstd = zstandard.ZstdCompressor().compressobj()
    packer = gzipper if encoding == "gzip" else zstd
    bomb = b"".join([packer.compress(zeros) for _ in range(1024)]) + packer.flush()
    assert len(bomb) < 2 * MIB

    tracemalloc.start()
    answer = edge.post(bomb, headers={"Content-Encoding": encoding})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.status_code == 413
    assert peak < 64 * MIB


def test_a_body_is_capped_while_it_comes_in(edge: Edge) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1024):
            taken += 1
            yield b" " * MIB

    assert edge.post(endless()).status_code == 413
    assert taken < 20


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "application/json"),
        (b"   \n", "application/json"),
        (b"[]", "application/json"),
        (b"", NDJSON),
        (b"\n\n", NDJSON),
        (b"[]", CLOUDEVENTS),
        (b"{}", CLOUDEVENTS),
        (b"5", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"{", "application/json"),
        (b"[{}", "application/json"),
        (b"[{}]x", "application/json"),
        (b"[1,]", "application/json"),
        (b'{"type": NaN}', "application/json"),
        (b"[NaN]", "application/json"),
        (b'[{"a": Infinity}]', "application/json"),
        (b'{"a": -Infinity}', "application/json"),
        (b"\xef\xbb\xbf[{}]", "application/json"),
        (b'[{"user": "\xff"}]', "application/json"),
        (b'{"user": "\xed\xa0\x80"}', NDJSON),
        (b"[" * 100_000, "application/json"),
        (b"[" * 50_000 + b"]" * 50_000, "application/json"),
    ],
)
def test_what_is_no_body_of_events_is_a_bad_request(
    edge: Edge, body: bytes, media_type: str
) -> None:
    answer = edge.post(body, media_type)

    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].startswith("urn:opstrail:problem:")
    assert edge.post(session()).status_code == 202


@pytest.mark.parametrize(
    ("media_type", "headers"),
    [
        (None, {}),
        ("text/plain", {}),
        ("application/xml", {}),
        ("application/json; charset=latin-1", {}),
        ("application/json; charset=utf-16", {}),
        ("json", {}),
        ("application/json", {"Content-Encoding": "br"}),
        ("application/json", {"Content-Encoding": "gzip, gzip"}),
    ],
)
def test_other_media_types_charsets_and_encodings_are_unsupported(
    edge: Edge, media_type: str | None, headers: dict[str, str]
) -> None:
    assert edge.post(b"[]", media_type, headers=headers).status_code == 415


def test_the_charset_may_be_stated(edge: Edge) -> None:
    assert edge.post(session(), 'application/json; charset="UTF-8"').status_code == 202


@pytest.mark.parametrize(
    ("key", "status"), [(None, 401), ("", 401), ("wrong", 401), ("reader", 403), ("sender", 202)]
)
def test_nothing_is_accepted_without_a_key_that_may_send(
    edge: Edge, key: str | None, status: int
) -> None:
    answer = edge.post(session(), key=key)

    assert answer.status_code == status
    assert len(edge.log.envelopes) == (status == 202)
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_other_methods_are_answered_as_problems(edge: Edge) -> None:
    answer = edge.post(b"", method="GET")

    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


def test_ten_thousand_events_are_taken_and_one_more_is_too_many(edge: Edge) -> None:
    line = json.dumps(session()).encode() + b"\n"

    assert edge.post(line * 10_000, NDJSON).json()["accepted"] == 10_000
    assert edge.post(line * 10_001, NDJSON).status_code == 413
    assert edge.post(b"[" + b",".join([b"{}"] * 10_001) + b"]").status_code == 413


def test_an_event_of_16_kib_is_read_and_one_byte_more_is_too_long(edge: Edge) -> None:
    body = json.dumps(session()).encode()
    padded = body[:-1] + b" " * (16 * 1024 - len(body)) + b"}"

    assert edge.post(padded).status_code == 202
    assert edge.post(padded, NDJSON).status_code == 202
    assert edge.post(b" " + padded + b" ").status_code == 202, "white space around is not counted"
    longer = padded[:-1] + b" }"
    for content, media_type in ((longer, "application/json"), (b"[" + longer + b"]", NDJSON)):
        answer = edge.post(content, media_type)
        assert answer.status_code == 422
    rejection = edge.post(longer).json()["rejected"][0]
    assert (rejection["code"], rejection["id"]) == ("too_long", SESSION_ID)
    wrapped = b'{"specversion":"1.0","id":"1","source":"/","type":"t","data":' + padded + b"}"
    assert edge.post(wrapped, CLOUDEVENT).status_code == 202, "only `data` is the event"
    assert edge.post(b"[" + wrapped + b"]", CLOUDEVENTS).status_code == 202


def test_when_the_log_is_away_the_answer_says_to_send_again(edge: Edge) -> None:
    edge.log.is_away = True

    answer = edge.post(session())

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["type"] == "urn:opstrail:problem:log_unavailable"


def test_of_a_name_that_occurs_twice_the_last_counts(edge: Edge) -> None:
    body = json.dumps(session()).encode()[:-1] + b', "user": "bob"}'

    edge.post(body)

    assert edge.log.envelopes[0].events[0].fields["user"] == "bob"


def test_null_is_the_same_as_absent(edge: Edge) -> None:
    event = session()
    event["host"]["ansible_host"] = None

    edge.post({**event, "ticket": None})

    fields = edge.log.envelopes[0].events[0].fields
    assert "ticket" not in fields
    assert "ansible_host" not in fields["host"]


@pytest.mark.parametrize("name", ["user", "reason"])
def test_a_lone_surrogate_is_a_bad_value_of_its_own_event_only(edge: Edge, name: str) -> None:
    good = json.dumps(session()).encode()
    bad = good[:-1] + b', "' + name.encode() + b'": "\\ud800"}'

    answer = edge.post(b"[" + good + b"," + bad + b"]")

    assert answer.json()["accepted"] == 1
    (rejection,) = answer.json()["rejected"]
    assert (rejection["index"], rejection["code"], rejection["field"]) == (1, "bad_value", name)


@pytest.mark.parametrize("number", [b"1e999", b"9" * 30, b"9" * 5_000, b"-1", b"0.5"])
def test_a_number_out_of_range_is_refused_with_its_event_only(edge: Edge, number: bytes) -> None:
    good = json.dumps(session()).encode()
    bad = good[:-1] + b', "client_seq": ' + number + b"}"

    answer = edge.post(b"[" + good + b"," + bad + b"]")

    assert answer.json()["accepted"] == 1
    (rejection,) = answer.json()["rejected"]
    assert rejection["field"] == "client_seq"
    assert rejection["code"] in {"bad_value", "wrong_type"}


def test_lenient_handling_drops_unknown_fields_unread_and_names_them(edge: Edge) -> None:
    event = session(stdout="ghp_0123456789abcdef0123", **{"<b>": 1})
    event["host"]["ip"] = "10.0.0.1"

    answer = edge.post([event], headers={"Prefer": 'respond-async, Handling="lenient"'})

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "handling=lenient"
    assert answer.json()["dropped"] == [{"index": 0, "fields": ["host.ip", "stdout"]}]
    fields = edge.log.envelopes[0].events[0].fields
    assert fields["fields_dropped"] is True
    assert "ghp_" not in repr(edge.log.envelopes)


def test_strict_handling_is_the_default(edge: Edge) -> None:
    assert edge.rejection_of(session(stdout="x"))["code"] == "unknown_field"
    answer = edge.post([session(stdout="x")], headers={"Prefer": "handling=strict"})
    assert answer.status_code == 422


def test_another_organization_than_the_keys_is_refused(edge: Edge) -> None:
    assert edge.post(session(organization="default")).status_code == 202
    assert edge.rejection_of(session(organization="acme"))["code"] == "wrong_organization"


def test_events_of_several_workspaces_travel_in_envelopes_of_their_own(edge: Edge) -> None:
    instance = {
        "type": "cli_instance",
        "id": "cli-8F3891B2",
        "cli_version": "0.8.4",
        "os": "linux",
        "arch": "amd64",
        "hostname": "alice-laptop",
    }

    answer = edge.post([session(), session(workspace="other"), instance, session()])

    assert answer.json()["accepted"] == 4
    assert [(each.key, len(each.events)) for each in edge.log.envelopes] == [
        ("default/acme-corp-automation", 2),
        ("default/other", 1),
        ("default/cli-8f3891b2", 1),
    ]


def test_envelopes_stay_below_the_limit_of_the_log(edge: Edge) -> None:
    long = dict.fromkeys(("user", "os_user", "hostname", "reason", "ticket"), "x" * 256)
    lines = b"\n".join(json.dumps(session(**long)).encode() for _ in range(4_000))

    edge.post(lines, NDJSON)

    sizes = [len(encode_envelope(envelope)) for envelope in edge.log.envelopes]
    assert len(sizes) > 1
    assert max(sizes) < 512_000


SECRETS = [
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
    "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQ",
    "ghp_0123456789abcdefABCDEF0123456789abcd",
    "gho_0123456789abcdefABCDEF0123456789abcd",
    "github_pat_11AAAAAAA0abcdefghijkl",
    "glpat-abcdefghij0123456789",
    "xoxb-123456789012-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "opstrail_0123456789abcdefABCDEF0123456789abcdef",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spelling", ["plain", "escaped", "inside"])
def test_what_looks_like_a_secret_is_refused_and_never_repeated(
    edge: Edge, secret: str, spelling: str, capfd: pytest.CaptureFixture[str]
) -> None:
    value = f"rotated {secret} today" if spelling == "inside" else secret
    text = json.dumps(value)
    if spelling == "escaped":
        text = '"' + "".join(f"\\u{ord(character):04x}" for character in value) + '"'
    body = json.dumps(session()).encode()[:-1] + b', "reason": ' + text.encode() + b"}"

    answer = edge.post(body)

    assert answer.status_code == 422
    (rejection,) = answer.json()["rejected"]
    assert (rejection["code"], rejection["field"]) == ("looks_like_secret", "reason")
    seen = answer.text + "".join(capfd.readouterr())
    assert secret not in seen
    assert secret[:16] not in seen


@pytest.mark.parametrize("name", ["id", "type", "workspace", "user", "cli_instance_id"])
def test_a_secret_in_any_known_field_is_not_repeated(edge: Edge, name: str) -> None:
    answer = edge.post([session(**{name: SECRETS[2]})])

    assert answer.status_code == 422
    assert SECRETS[2] not in answer.text
    assert answer.json()["rejected"][0]["code"] == "looks_like_secret"


def test_an_unknown_name_that_is_a_secret_is_not_repeated(edge: Edge) -> None:
    rejection = edge.rejection_of(session(**{SECRETS[2]: 1}))

    assert rejection["code"] == "unknown_field"
    assert "field" not in rejection


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "id", "host", "git", "user", "started_at"])
            | st.text(max_size=8),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
MEDIA_TYPES = st.sampled_from(["application/json", NDJSON, CLOUDEVENT, CLOUDEVENTS])


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200), media_type=MEDIA_TYPES)
def test_no_bytes_break_the_server(body: bytes, media_type: str) -> None:
    assert Edge().post(body, media_type).status_code in {202, 400, 413, 422}


@settings(max_examples=150, deadline=None)
@given(value=JSON_VALUES, media_type=MEDIA_TYPES)
def test_no_json_breaks_the_server(value: Any, media_type: str) -> None:
    body = json.dumps(value).encode()

    assert Edge().post(body, media_type).status_code in {202, 400, 422}


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(session())), value=JSON_VALUES)
def test_any_value_in_any_field_gets_one_verdict(name: str, value: Any) -> None:
    answer = Edge().post(json.dumps([{**session(), name: value}]).encode())

    assert answer.status_code in {202, 400, 422}
    if answer.status_code == 422:
        assert len(answer.json()["rejected"]) == 1
