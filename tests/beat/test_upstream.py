"""django-celery-beat's own scheduler tests, and Celery's of closing, pass with our class in the place of theirs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import celery
import django_celery_beat
import pytest

ROOT = Path(__file__).parents[2]
_DIRTY = "sets entries and `_dirty` by hand: a run is written back as soon as it is sent, nothing waits in memory"
_HEAP = "looks into `_heap`: the agenda holds ids, not entries"
#: What asserts on internals that are replaced, and why it cannot hold.
REPLACED = {
    "test_DatabaseScheduler::test_all_as_schedule": "a crontab hours away is left out by stock; everything is loaded",
    "test_DatabaseScheduler::test_reserve": _DIRTY,
    "test_DatabaseScheduler::test_sync_not_saves_last_run_at_while_schedule_changed": _DIRTY,
    "test_DatabaseScheduler::test_sync_saves_last_run_at": _DIRTY,
    "test_DatabaseScheduler::test_sync_syncs_before_save": _DIRTY,
    "test_DatabaseScheduler::test_periodic_task_disabled_and_enabled": _DIRTY,
    "test_DatabaseScheduler::test_periodic_task_disabled_while_reserved": _DIRTY,
    "test_DatabaseScheduler::test_sync_rollback_on_save_error": _DIRTY,
    "test_DatabaseScheduler::test_heap_size_is_constant": _HEAP,
    "test_DatabaseScheduler::test_heap_always_return_the_first_item": _HEAP,
    "test_DatabaseScheduler::test_starttime_trigger": _HEAP,
    "test_DatabaseScheduler::test_crontab_with_start_time_tick": _HEAP,
    "test_DatabaseScheduler::test_scheduler_schedules_equality_on_change": "compares all entries after each tick: "
    "changes are found by the scan",
}


def unpacked(package: str, version: str, directory: Path) -> Path:
    """Return the source distribution of a package as a directory, or skip."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
         f"{package}=={version}"],
        cwd=directory, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        reason = f"the sources of {package} cannot be had: {done.stderr.strip()[-200:]}"
        if os.environ.get("SCHEDSYNC_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with tarfile.open(next(directory.glob("*.tar.gz"))) as archive:
        archive.extractall(directory, filter="data")
    return next(path for path in directory.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the version of django-celery-beat that is installed."""
    version = ".".join(map(str, re.findall(r"\d+", django_celery_beat.__version__)[:3]))
    found = unpacked("django-celery-beat", version, tmp_path_factory.mktemp("upstream"))
    tests = found / "t" / "unit" / "test_schedulers.py"
    # From pytest 9 on, a fixture with a mark is an error.
    mark = re.compile(r"^([ ]*)@pytest\.mark\.django_db\n(?=\1@pytest\.fixture)", re.MULTILINE)
    tests.write_text(mark.sub("", tests.read_text()))
    return found


@pytest.fixture(scope="session")
def celery_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the version of Celery that is installed."""
    found = unpacked("celery", celery.__version__, tmp_path_factory.mktemp("celery"))
    if "class test_SchedulerShutdown" not in (found / "t/unit/app/test_beat.py").read_text():
        pytest.skip("this version of Celery leaves the connection open, and has no such tests")
    return found


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="tarfile of this Python has no filters")
def test_celerys_tests_of_closing_pass_with_our_scheduler(celery_sources: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": os.pathsep.join([str(celery_sources), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "t/unit/app/test_beat.py", "-k", "test_SchedulerShutdown", "-q", "-p",
         "tests.beat.celery_plugin", "--no-header", "-rf", "--tb=short", "-p", "no:randomly", "-p", "no:cacheprovider",
         "-p", "no:django", "-o", "addopts=", "-W", "ignore"],
        cwd=celery_sources, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 20


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="tarfile of this Python has no filters")
def test_their_tests_pass_with_our_scheduler(sources: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.beat.upstream_settings",
        "PYTHONPATH": os.pathsep.join([str(sources), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "t/unit/test_schedulers.py", "-p", "tests.beat.upstream_plugin", "-q",
         "--no-header", "-rf", "--tb=no", "-p", "no:randomly", "-p", "no:cacheprovider", "-W", "ignore"],
        cwd=sources, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    failed = set(re.findall(r"^FAILED \S+::(\S+::\S+)", done.stdout, re.MULTILINE))

    assert failed - set(REPLACED) == set(), done.stdout[-3000:] + done.stderr[-1000:]
    passed = int(re.findall(r"(\d+) passed", done.stdout)[0])
    assert passed >= (43 if django_celery_beat.__version__.startswith("2.8") else 49)
