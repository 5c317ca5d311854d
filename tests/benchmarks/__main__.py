"""Measures the speeds in docs/benchmarks.md, on PostgreSQL, and writes that page.

Each measurement runs in its own forked process, so that no earlier measurement helps it. The same run also measures the
code that a user would write instead.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks import large
from tests.servers import Missing, Services, _postgresql, _redis

SIZES = (1_000, 10_000)
PER_FILE = 50
REPEATS = 5
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Case:
    """One measurement: the time of ``work``; ``prepare`` runs before it and is not measured."""

    name: str
    work: Callable[[], Any]
    prepare: Callable[[], Any] = lambda: None
    repeats: int = REPEATS


def main(sizes: tuple[int, ...] = (), only: str = "") -> int:
    """Measure and write the page; with ``only`` "beat" or "large", measure and replace only that part.

    The part about large sets is measured only alone; it takes long. ``sizes`` are () for those of the page.
    """
    services = Services()
    with tempfile.TemporaryDirectory(prefix="schedsync-bench-") as name, contextlib.ExitStack() as stack:
        base = Path(name)
        base.chmod(0o755)
        try:
            stack.enter_context(_postgresql(base, services))
            stack.enter_context(_redis(base, services))
        except Missing as reason:
            print(f"no PostgreSQL, or no Redis: {reason}", file=sys.stderr)
            return 1
        os.environ["SCHEDSYNC_TEST_DATABASES"] = json.dumps({"default": services.databases["postgresql"]})
        os.environ["BENCH_BROKER"] = services.brokers["redis"]
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        # Import the modules beforehand, so that imports are measured neither for schedsync nor for the loop.
        for module in ("git", "fastjsonschema", "schedsync.cli", "schedsync.usecases.sync", "schedsync.review.compare"):
            import_module(module)
        PAGE.write_text(measured_page(PAGE.read_text(), sizes, only, base))
    print(PAGE.read_text())
    return 0


def measured_page(old: str, sizes: tuple[int, ...], only: str, base: Path) -> str:
    """Return the page with the parts that were measured now, and the others as they are."""
    # It imports models, so only now that Django is set up.
    from tests.benchmarks import beat

    if only == "large":
        return large.replaced(old, large.section(sizes, base / "large", write_files, empty), beat.TITLE)
    if only == "beat":
        first = old.partition(f"{beat.TITLE}\n")[0]
    else:
        first = page({size: measured(size, base / str(size)) for size in sizes or SIZES}) + "\n"
        first += large.part_of(old, beat.TITLE)
    os.chdir(base)
    return first + "\n".join(beat.section(sizes or beat.SIZES))


def measured(size: int, directory: Path) -> dict[str, float]:
    write_files(directory, size)
    os.chdir(directory)
    result: dict[str, float] = {}
    for case in cases(directory, size):
        times = [in_child(case) for _ in range(case.repeats)]
        result[case.name] = min(times)
        print(f"{size:>7,} {case.name:<28} {result[case.name]:8.3f} s", file=sys.stderr, flush=True)
    return result | load_times(directory)


def in_child(case: Case) -> float:
    # It imports models, so only now that Django is set up.
    from tests.benchmarks.beat import stage

    def measure() -> dict[str, float]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            case.prepare()
            started = time.perf_counter()
            case.work()
            return {"took": time.perf_counter() - started}

    return stage.in_child(measure)["took"]


def cases(directory: Path, size: int) -> Iterator[Case]:
    saved = str(directory / "plan.json")
    yield Case("CSafeLoader", lambda: load_all(directory))
    yield Case("validate", lambda: cli("validate"))
    yield Case("loop, first", lambda: loop(size), empty, repeats=1)
    yield Case("loop, nothing changed", lambda: loop(size), repeats=1)
    yield Case("COPY", lambda: copy_rows(size), empty)
    yield Case("bulk_create", lambda: bulk_create(size), empty)
    yield Case("first apply", lambda: cli("apply", "--yes"), empty)

    def save_plan() -> None:
        empty()
        cli("plan", "--out", saved)

    yield Case("first apply with a plan file", lambda: cli("apply", "--yes", "--plan", saved), save_plan)
    yield Case("plan, nothing changed", lambda: cli("plan", "--exit-code"))
    yield Case("apply, nothing changed", lambda: cli("apply", "--yes"))
    yield Case("apply of one change", lambda: cli("apply", "--yes", "--settle", "0"), lambda: change_one(directory))

    yield Case("review", lambda: cli("review", "main", "feature"), lambda: commit(directory))
    yield Case("load of a week", lambda: computed(directory))
    yield Case("load of a week, by Celery", lambda: stepped(directory), repeats=1)


def commit(directory: Path) -> None:
    """Make a repository with a branch that changes one file."""
    if (directory / ".git").exists():
        return
    import git

    with git.Repo.init(directory, initial_branch="main") as repository:
        repository.git.config("user.name", "b")
        repository.git.config("user.email", "b@example.org")
        repository.git.add("schedules")
        repository.git.commit("-m", "one")
        repository.git.checkout("-b", "feature")
        change_one(directory)
        repository.git.commit("-a", "-m", "two")


#: A whole week in which no clock changes.
WEEK = datetime(2026, 11, 23, tzinfo=timezone.utc)


def wanted() -> Any:
    from schedsync.config import read_config
    from schedsync.files.schedule_set import read_set, resolve_set

    return resolve_set(read_set(read_config(None)), None)[0].schedules.values()


def computed(directory: Path) -> None:
    from schedsync.calendar.load import load_of
    from schedsync.calendar.stock_beat import slots
    from schedsync.calendar.window import Window

    schedules = wanted()
    started = time.perf_counter()
    load = load_of(schedules, Window.of(WEEK), slots)
    note(directory, "computed", time.perf_counter() - started, load.in_all())


def stepped(directory: Path) -> None:
    """Count starts without schedsync: ask each schedule's Celery object for one slot after the other."""
    from schedsync.calendar.stock_beat import celery_schedule

    schedules = wanted()
    started = time.perf_counter()
    end, total = WEEK + timedelta(days=7), 0
    for schedule in schedules:
        celerys = celery_schedule(schedule.spec.timing)
        at = WEEK - timedelta(minutes=1)
        while True:
            celerys.nowfun = lambda at=at: at
            at += celerys.remaining_estimate(at)
            if at >= end:
                break
            total += 1
    note(directory, "stepped", time.perf_counter() - started, total)


