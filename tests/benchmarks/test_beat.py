"""The benchmark of Beat counts and draws correctly; no measured figure is asserted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.beat.dispatch import Dispatch, Turn, best
from tests.benchmarks.beat.lateness import Lateness, of_gaps, of_ticks
from tests.benchmarks.beat.loading import Loading
from tests.benchmarks.beat.monitor import Arrival, arrivals
from tests.benchmarks.beat.page import TITLE, written
from tests.benchmarks.beat.plots import draw, plots
from tests.benchmarks.beat.results import Late, OfSize, Results
from tests.benchmarks.beat.scale import Scale

#: The start of a measurement whose first message arrives in the second before 100.
FIRST = Arrival("first", 99.5, 99.5, "0")
BEGIN = 102


def message(name: str, tick: str) -> str:
    headers = {"id": f"id of {name}", "periodic_task_name": name, "schedsync_tick": tick}
    return json.dumps({"body": 'a "quoted" \\ text', "headers": headers})


def test_all_messages_of_a_command_arrive_at_its_time(tmp_path: Path) -> None:
    file = tmp_path / "monitor"
    texts = [message("first", "1970-01-01T00:01:40Z"), message("second", "1970-01-01T00:01:40.500000Z")]
    values = " ".join(json.dumps(text) for text in texts)
    file.write_text(
        f'+101.250000 [0 127.0.0.1:50000] "LPUSH" "tenants" {values}\n'
        f'+102.000000 [0 127.0.0.1:50000] "LPUSH" "bare" {json.dumps(texts[0])}\n'
        '+103.000000 [0 127.0.0.1:50000] "LLEN" "tenants"\n'
    )

    assert list(arrivals(file)) == [
        Arrival("first", 101.25, 100.0, "id of first"),
        Arrival("second", 101.25, 100.5, "id of second"),
    ]


def test_each_tick_of_the_measured_seconds_is_expected_once() -> None:
    due = {"early": 100_000_000, "late": 100_999_000}
    sent = [
        FIRST,
        # Before the measurement, and after it.
        Arrival("early", 101.1, 101.0, "a"),
        Arrival("early", 104.1, 104.0, "b"),
        # Two ticks of one schedule, one of them twice; one tick of the other, and one that is not due then.
        Arrival("early", 102.01, 102.0, "c"),
        Arrival("early", 103.03, 103.0, "d"),
        Arrival("early", 103.04, 103.0, "d"),
        Arrival("late", 103.009, 102.999, "e"),
        Arrival("late", 103.5, 103.5, "f"),
    ]

    late = of_ticks(sent, due, 2)

    assert (late.expected, late.lost, late.sent_twice) == (4, 1, 1)
    assert (late.median, late.longest) == (pytest.approx(0.01), pytest.approx(0.03))


def test_a_message_without_a_tick_is_late_by_the_gap_before_it() -> None:
    sent = [
        Arrival("first", 99.5, None, "a"),
        Arrival("first", 102.5, None, "b"),
        Arrival("second", BEGIN + 0.5, None, "c"),
        Arrival("second", BEGIN + 1.75, None, "d"),
    ]

    late = of_gaps(sent, size=2, duration=2)

    assert (late.expected, late.lost) == (4, 1)
    assert (late.median, late.longest) == (pytest.approx(0.25), pytest.approx(2.0))


def test_the_best_figures_of_the_bare_loop_count_too() -> None:
    first, slow, fast = Turn(1, 2, 3, 4), Turn(10, 200, 3, 5), Turn(20, 100, 4, 6)

    assert best([{"first": first, "later": [slow, fast], "write_back": 7}]) == Dispatch(first, Turn(20, 200, 3, 5), 7)


@pytest.fixture
def results() -> Results:
    turn = Turn(5_000, 1_000, 0.0001, 0.0004)
    sending = Dispatch(turn._replace(rate=1_500), turn, 0.00004)
    loading = Loading(0.1, 0.01, 2e6)
    of_size = OfSize(loading, loading, {"rate": 100, "cpu": 0.002, "write_back": 0.002}, sending)
    late = Lateness(60_000, 0, 0, 0.01, 0.04, 0.3)
    elsewhere: dict[str, Dispatch | str] = {
        "MariaDB and Redis": "not measured: `apt-get install mariadb-server`",
        "SQLite and Redis": sending,
        "PostgreSQL and RabbitMQ, confirmed": sending,
        "PostgreSQL and Redis, with both, and Sentry's check-ins": sending,
        "PostgreSQL and Redis, with Sentry and OpenTelemetry": sending._replace(later=turn._replace(rate=1_100)),
    }
    return Results(
        Scale(sizes=(1_000, 10_000), large=1_000_000),
        {1_000: of_size, 10_000: of_size},
        Loading(14, 0.4, 500e6),
        elsewhere,
        {size: Late(60, late, late) for size in (100, 1_000, 5_000)},
        late,
        {"ours": [0.1, 0.2], "stock": [1.0, 2.0]},
        {"SIGKILL": [14.0], "SIGTERM": [0.1], "SIGSTOP": [15.0]},
    )


def test_the_page_says_which_goals_are_reached(results: Results) -> None:
    lines = written(results)

    assert lines[0] == TITLE
    reached = {line.split(" | ")[0]: line.split(" | ")[-1] for line in lines if line.endswith(("yes |", "no |"))}
    assert reached == {
        "| later messages, 1,000 due, PostgreSQL and Redis, no hooks": "yes |",
        "| later messages, 10,000 due, PostgreSQL and Redis, no hooks": "yes |",
        "| later messages, 10,000 due, PostgreSQL and Redis, with Sentry and OpenTelemetry": "no |",
        "| later messages, 10,000 due, PostgreSQL and RabbitMQ, confirmed": "yes |",
        "| 1,000 schedules of one second, spread, 60 s: 99 % in the broker": "yes |",
        "| 1,000 schedules of one second, spread, 60 s: all in the broker": "no |",
        "| 1,000 schedules of one second, spread, 60 s: lost, sent twice": "yes |",
        "| 1,000 schedules at one instant: all in the broker": "no |",
        "| the rate at 10,000 due": "yes |",
        "| 1,000,000 schedules: first load": "yes |",
        "| 1,000,000 schedules: memory": "yes |",
        "| 1,000,000 schedules: reload of one change": "yes |",
    }
    assert "MariaDB and Redis: not measured: `apt-get install mariadb-server`." in lines


def test_the_plots_are_small_pictures_with_their_own_background(results: Results, tmp_path: Path) -> None:
    draw(results, tmp_path)

    # What pygal adds here makes other tests fail by a warning at their imports.
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"benchmark-{name}.svg" for name in ("lateness", "memory", "rate")]
    for file in files:
        text = file.read_text()
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
        assert tags.isdisjoint({"script", "image", "a"})
        assert ".background{fill:#ffffff}" in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert len(text) < 30_000


def test_the_plots_are_the_same_each_time_and_told_in_words(results: Results, tmp_path: Path) -> None:
    draw(results, tmp_path)
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}
    draw(results, tmp_path)

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before
    assert [plot.alt for plot in plots(results)][2] == (
        "Megabytes of the loaded schedules against the number of enabled schedules. "
        "Stock: 2 at 1,000, 2 at 10,000; ours: 2 at 1,000, 2 at 10,000, 500 at 1,000,000."
    )


def test_a_million_schedules_are_measured_where_they_are_asked_for() -> None:
    assert Scale.of((200,), {}).large == 0
    assert Scale.of((200,), {"LARGE": "1"}).large == 1_000_000
    assert Scale.of((200,), {"LARGE": "1", "QUICK": "1"}).seconds < Scale.of((200,), {}).seconds


@pytest.mark.one_database
def test_the_tables_are_filled_with_as_many_schedules_as_asked_for(using: str) -> None:
    from django_celery_beat.models import PeriodicTask

    from tests.benchmarks.beat.tables import fill

    fill(123)

    rows = PeriodicTask.objects.order_by("pk")
    assert [row.name for row in rows] == [f"tenant {number}: sync" for number in range(123)]
    assert [json.loads(row.kwargs) for row in rows] == [{"tenant": f"t{number}"} for number in range(123)]
    assert [row.crontab and row.crontab.minute for row in rows][:4] == [None, "1", None, "3"]
    assert {row.interval and str(row.interval) for row in rows} == {None, "every day"}
    assert {row.queue for row in rows} == {"tenants"}
