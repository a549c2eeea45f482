"""Runs a ClickHouse server out of libchdb.so: `clickhouse_server.py LIBRARY CONFIG_FILE`.

The library holds clickhouse-local, which can listen. It runs in a process of its own because it
takes the process over: signals, threads, exit. Ends on SIGTERM.
"""

import ctypes
import sys

# The query keeps the process alive for eleven days. Without blocks of 100 rows, one block would
# sleep longer than allowed and the query be refused (Code 160).
_LISTEN = (
    "SYSTEM START LISTEN QUERIES ALL;"
    " SELECT sleepEachRow(1) FROM numbers(1000000)"
    " SETTINGS max_block_size=100, function_sleep_max_microseconds_per_block=600000000"
    " FORMAT Null"
)


def main(library_path: str, config_path: str) -> None:
    """Serve until SIGTERM; what goes wrong is on the standard error of the library."""
    arguments = [
        b"clickhouse",
        f"--config-file={config_path}".encode(),
        f"--query={_LISTEN}".encode(),
    ]
    run = ctypes.CDLL(library_path).query_stable_v2
    run.restype = ctypes.c_void_p
    run.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    run(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
