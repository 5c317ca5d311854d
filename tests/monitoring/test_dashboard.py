"""The dashboard for Grafana: its expressions are right, and use metrics that exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from schedsync.monitoring.metrics import METRICS
from tests.monitoring.names import exported_names, names_in
from tests.monitoring.test_alerts import promtool

FILE = Path(__file__).parents[2] / "examples/deploy/grafana/dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())


def expressions(node: Any) -> Iterator[str]:
    """Yield all expressions below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


@pytest.mark.parametrize("expression", list(expressions(DASHBOARD)))
def test_each_expression_uses_metrics_that_exist(expression: str) -> None:
    assert names_in(expression)
    assert names_in(expression) <= exported_names(METRICS)
    assert '{job="$job"}' in expression


def test_prometheus_understands_each_expression(tmp_path: Path) -> None:
    texts = [text.replace("$__rate_interval", "5m").replace("$job", "s") for text in expressions(DASHBOARD)]
    rules = [{"record": f"dashboard:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", "rules.yml", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(texts) > 25


def test_each_panel_has_a_title_a_description_and_an_id() -> None:
    panels = DASHBOARD["panels"]

    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))


def test_no_panels_overlap() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        return {(column, row) for column in columns for row in rows}

    assert [
        (panel["title"], other["title"])
        for panel, other in combinations(DASHBOARD["panels"], 2)
        if cells(panel) & cells(other)
    ] == []