def note(directory: Path, name: str, seconds: float, starts: int) -> None:
    """Write down the seconds of the computation, without reading the files, and the number of counted starts."""
    (directory / f"{name}.json").write_text(json.dumps([seconds, starts]))


def load_times(directory: Path) -> dict[str, float]:
    """Return the seconds of both ways; raise AssertionError if they counted different numbers of starts."""
    ours, celerys = (json.loads((directory / f"{name}.json").read_text()) for name in ("computed", "stepped"))
    if ours[1] != celerys[1]:
        raise AssertionError(f"{ours[1]} starts are not {celerys[1]}")
    return {"load of a week": ours[0], "load of a week, by Celery": celerys[0]}


def write_files(directory: Path, size: int) -> None:
    for start in range(0, size, PER_FILE):
        path = directory / "schedules" / f"team-{start // PER_FILE:04}" / "tasks.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(
            "version: 1\nschedules:\n" + "".join(entry(number) for number in range(start, start + PER_FILE))
        )


def entry(number: int) -> str:
    return (
        f'  sync-{number}:\n    task: shop.tasks.sync_tenant\n    crontab: "{number % 60} */2 * * *"\n'
        f"    kwargs: {{tenant: t{number}}}\n    queue: sync\n    expires_after: 5m\n"
    )


def change_one(directory: Path) -> None:
    path = directory / "schedules/team-0000/tasks.yaml"
    path.write_text(path.read_text().replace("queue: sync", f"queue: sync{time.time_ns()}", 1))


def cli(*words: str) -> None:
    from schedsync.cli import run

    code = run(words)
    if code:
        os._exit(3)


def load_all(directory: Path) -> None:
    import yaml

    for path in sorted(directory.glob("schedules/*/*.yaml")):
        yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def fields(number: int) -> dict[str, Any]:
    return {
        "task": "shop.tasks.sync_tenant",
        "kwargs": json.dumps({"tenant": f"t{number}"}),
        "queue": "sync",
        "expire_seconds": 300,
    }


def loop(size: int) -> None:
    """Do what people write today: a loop of ``update_or_create``."""
    from django_celery_beat.models import CrontabSchedule, PeriodicTask

    for number in range(size):
        crontab, _ = CrontabSchedule.objects.get_or_create(minute=str(number % 60), hour="*/2", timezone="UTC")
        PeriodicTask.objects.update_or_create(name=f"sync-{number}", defaults={**fields(number), "crontab": crontab})


