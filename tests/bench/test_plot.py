"""Plots are well-formed pictures with every point in them."""

import xml.etree.ElementTree as ET

import pytest

from tests.bench.plot import Line, Point, svg


@pytest.mark.parametrize("is_log", [False, True])
def test_a_plot_has_a_line_and_a_label_for_each_series(is_log: bool) -> None:
    lines = [
        Line("one <&>", [Point(1, 10, 9, 11), Point(100, 1_000, 900, 1_100)]),
        Line("two", [Point(10, 20, 20, 20)]),
    ]

    picture = ET.fromstring(svg("a & b", "x", lines, is_log_x=is_log, is_log_y=is_log))

    tags = [each.tag.rpartition("}")[2] for each in picture]
    assert tags.count("polyline") == 2
    assert {"one <&>", "two", "a & b"} <= {each.text for each in picture}
