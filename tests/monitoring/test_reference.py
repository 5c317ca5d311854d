"""The reference of the metrics holds all of them, as they are exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from schedsync.monitoring.metrics import METRICS, Metric
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.monitoring.names import exported_names
from tests.monitoring.scraped import scrape
from tests.monitoring.test_alerts import promtool

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"


def rows() -> Iterator[str]:
    """Yield the lines of the page's table."""
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        yield f"| {names(metric)} | {metric.kind} | {labels} | {metric.help} |"


def names(metric: Metric) -> str:
    return ", ".join(f"`{name}`" for name in sorted(exported_names([metric]), reverse=True))


def test_the_page_has_each_metric_with_its_help_text() -> None:
    assert "\n".join(rows()) in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_has_its_unit_and_the_help_is_a_sentence(metric: Metric) -> None:
    assert metric.name.startswith("schedsync_")
    assert metric.help.endswith(".")
    assert metric.name.endswith("_timestamp_seconds") == metric.help.startswith(
        ("When ", "Start of", "The next", "The last", "The tick")
    )


@pytest.mark.one_database
@override_settings(SCHEDSYNC_METRICS_SCHEDULES=["*"])
def test_prometheus_finds_nothing_to_blame_in_a_scrape(using: str, clock: Any, tmp_path: Path) -> None:
    make(using, "x", TIMINGS["each minute"])
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.heartbeat._next = 0.0
    beat.step()
    found = scrape(using)
    done = promtool("check", "metrics", cwd=tmp_path, text=found.text)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert {sample.name for sample in found.samples} <= exported_names(METRICS)
    assert len(found.families) > 30