def crontabs() -> list[Any]:
    from django_celery_beat.models import CrontabSchedule

    rows = [CrontabSchedule(minute=str(minute), hour="*/2", timezone="UTC") for minute in range(60)]
    return list(CrontabSchedule.objects.bulk_create(rows))


def bulk_create(size: int) -> None:
    from django_celery_beat.models import PeriodicTask

    made = crontabs()
    rows = [PeriodicTask(name=f"sync-{n}", crontab=made[n % 60], **fields(n)) for n in range(size)]
    PeriodicTask.objects.bulk_create(rows, batch_size=1000)


def copy_rows(size: int) -> None:
    from django.db import connection
    from django.utils import timezone

    made, now = crontabs(), timezone.now()
    columns = "name, task, args, kwargs, headers, queue, expire_seconds, crontab_id, one_off, enabled, total_run_count"
    columns += ", date_changed, description"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY django_celery_beat_periodictask ({columns}) FROM STDIN") as copy,
    ):
        for n in range(size):
            some = fields(n)
            values = (f"sync-{n}", some["task"], "[]", some["kwargs"], "{}", "sync", 300, made[n % 60].pk)
            copy.write_row((*values, False, True, 0, now, ""))


def empty() -> None:
    from django.db import connection
    from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

    from schedsync.models import ManagedSchedule, SyncRun

    PeriodicTasks.update_changed()
    tables = ", ".join(m._meta.db_table for m in (PeriodicTask, CrontabSchedule, ManagedSchedule, SyncRun))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def page(results: dict[int, dict[str, float]]) -> str:
    lines = [
        "# Benchmarks",
        "",
        "`make benchmark` writes this page. All figures come from one run on one machine, on PostgreSQL. Each",
        "measurement runs in its own process and uses nothing from an earlier one. Seconds differ between machines,",
        "and on shared machines from minute to minute. Only the ratios are claims.",
        "",
        f"{date.today()}: Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}; "
        f"best of {REPEATS} runs; the loops ran once.",
        "",
        "- *loop* is the usual code in a project: one `update_or_create` for each schedule.",
        "- *CSafeLoader* is PyYAML alone, reading the same files.",
        "- *COPY* and *bulk_create* write the same rows, but keep no ledger and compare nothing.",
        "- *first apply with a plan file* is `apply --plan`: it plans from the files as *first apply* does, and",
        "  compares the plan with the saved one.",
        "- *review* compares two commits that differ in one file.",
        "- *load of a week* is the time of the computation alone. *by Celery* computes the same by asking the Celery",
        "  object of each schedule for one slot after the other. Both count the same starts.",
        "",
    ]
    for size, seconds in results.items():
        lines += [f"## {size:,} schedules in {size // PER_FILE:,} files", "", "| measurement | seconds |", "|---|---:|"]
        lines += [f"| {name} | {took:.3f} |" for name, took in seconds.items()]
        lines += ["", "| comparison | ratio |", "|---|---:|"]
        lines += [
            f"| {claim} | {ratio:.2g} |" if ratio < 1 else f"| {claim} | {ratio:.1f} |"
            for claim, ratio in ratios(seconds)
        ]
        lines.append("")
    return "\n".join(lines)


def ratios(seconds: dict[str, float]) -> Iterator[tuple[str, float]]:
    quiet, first = seconds["loop, nothing changed"], seconds["loop, first"]
    yield "plan without changes: times faster than the loop", quiet / seconds["plan, nothing changed"]
    yield (
        "plan without changes: multiple of CSafeLoader's time",
        seconds["plan, nothing changed"] / seconds["CSafeLoader"],
    )
    yield "validate: multiple of CSafeLoader's time", seconds["validate"] / seconds["CSafeLoader"]
    yield "first apply: times faster than the loop", first / seconds["first apply"]
    yield "first apply: multiple of COPY's time", seconds["first apply"] / seconds["COPY"]
    with_file = seconds["first apply with a plan file"]
    yield "first apply with a plan file: multiple of the time without one", with_file / seconds["first apply"]
    yield "apply of one change: times faster than the loop", quiet / seconds["apply of one change"]
    yield "review of one changed file: share of the time of validate", seconds["review"] / seconds["validate"]
    load = seconds["load of a week"]
    yield "load of a week: times faster than by Celery", seconds["load of a week, by Celery"] / load


if __name__ == "__main__":
    numbers = tuple(int(word) for word in sys.argv[1:] if word.isdigit())
    sys.exit(main(numbers, next((word for word in sys.argv[1:] if word in ("beat", "large")), "")))
