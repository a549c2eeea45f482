"""docs/metrics.md says of every metric what the code says."""

from typing import Final

from prometheus_client.metrics import MetricWrapperBase

import runtime.metrics
from tests.docs.tables import DOCS, code, table_rows

_TOTAL: Final = "_total"


def _expected() -> dict[str, list[str]]:
    """By the name Prometheus stores it under; a histogram by the part before _bucket."""
    expected: dict[str, list[str]] = {}
    for metric in vars(runtime.metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            name = described.name + (_TOTAL if described.type == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "-"
            expected[name] = [described.type, labels, described.documentation]
    return expected


def test_the_table_lists_every_metric_as_it_is_and_no_other() -> None:
    rows = table_rows(DOCS / "metrics.md", "Metric")
    table = {code(row[0]): row[1:] for row in rows}

    assert table == _expected()
    assert len(rows) == len(table)


def test_every_label_is_explained() -> None:
    explained = {code(row[0]) for row in table_rows(DOCS / "metrics.md", "Label")}
    used = {
        label
        for metric in vars(runtime.metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for label in metric._labelnames
    }

    assert explained == used
