import math
from collections.abc import Mapping

from processors.correlate_lag import CorrelateLag

S = 1_000_000


class Watched:
    """A lag with a clock and log ends of its own; times in seconds."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.ends: dict[int, int] = {}
        self.asked = 0
        self.lag = CorrelateLag(lambda: int(self.now_s * S))

    def known_ends(self) -> Mapping[int, int]:
        self.asked += 1
        return self.ends

    def handled(self, partition: int, offset: int, received_s: float) -> None:
        self.lag.handled(partition, offset, int(received_s * S))

    @property
    def seconds(self) -> float:
        return self.lag.seconds(self.known_ends)


def test_it_is_the_time_since_the_newest_that_was_handled_while_more_waits() -> None:
    watched = Watched()
    watched.lag.start({0: 5})
    watched.ends = {0: 8}
    watched.handled(0, 5, received_s=900)

    assert watched.seconds == 100
    watched.now_s = 1_010
    assert watched.seconds == 110
    watched.handled(0, 6, received_s=1_000)
    assert watched.seconds == 10
    watched.handled(0, 7, received_s=1_001)
    assert watched.seconds == 0


def test_after_a_quiet_night_it_counts_from_when_it_was_last_known_that_nothing_waits() -> None:
    watched = Watched()
    watched.lag.start({0: 5})
    watched.ends = {0: 6}
    watched.handled(0, 5, received_s=1_000)
    watched.now_s = 30_000
    assert watched.seconds == 0

    watched.ends = {0: 7}
    watched.now_s = 30_004
    assert watched.seconds == 4


def test_the_partition_that_is_furthest_behind_counts() -> None:
    watched = Watched()
    watched.lag.start({0: 5, 1: 5, 2: 5})
    watched.ends = {0: 9, 1: 9, 2: 6}
    for partition, received_s in ((0, 970), (1, 960), (2, 1)):
        watched.handled(partition, 5, received_s=received_s)

    assert watched.seconds == 40


def test_a_partition_whose_end_is_not_known_is_not_behind() -> None:
    watched = Watched()
    watched.lag.start({0: 5})
    watched.now_s = 2_000

    assert watched.seconds == 0


def test_what_went_to_another_worker_is_forgotten() -> None:
    watched = Watched()
    watched.lag.start({0: 5, 1: 5})
    watched.ends = {0: 9, 1: 9}
    watched.now_s = 1_050
    assert watched.seconds == 50

    watched.lag.start({1: 9})
    watched.handled(0, 5, received_s=1)
    assert watched.seconds == 0


def test_what_could_not_be_read_is_passed_and_tells_no_time() -> None:
    watched = Watched()
    watched.lag.start({0: 5})
    watched.ends = {0: 7}
    watched.handled(0, 5, received_s=990)
    watched.handled(0, 6, received_s=0)
    assert watched.seconds == 0
    assert watched.lag.newest_age_s() == 10


def test_a_message_that_comes_again_sets_nothing_back() -> None:
    watched = Watched()
    watched.lag.start({0: 5})
    watched.ends = {0: 7}
    watched.handled(0, 6, received_s=990)
    watched.handled(0, 5, received_s=980)

    assert watched.seconds == 0


def test_the_log_is_not_asked_before_there_is_a_partition() -> None:
    watched = Watched()

    assert watched.seconds == 0
    assert watched.asked == 0


def test_the_newest_envelope_ages_and_is_of_no_age_before_there_is_one() -> None:
    watched = Watched()
    assert math.isnan(watched.lag.newest_age_s())

    watched.lag.start({0: 5})
    watched.handled(0, 5, received_s=990)
    watched.now_s = 1_005
    assert watched.lag.newest_age_s() == 15
