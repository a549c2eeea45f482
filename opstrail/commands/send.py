"""`opstrail send`: post a file of events."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import click

from opstrail.client import Client, client_of
from opstrail.progress_bar import count_progress
from runtime.errors import EXIT_REFUSED, RefusedError
from runtime.settings import Settings
from schemas.limits import EVENT_BYTES_MAX

_EVENTS_PER_REQUEST: Final = 1_000
_BYTES_PER_REQUEST_MAX: Final = 4 * 1024 * 1024
_REJECTIONS_SHOWN: Final = 20
NDJSON: Final = "application/x-ndjson"


@click.command("send")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--wait",
    "wait_s",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for the timeline to show them.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(settings: Settings, file: BinaryIO, wait_s: float, as_json: bool) -> None:
    """Send the events in FILE (- for standard input): NDJSON, a JSON array or one JSON object.

    Sending a file again changes nothing. Needs OPSTRAIL_URL and OPSTRAIL_KEY.

    \b
    Example:  opstrail send events.ndjson --wait 10
    """
    client = client_of(settings)
    lines = _lines(file)
    accepted, codes = 0, Counter[str]()
    rejections: list[dict[str, Any]] = []
    positions: list[str] = []
    base = 0
    is_shown = sys.stderr.isatty() and not as_json
    with count_progress(is_shown=is_shown, is_passing=True) as progress:
        task = progress.add_task("sending", total=None)
        for batch in _batches(lines):
            answer = client.send(b"\n".join(batch), NDJSON)
            accepted += answer.get("accepted", 0)
            if "position" in answer:
                positions.append(answer["position"])
            for rejected in answer.get("rejected", []):
                codes[rejected["code"]] += 1
                if len(rejections) < _REJECTIONS_SHOWN:
                    rejections.append({**rejected, "index": base + rejected["index"]})
            base += len(batch)
            progress.update(task, completed=base)
    if base == 0:
        raise RefusedError("the file holds no event")
    is_visible = _wait(client, positions, wait_s)
    client.close()
    _report(as_json, accepted, codes, rejections, positions, is_visible)
    if codes:
        sys.exit(EXIT_REFUSED)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """One event a line, whatever of the three forms the file has."""
    first = b""
    for line in file:
        if line.strip():
            first = line
            break
    if not first:
        return
    if first.lstrip().startswith(b"[") or not _is_json(first):
        try:
            whole = json.loads(first + file.read())
        except (ValueError, RecursionError) as error:
            raise RefusedError("neither NDJSON nor JSON; is the file complete?") from error
        for event in whole if isinstance(whole, list) else [whole]:
            yield json.dumps(event, ensure_ascii=True).encode()
        return
    yield first.strip()
    for line in file:
        if line.strip():
            yield line.strip()


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        # One line over the limit still goes, to be refused by the server like any other.
        if batch and (
            len(batch) == _EVENTS_PER_REQUEST
            or size + min(len(line), EVENT_BYTES_MAX) > _BYTES_PER_REQUEST_MAX
        ):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _wait(client: Client, positions: list[str], wait_s: float) -> bool | None:
    """Whether all requests are on the timeline: each may have landed in another partition."""
    if not positions or wait_s <= 0:
        return None
    deadline_s = time.monotonic() + wait_s
    return all(
        client.wait_until_visible(position, max(0.0, deadline_s - time.monotonic()))
        for position in positions
    )


def _report(
    as_json: bool,
    accepted: int,
    codes: Counter[str],
    rejections: list[dict[str, Any]],
    positions: list[str],
    is_visible: bool | None,
) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "accepted": accepted,
                    "rejected": codes.total(),
                    "codes": dict(codes),
                    "first_rejections": rejections,
                    "positions": positions,
                    "visible": is_visible,
                }
            )
        )
        return
    click.echo(f"{accepted} accepted, {codes.total()} rejected")
    for rejected in rejections:
        field = f" {rejected['field']}" if "field" in rejected else ""
        click.echo(f"  event {rejected['index']}: {rejected['code']}{field}: {rejected['detail']}")
    if codes.total() > len(rejections):
        click.echo(f"  … and {codes.total() - len(rejections)} more")
    if is_visible is not None:
        click.echo("on the timeline" if is_visible else "accepted, but not on the timeline yet")
