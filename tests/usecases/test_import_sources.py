"""The law of the imports: the files run as the settings or the crontab do, each run for 30 days, and say the same."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab, schedule, solar
from django_celery_beat.clockedschedule import clocked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Queue

from schedsync.calendar.run_comparison import RunComparison
from schedsync.commands.django import target_without_database
from schedsync.commands.options import FileOptions
from schedsync.core.schedule import Desired
from schedsync.core.sources import no_sources
from schedsync.importers.celery_settings import BeatSchedule, read_beat_schedule
from schedsync.importers.rows import Tables
from schedsync.importers.settings_entries import entry_candidates
from schedsync.usecases.compare_sources import Source, crontab_source
from schedsync.usecases.import_ import Imported, ImportForm, write_drafts
from schedsync.usecases.import_crontab import CrontabRequest, import_crontab
from schedsync.usecases.run_comparison import CompareRequest, compare, window_of
from schedsync.usecases.target import desired_of
from tests.conftest import NOW, Project
from tests.usecases import beat_settings
from tests.usecases.test_import_law import NAUGHTY, TEXT, VALUES

REQUEST = CompareRequest(window_of(NOW, timedelta(days=30)))
ZONES = st.sampled_from([timezone.utc, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")])
LATER = datetime(2026, 12, 5, 9, 30, tzinfo=timezone.utc)
CRONTABS = st.builds(
    crontab,
    minute=st.sampled_from(["0", "*/15", "5,10", "*", 30, {15, 45}]),
    hour=st.sampled_from(["2", "*", "*/3", "0,12", 2, "9-17"]),
    day_of_month=st.sampled_from(["*", "1", "*/2", "1-7", "31"]),
    month_of_year=st.sampled_from(["*", "11,12", "*/3"]),
    day_of_week=st.sampled_from(["*", "mon-fri", "sunday", "0,6", 1, "*/2"]),
)
TIMINGS = st.one_of(
    CRONTABS,
    CRONTABS,
    st.sampled_from([30, 0.25, 90.0, 3600, timedelta(hours=6), timedelta(days=1, seconds=1), 1e9]),
    st.builds(schedule, st.sampled_from([timedelta(minutes=5), 45.0])),
    st.sampled_from([schedule(timedelta(seconds=30), relative=True), clocked(LATER), solar("sunset", 52.52, 13.405)]),
    # Nothing that a file can say.
    st.sampled_from([0, -1, None, "daily", timedelta(seconds=-3), schedule(3600, relative=True)]),
)
EXPIRES = [None, 240, 240.0, timedelta(hours=1), LATER, datetime(2027, 1, 1), "2027-01-01T08:00:00", 1.5, 0]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["q", Queue("reports"), None, ""]),
        "exchange": NAUGHTY.map(lambda text: text[:200]),
        "routing_key": st.sampled_from(["a.b", "#"]),
        "priority": st.sampled_from([0, 9, None]),
        "headers": st.dictionaries(TEXT, VALUES, max_size=2),
        "expires": st.sampled_from(EXPIRES),
        "expire_seconds": st.just(60),
    },
)
ENTRIES = st.dictionaries(
    st.one_of(TEXT, st.sampled_from(["sync-a", "sync-b", "sync-c", "celery.x"])),
    st.fixed_dictionaries(
        {"task": st.sampled_from(["shop.tasks.a", "shop.billing.tasks.b"]), "schedule": TIMINGS},
        optional={
            "args": st.one_of(st.none(), st.lists(VALUES, max_size=3).map(tuple)),
            "kwargs": st.dictionaries(TEXT, VALUES, max_size=3),
            "options": st.one_of(st.none(), OPTIONS),
            "relative": st.booleans(),
            "enabled": st.booleans(),
            "description": TEXT,
        },
    ),
    max_size=8,
)
FORMS = st.builds(
    ImportForm, st.sampled_from([None, "app", "queue"]), st.booleans(), st.booleans(), adopt=st.booleans()
)


@pytest.fixture(autouse=True)
def _clock(clock: Any) -> None:
    """The window of the comparison begins now."""


def desired(root: Path, imported: Imported) -> Desired:
    """The schedules of an import, read from its files as a verb reads them."""
    shutil.rmtree(root / "schedules", ignore_errors=True)
    (root / "schedules").mkdir()
    for name, text in imported.texts.items():
        (root / "schedules" / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    _, result, _ = desired_of(target_without_database(FileOptions("schedules", None)), no_sources)
    return result


def compared_with_settings(root: Path, read: BeatSchedule, form: ImportForm) -> tuple[Imported, RunComparison]:
    found = entry_candidates(read, Tables((), (), NOW, timezone.utc), ())
    imported = write_drafts(found.drafts, found.left_out, form)
    taken = {each.name: each for each in read.schedules if each.name in imported.names}
    files = desired(root, imported)
    return imported, compare(Source("the settings", taken, files.schedules), REQUEST)


@given(ENTRIES, ZONES, FORMS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_import_of_settings_runs_alike(
    files: Project, entries: Mapping[str, Any], zone: Any, form: ImportForm
) -> None:
    read = read_beat_schedule(entries, zone)
    imported, comparison = compared_with_settings(files.root, read, form)

    assert (comparison.differences, comparison.messages) == ([], {})
    assert imported.names | {each.name for each in imported.left_out} == set(entries)


@pytest.mark.parametrize("project", ["SENTRY", "READ_THE_DOCS", "SUPERSET", "SALEOR"])
@pytest.mark.parametrize("zone", [timezone.utc, ZoneInfo("America/Chicago")])
def test_settings_of_known_projects_run_alike(files: Project, project: str, zone: Any) -> None:
    entries = getattr(beat_settings, project)
    imported, comparison = compared_with_settings(files.root, read_beat_schedule(entries, zone), ImportForm(fold=True))

    assert (imported.names, imported.left_out) == (frozenset(entries), ())
    assert (comparison.differences, comparison.messages) == ([], {})
    assert comparison.in_files == comparison.in_source > 1_000


FIELDS = (
    st.sampled_from(["0", "*/15", "5,10", "*", "1-59/7"]),
    st.sampled_from(["2", "*", "*/3", "0,12", "9-17"]),
    st.sampled_from(["*", "*", "1", "1-7", "*/2", "31"]),
    st.sampled_from(["*", "11,12", "dec", "2"]),
    st.sampled_from(["*", "*", "mon-fri", "7", "0,6", "*/2"]),
)
COMMANDS = st.one_of(
    st.sampled_from(["/srv/bin/poll --all", "date +\\%F", "mail x%y", "cd /srv && ./manage.py report > log 2>&1", "a"]),
    NAUGHTY,
    st.text(max_size=20),
)
LINES = st.one_of(
    st.tuples(st.tuples(*FIELDS).map(" ".join), COMMANDS).map(" ".join),
    st.tuples(st.sampled_from(["@hourly", "@daily", "@reboot"]), COMMANDS).map(" ".join),
    st.sampled_from(["", "# x", "PATH=/bin", "CRON_TZ=Europe/Berlin", "CRON_TZ=Mars", "nonsense"]),
)


@given(st.lists(LINES, max_size=8).map("\n".join), st.sampled_from(["UTC", "Asia/Tokyo"]), st.booleans(), FORMS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_import_of_a_crontab_runs_alike(files: Project, text: str, zone: str, split: bool, form: ImportForm) -> None:
    path = files.root / "crontab.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    request = CrontabRequest(path, "shop.run", zone, split_days=split)
    result = import_crontab(request, date(2026, 11, 23), form)
    taken = desired(files.root, result.imported)
    comparison = compare(crontab_source(path, zone, None, taken, REQUEST.window), REQUEST)
    doubled = {name for double in result.doubles for name in double.names if double.dates}
    differing = {each.name for each in comparison.differences}

    assert taken.schedules.keys() == result.imported.names
    assert differing & result.imported.names == set()
    assert len(differing) <= len(result.imported.left_out)
    assert {schedule.spec.timing for schedule in taken.schedules.values()} <= {
        line.timing for line in result.read.lines
    }
    assert {item.name for item in comparison.not_compared if "the files run it twice" in item.reason} <= doubled
