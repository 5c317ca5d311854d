"""docs/guides/operate.md has a paragraph for each alert, and names nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/operate.md").read_text(encoding="utf-8")
RULES = ROOT / "examples/deploy/prometheus/alerts.yml"
HEADING = re.compile(r"^### (Schedsync\w+)\n\n(.+?)(?=\n\n#)", flags=re.MULTILINE | re.DOTALL)


def test_each_alert_has_one_paragraph() -> None:
    paragraphs = dict(HEADING.findall(PAGE))

    assert len(paragraphs) == PAGE.count("\n### ")
    assert {name: text for name, text in paragraphs.items() if "\n\n" in text or len(text) < 100} == {}


def test_each_rule_has_its_heading() -> None:
    if not RULES.exists():
        pytest.skip("there are no rules for Prometheus")
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]

    assert [name for name, _ in HEADING.findall(PAGE)] == [rule["alert"] for rule in rules]


def test_the_page_names_loggers_and_roles_that_exist() -> None:
    loggers = set(re.findall(r"`schedsync\.beat\.(\w+)`", PAGE))
    roles = set(re.findall(r"`(schedsync_\w+)`", PAGE))
    sql = (ROOT / "examples/deploy/roles/postgresql.sql").read_text()

    assert {name for name in loggers if (ROOT / f"schedsync/beat/{name}.py").exists()} == loggers
    assert roles == set(re.findall(r"'(schedsync_\w+)'", sql))


def test_the_names_of_the_services_are_those_of_the_examples() -> None:
    names = set(re.findall(r"`(?:systemctl \w+|supervisorctl \w+|kubectl \w+ (?:\w+ )?deployment/) ?(\S+?)[` ]", PAGE))

    assert names == {"shop-beat"}
