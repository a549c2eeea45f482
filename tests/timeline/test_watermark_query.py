from timeline.watermark_query import Watermark, complete_until


def test_the_timeline_is_complete_up_to_its_slowest_partition() -> None:
    assert complete_until({0: Watermark(7, 300), 1: Watermark(-1, 200)}, 2) == 200


def test_nothing_is_promised_while_a_partition_is_unknown() -> None:
    assert complete_until({}, 1) is None
    assert complete_until({0: Watermark(7, 300)}, 2) is None
    assert complete_until({0: Watermark(7, 300), 1: Watermark(-1, None)}, 2) is None


def test_partitions_of_another_count_do_not_matter() -> None:
    assert complete_until({0: Watermark(7, 300), 5: Watermark(1, 1)}, 1) == 300
