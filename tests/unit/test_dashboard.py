"""The Grafana dashboard uses existing metrics and labels, and all metrics."""

import json
import pathlib
import re

from cinder_lite.observe import metrics

DASHBOARD = json.loads((pathlib.Path(__file__).parents[2] / "etc/grafana/cinder-lite.json").read_text())
EXPRESSIONS = [(panel["title"], target["expr"], target["legendFormat"])
               for panel in DASHBOARD["panels"] for target in panel["targets"]]
SUFFIXES = {metrics.COUNTER: ("_total",), metrics.GAUGE: ("",), metrics.HISTOGRAM: ("_bucket", "_count", "_sum")}
SERIES = {metrics.PREFIX + metric.name + suffix: metric for metric in (*metrics.COUNTED, *metrics.STANDING)
          for suffix in SUFFIXES[metric.kind]}
#: Labels that Prometheus and its histograms add.
ADDED = {"le", "instance"}


def names(expression):
    return re.findall(rf"{metrics.PREFIX}\w+", expression)


def test_every_panel_uses_existing_metrics():
    assert [(title, name) for title, expression, _ in EXPRESSIONS for name in names(expression)
            if name not in SERIES] == []


def test_every_metric_has_a_panel():
    asked = {SERIES[name].name for _, expression, _ in EXPRESSIONS for name in names(expression)}
    assert asked == {metric.name for metric in SERIES.values()}


def test_labels_are_those_of_the_metrics():
    wrong = []
    for title, expression, legend in EXPRESSIONS:
        there = set.intersection(*({*SERIES[name].labels, *ADDED} for name in names(expression)))
        grouped = {label for group in re.findall(r"by \(([\w, ]+)\)", expression) for label in group.split(", ")}
        matched = set(re.findall(r"(\w+)=~?\"", expression))
        wrong += [(title, label) for label in (grouped | matched | set(re.findall(r"\{\{(\w+)\}\}", legend))) - there]
    assert wrong == []


def test_every_panel_has_a_unique_id():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
