"""The dashboard and the alert rules: every figure in them is one that there is."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml

from tests.test_documents import anchors
from tests.webhooks.test_ledger_metrics import LABELS, described

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SELECTOR = re.compile(r"\b(waggle_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
HISTOGRAM = ("_bucket", "_sum", "_count")
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "waggle.json").read_text())


def figures():
    """Name of each series, and the labels that it has."""
    found = {"up": {"job", "instance"}}
    for name, kind, labels, _where, _text in described():
        has = set(filter(None, labels.split(", ")))
        if kind == "histogram":
            found |= {name + suffix: has | {"le"} for suffix in HISTOGRAM}
        else:
            found[name] = has
    return found


def targets():
    """Every question of the dashboard, with the panel that asks it."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


ASKED = [*((rule["alert"], rule["expr"]) for rule in RULES), *targets()]


@pytest.mark.parametrize(
    ("where", "expr"), ASKED, ids=[f"{a}-{n}" for n, (a, _) in enumerate(ASKED)]
)
def test_every_question_can_be_asked_and_answered(where, expr):
    """It parses, its figures exist, and so do the labels and the values that it picks by."""
    asked = expr.replace("$__rate_interval", "5m")
    promql_parser.parse(asked)
    known = figures()
    selected = SELECTOR.findall(asked)
    assert selected
    for name, matchers in selected:
        assert name in known, f"{where}: {name}"
        for label, _how, values in MATCHER.findall(matchers):
            assert label in known[name], f"{where}: {name}{{{label}}}"
            if label in LABELS:
                assert set(values.split("|")) <= {str(each) for each in LABELS[label]}, where
    labels = set.union(*(known[name] for name, _ in selected))
    for group in GROUPED.findall(asked):
        assert {label.strip() for label in group.split(",")} <= labels, where


def test_a_figure_that_is_gone_would_be_found():
    """The test above looks at names as they are."""
    assert SELECTOR.findall('sum(rate(waggle_x_total{a="b"}[5m])) / up') == [
        ("waggle_x_total", 'a="b"'),
        ("up", ""),
    ]
    assert "waggle_x_total" not in figures()


def test_every_figure_is_on_the_dashboard():
    """What is worth counting is worth seeing."""
    shown = {name for _, expr in targets() for name, _ in SELECTOR.findall(expr)}
    missing = [
        name
        for name, kind, *_ in described()
        if name not in shown and not (kind == "histogram" and f"{name}_bucket" in shown)
    ]
    assert [name for name in missing if f"{name}_sum" not in shown] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_and_where_to_read_on(rule):
    """In words, with a page whose section exists."""
    said = rule["annotations"]
    assert rule["alert"].startswith("Waggle")
    assert said["summary"]
    assert said["description"].endswith((".", "?"))
    assert rule["labels"]["severity"] in {"critical", "warning"}
    page, _, section = said["runbook"].partition("#")
    assert section in anchors(ROOT / page), said["runbook"]


def test_alerts_are_told_once():
    """Each has a name of its own."""
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


def test_the_dashboard_is_one_that_anybody_can_import():
    """The source of its data is chosen there; no panel lies on another, each says what it shows."""
    (choice,) = DASHBOARD["templating"]["list"]
    assert (choice["name"], choice["type"], choice["query"]) == (
        "datasource", "datasource", "prometheus",
    )  # fmt: skip
    assert DASHBOARD["schemaVersion"] >= 41
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert panel["datasource"]["uid"] == "${datasource}"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_the_example_of_a_scrape_can_be_read():
    """It names our job, which alerts rely on, and the file of the rules."""
    found = yaml.safe_load((DEPLOY / "prometheus" / "scrape.yml").read_text())
    assert found["scrape_configs"][0]["job_name"] == "waggle"
    assert (DEPLOY / "prometheus" / found["rule_files"][0]).exists()
