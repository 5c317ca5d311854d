"""The alert rules: each fires where it should, and not where it should not, as Prometheus's own tool judges."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from schedsync.monitoring.metrics import METRICS
from tests.monitoring.names import exported_names, names_in

RULES = Path(__file__).parents[2] / "examples/deploy/prometheus/alerts.yml"
Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """Series of a job at which the alert fires, and such at which it must not, both at a time in minutes."""

    fires: Series
    quiet: Series
    at: int = 30


def gauge(name: str, bad: str, good: str, labels: str = "", at: int = 30) -> Case:
    """Return the case of a gauge that has a bad value all the time, or a good one."""
    series = f'schedsync_{name}{{job="s"{labels}}}'
    return Case({series: bad}, {series: good}, at)


BEAT = ',beat="b:1"'
LAG, SENT = f'schedsync_beat_lag_seconds{{job="s"{BEAT}}}', f'schedsync_beat_messages_sent_total{{job="s"{BEAT}}}'
LOSSES = f'schedsync_beat_lease_losses_total{{job="s"{BEAT}}}'
PAUSE = 'schedsync_oldest_pause_timestamp_seconds{job="s"}'
APPLY = 'schedsync_last_apply_timestamp_seconds{job="s",set="shop"}'
LEADERS, ALIVE = 'schedsync_leaders{job="s"}', 'schedsync_beats_alive{job="s"}'
MANAGED, DRIFTED = 'schedsync_schedules_managed{job="s"}', 'schedsync_schedules_drifted{job="s"}'
CASES: dict[str, list[Case]] = {
    "SchedsyncMetricsMissing": [
        Case({"up": "1x40"}, {'schedsync_database_up{job="s"}': "0x40"}),
        # One of two deployments is gone; and one of two Beats of a deployment.
        Case(
            {'schedsync_database_up{job="s"}': "1x10", 'schedsync_database_up{job="t"}': "1x40"},
            {
                'schedsync_database_up{job="s",instance="a"}': "1x10",
                'schedsync_database_up{job="s",instance="b"}': "1x40",
            },
        ),
    ],
    "SchedsyncDatabaseDown": [
        gauge("database_up", "0x40", "1x40"),
        # One of two Beats reads it; and a restart of the database.
        Case(
            {'schedsync_database_up{job="s"}': "0x40"},
            {
                'schedsync_database_up{job="s",instance="a"}': "0x40",
                'schedsync_database_up{job="s",instance="b"}': "1x40",
            },
        ),
        gauge("database_up", "1x26 0x10", "1x29 0x10"),
    ],
    "SchedsyncNoBeat": [gauge("beats_alive", "0x40", "1x40")],
    "SchedsyncBeatMissing": [gauge("beats_alive", "1x40", "2x40"), gauge("beats_alive", "1x40", "2x25 1x10")],
    "SchedsyncNoLeader": [
        Case({LEADERS: "0x40", ALIVE: "2x40"}, {LEADERS: "1x40", ALIVE: "2x40"}),
        # Without a Beat another alert fires; a failover takes seconds.
        Case({LEADERS: "0x40", ALIVE: "1x40"}, {LEADERS: "0x40", ALIVE: "0x40"}),
        Case({LEADERS: "0x40", ALIVE: "1x40"}, {LEADERS: "1x29 0x5", ALIVE: "2x40"}),
    ],
    "SchedsyncTwoSchedulers": [gauge("leaders", "2x40", "1x40"), gauge("leaders", "2x40", "1x29 2x1")],
    "SchedsyncBeatWarns": [gauge("beat_trouble", "1x40", "0x40", BEAT)],
    "SchedsyncOverdue": [gauge("schedules_overdue", "3x40", "0x40"), gauge("schedules_overdue", "3x40", "0x29 3x5")],
    "SchedsyncLate": [
        # A Beat that sends nothing more is not late again and again.
        Case({LAG: "45x40", SENT: "0+5x40"}, {LAG: "45x40", SENT: "5x40"}),
        Case({LAG: "45x40", SENT: "0+5x40"}, {LAG: "0.2x40", SENT: "0+5x40"}),
        # A schedule of each ten minutes is late too.
        Case({LAG: "45x40", SENT: "0x9 1x9 2x9 3x9 4x9"}, {LAG: "45x40", SENT: "0x9 1x40"}),
    ],
    "SchedsyncBrokerDown": [gauge("beat_broker_up", "0x40", "1x40", BEAT)],
    "SchedsyncNotSent": [gauge("schedules_failed", "1x40", "0x40")],
    "SchedsyncCannotRun": [gauge("schedules_broken", "2x40", "0x40")],
    "SchedsyncDrift": [
        gauge("schedules_drifted", "1x40", "0x40"),
        gauge("schedules_drifted", "1x40", "0x20 1x20"),
        # So much differs that it is not counted.
        Case({MANAGED: "9000x40"}, {MANAGED: "9000x40", DRIFTED: "0x40"}),
    ],
    "SchedsyncApplyFailed": [
        gauge("last_apply_failed", "1x40", "0x40", ',set="shop",reason="refused"'),
        # The pipeline tried again at once.
        Case(
            {'schedsync_last_apply_failed{job="s",set="shop",reason="stale"}': "1x40"},
            {
                'schedsync_last_apply_failed{job="s",set="shop",reason="stale"}': "1x27 stale",
                'schedsync_last_apply_failed{job="s",set="shop",reason=""}': "0x26 _x1 0x10",
            },
        ),
    ],
    # Time begins at 0 here, so that an old instant is a negative one.
    "SchedsyncApplyOld": [Case({APPLY: "-2700000x90"}, {APPLY: "-2500000x90"}, at=80)],
    "SchedsyncClockSkew": [
        gauge("beat_clock_skew_seconds", "1.5x40", "0.4x40", BEAT),
        gauge("beat_clock_skew_seconds", "-20x40", "-0.4x40", BEAT),
    ],
    "SchedsyncPausedLong": [Case({PAUSE: "-90000x40"}, {PAUSE: "-80000x40"})],
    "SchedsyncEverythingPaused": [
        gauge("everything_paused", "1x60", "0x60", at=50),
        gauge("everything_paused", "1x60", "0x25 1x60", at=50),
    ],
    "SchedsyncLeaseLost": [
        Case({LOSSES: "0+1x90"}, {LOSSES: "0x20 1x70"}, at=80),
        # The view and the port of the same Beat are scraped: nothing is counted twice.
        Case(
            {LOSSES: "0+1x90"},
            {LOSSES.replace("{", f'{{instance="{place}",'): "0x30 2x60" for place in ("view", "port")},
            at=80,
        ),
    ],
}


def rules() -> list[dict[str, Any]]:
    """Return the rules of the file."""
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    return found


def test_each_rule_is_tested() -> None:
    assert [rule["alert"] for rule in rules()] == list(CASES)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_has_a_severity_a_summary_and_its_paragraph(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"docs/guides/operate.md#{rule['alert'].lower()}"
    assert re.fullmatch(r"\d+[mh]", rule["for"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_expression_uses_metrics_that_exist(rule: dict[str, Any]) -> None:
    names = names_in(rule["expr"])

    assert names
    assert names <= exported_names(METRICS)


def promtool(*words: str, cwd: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool on a text, or on files; skip where this machine has none."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine: apt-get install prometheus")
    return subprocess.run(
        ["promtool", *words], cwd=cwd, input=text, capture_output=True, text=True, check=False, timeout=300
    )


def test_prometheus_accepts_the_rules() -> None:
    done = promtool("check", "rules", str(RULES), cwd=RULES.parent)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_where_it_should_and_not_where_it_should_not(tmp_path: Path) -> None:
    tests = [
        test
        for alert, cases in CASES.items()
        for case in cases
        for test in (as_test(alert, case, case.fires, fires=True), as_test(alert, case, case.quiet, fires=False))
    ]
    file = tmp_path / "alerts.test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = promtool("test", "rules", str(file), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def as_test(alert: str, case: Case, series: Series, *, fires: bool) -> dict[str, Any]:
    """Return a test for promtool: how many alerts of this name fire at the time of the case."""
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "name": f"{alert} {'fires' if fires else 'is quiet'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{case.at}m", "exp_samples": samples}],
    }
