"""A process of ours as the benches run it: under a fast clock, and watched when asked to.

`python -m tests.bench.profiled --rate 1 --since EPOCH_US --into FILE -- correlate`; without a
profile FILE is empty.
"""

import sys
from pathlib import Path

from tests.bench.sampler import write_while_running
from tests.faults.fast_clock import option, run, split


def main() -> None:
    own, arguments = split(sys.argv[1:])
    into = option(own, "--into")

    def prepare() -> None:
        if into:
            write_while_running(Path(into))

    run(own, arguments, prepare)


if __name__ == "__main__":
    main()
