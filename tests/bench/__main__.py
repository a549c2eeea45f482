"""`make bench`: all benches, or one of them; then the page.

One after the other, since each wants the whole machine. What one found is kept when another fails.
"""

import argparse
import subprocess
import sys
from typing import Final

from tests.bench.installation import end_in_order
from tests.bench.page import BENCHES, write_page
from tests.support.services import REPOSITORY

_READ: Final = "read"
_END_WAIT_S: Final = 60.0
# Of a single function: prints what it found, and is no part of the page.
_KEY_CHECK: Final = "key_check"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="?", choices=[*BENCHES, _READ, _KEY_CHECK])
    parser.add_argument("--minutes", default="5", help="of the memory bench, each mode")
    parser.add_argument("--rows", default="10000000", help="of the history that is read")
    parser.add_argument("--full", action="store_true", help="the largest cases, too")
    options = parser.parse_args()
    end_in_order()
    full = ["--full"] if options.full else []
    arguments: dict[str, list[str]] = {
        "ingest": ["--profile"],
        "core": ["--profile", *full],
        "pipeline": ["--profile"],
        "size": full,
        "memory": ["--minutes", options.minutes],
        _KEY_CHECK: [],
        _READ: ["--rows", options.rows, "--write-docs"],
    }
    failed = [
        name
        for name in ([options.only] if options.only else [*BENCHES, _READ])
        # A process of its own: nothing of one bench is left in the next.
        if _run(name, arguments[name]) != 0
    ]
    write_page()
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", f"tests.bench.{name}", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY) as bench:
        try:
            return bench.wait()
        except BaseException:
            # It stops what it started, which a kill would leave behind.
            bench.terminate()
            bench.wait(_END_WAIT_S)
            raise


if __name__ == "__main__":
    sys.exit(main())
