"""The alert rules name metrics that there are, and pages that say what to do."""

import re
import shutil
import subprocess
from typing import Any, Final

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

import runtime.metrics
from tests.deploy.deployment import DEPLOY, ROOT

ALERTS: Final = DEPLOY / "prometheus" / "alerts.yml"
# Prometheus's own, and the node exporter's.
_OTHERS: Final = {
    "up": set[str](),
    "node_filesystem_avail_bytes": {"fstype", "mountpoint"},
    "node_filesystem_size_bytes": {"fstype", "mountpoint"},
}
_FROM_SCRAPING: Final = {"job", "instance"}
_WORDS: Final = {"absent", "by", "increase", "max", "rate", "sum"}
_SELECTOR: Final = re.compile(r"([A-Za-z_:]\w*)\{([^}]*)\}")
_LABEL: Final = re.compile(r'(\w+)\s*(?:=|!=|=~|!~)\s*"')
_GROUPING: Final = re.compile(r"by \(([^)]*)\)")
_TEXT: Final = re.compile(r'"[^"]*"')
_DURATION: Final = re.compile(r"\[\d+[smh]\]")


def _labels_by_name() -> dict[str, set[str]]:
    """Of every series as Prometheus stores it, with its own labels."""
    found = dict(_OTHERS)
    for metric in vars(runtime.metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
            for end in ends.get(described.type, [""]):
                found[described.name + end] = set(metric._labelnames)
    return found


def _rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load(ALERTS.read_text())
    assert set(loaded) == {"groups"}
    return [rule for group in loaded["groups"] for rule in group["rules"]]


each_rule = pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])


def test_every_rule_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in _rules()]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"Opstrail[A-Za-z]+", name) for name in names)


@each_rule
def test_a_rule_is_about_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    known = _labels_by_name()
    selected = _SELECTOR.findall(rule["expr"])

    assert selected
    labels = set(_FROM_SCRAPING)
    for name, matchers in selected:
        assert name in known, name
        labels |= known[name]
        assert set(_LABEL.findall(matchers)) <= known[name] | _FROM_SCRAPING
        assert 'job="opstrail' in matchers
    grouped = {
        label.strip() for each in _GROUPING.findall(rule["expr"]) for label in each.split(",")
    }
    assert grouped <= labels
    # Nothing is selected without its braces, so nothing was overlooked above.
    rest = _GROUPING.sub("by ()", _DURATION.sub("", _TEXT.sub("", _SELECTOR.sub("", rule["expr"]))))
    assert set(re.findall(r"[A-Za-z_]\w*", rest)) <= _WORDS


@each_rule
def test_a_rule_says_how_bad_it_is_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "action", "runbook"}
    assert all(rule["annotations"].values())
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+m", rule.get("for", "0m"))


@each_rule
def test_a_text_names_labels_that_the_rule_leaves(rule: dict[str, Any]) -> None:
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    grouped = _GROUPING.findall(rule["expr"])
    known = _labels_by_name()
    left = _FROM_SCRAPING.union(*(known[name] for name, _ in _SELECTOR.findall(rule["expr"])))
    if grouped:
        left = {label.strip() for each in grouped for label in each.split(",")}

    assert shown <= left


@each_rule
def test_a_rule_leads_to_a_section_that_there_is(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    text = (ROOT / page).read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)

    assert anchor in [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings]


def test_every_value_a_rule_looks_for_counts_from_zero() -> None:
    """Else the first one of a sort would be no increase."""
    dead_letters = {labels[0] for labels in runtime.metrics.DEAD_LETTERS._metrics}
    rejected = {labels[0] for labels in runtime.metrics.EVENTS_REJECTED._metrics}

    assert {"undecodable", "foreign_snapshot", "conflicting_snapshot"} <= dead_letters
    assert "looks_like_secret" in rejected


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine")
    subprocess.run([promtool, "check", "rules", str(ALERTS)], check=True, timeout=60)
