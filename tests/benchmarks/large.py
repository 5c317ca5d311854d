"""The largest set, and a table of a million rows, on PostgreSQL: time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

TITLE = "# Large sets and tables"
#: The schedules of the set to plan, the rows of the table to look at, and those of the table to scrape.
SIZES = (200_000, 1_000_000, 10_000)
REPEATS = 3
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measured:
    """The best time of a command in seconds, and its largest peak of memory in bytes."""

    seconds: float
    peak: int


def section(
    sizes: tuple[int, ...], directory: Path, write_files: Callable[[Path, int], None], empty: Callable[[], None]
) -> list[str]:
    """Measure, and return the lines of the page's part."""
    planned, rows, scraped = (*sizes, *SIZES[len(sizes) :])[:3]
    write_files(directory, planned)
    os.chdir(directory)
    empty()
    found = _plans()
    files = len(list(directory.glob("schedules/*/*.yaml")))
    lines = [TITLE, "", *_explained(), f"## {planned:,} schedules in {files:,} files", ""]
    lines += [*_table(found), "", "| comparison | ratio |", "|---|---:|"]
    for name in ("first plan", "plan, nothing changed"):
        ratio = found[name].seconds / found["CSafeLoader"].seconds
        lines.append(f"| {name}: multiple of CSafeLoader's time | {ratio:.1f} |")
    lines += ["", f"## {rows:,} rows", "", *_table(_statuses(rows, empty))]
    scrapes = _scrapes(scraped, empty)
    ratio = scrapes["one scrape"].seconds / scrapes["status"].seconds
    lines += ["", f"## {scraped:,} rows, all managed", "", *_table(scrapes), "", "| comparison | ratio |", "|---|---:|"]
    return [*lines, f"| one scrape: part of the time of `status` | {ratio:.2f} |", ""]


def _explained() -> list[str]:
    return [
        "`make benchmark ONLY=large` writes this part. A peak below 120 MB is mostly the benchmark's own memory.",
        "",
        f"{date.today()}: best of {REPEATS} runs, in turns.",
        "",
        "- *CSafeLoader* is PyYAML alone, reading the same files.",
        "- *first plan* shows each schedule as a change; the tables are empty.",
        "- *status* is the whole command with start-up and exit. *managed by nobody* is with an empty ledger,",
        "  *all managed* with an entry for each row.",
        "- *one scrape* is what Beat's port and the view do for Prometheus: all metrics of the database, by a new",
        "  connection, in a process that runs already.",
        "",
    ]


def _table(found: dict[str, Measured]) -> list[str]:
    rows = [f"| {name} | {each.seconds:.2f} | {each.peak / 2**20:,.0f} |" for name, each in found.items()]
    return ["| command | seconds | peak, MB |", "|---|---:|---:|", *rows]


def _plans() -> dict[str, Measured]:
    found = _in_turns({"CSafeLoader": _forked(_load_all), "first plan": _forked(_schedsync("plan"))})
    _forked(_schedsync("apply", "--yes"))()
    again = _in_turns({"CSafeLoader": _forked(_load_all), "plan, nothing changed": _forked(_schedsync("plan"))})
    best = min(found["CSafeLoader"], again["CSafeLoader"], key=lambda each: each.seconds)
    return found | again | {"CSafeLoader": best}


def _load_all() -> None:
    import yaml

    for path in sorted(Path().glob("schedules/*/*.yaml")):
        yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def _schedsync(*words: str) -> Callable[[], None]:
    def work() -> None:
        from schedsync.cli import run

        if code := run(words):
            raise RuntimeError(f"{words} exited with {code}")

    return work


def _statuses(rows: int, empty: Callable[[], None]) -> dict[str, Measured]:
    # It imports models, so only now that Django is set up.
    from tests.benchmarks.beat.tables import fill

    empty()
    # Nothing falls due while it is measured.
    fill(rows, last_run=datetime.now(timezone.utc) + timedelta(days=1))
    found = _in_turns({"status, managed by nobody": _status})
    manage()
    return found | _in_turns({"status, all managed": _status})


def _scrapes(rows: int, empty: Callable[[], None]) -> dict[str, Measured]:
    from tests.benchmarks.beat.tables import fill

    empty()
    fill(rows, last_run=datetime.now(timezone.utc) + timedelta(days=1))
    manage()
    return _in_turns({"status": _status, "one scrape": _forked(_scrape())})


def _scrape() -> Callable[[], None]:
    # Imported before the fork: a process that is scraped has done it long before.
    from prometheus_client import generate_latest

    from schedsync.monitoring.collector import DatabaseCollector, DatabaseReader, registry_of

    registry = registry_of(DatabaseCollector(DatabaseReader("default")))

    def work() -> None:
        if b"schedsync_database_up 1.0" not in generate_latest(registry):
            raise RuntimeError("the scrape did not reach the database")

    return work


def _in_turns(works: dict[str, Callable[[], Measured]]) -> dict[str, Measured]:
    runs: dict[str, list[Measured]] = {name: [] for name in works}
    for _ in range(REPEATS):
        for name, work in works.items():
            runs[name].append(work())
            print(f"{name:<28} {runs[name][-1].seconds:8.2f} s", file=sys.stderr, flush=True)
    return {
        name: Measured(min(each.seconds for each in measured), max(each.peak for each in measured))
        for name, measured in runs.items()
    }


def _forked(work: Callable[[], None]) -> Callable[[], Measured]:
    """Return a function that measures work in a fork and throws its output away."""

    # It imports models, so only now that Django is set up.
    from tests.benchmarks.beat import stage

    def measured() -> dict[str, float]:
        with Path(os.devnull).open("w") as nowhere:
            started = time.perf_counter()
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                work()
            took = time.perf_counter() - started
        return {"seconds": took, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}

    def measure() -> Measured:
        found = stage.in_child(measured)
        return Measured(found["seconds"], int(found["peak"]))

    return measure


def _status() -> Measured:
    """Run `status` in a process of its own; raises RuntimeError where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "schedsync", "status"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"`status` exited with {process.returncode}")
    return Measured(took, usage.ru_maxrss * 1024)


def manage() -> None:
    """Write an entry of the ledger for each row, as an apply of five sets would."""
    from django.db import connection

    from schedsync.database.observe import observe_ids

    with connection.cursor() as cursor:
        for row in observe_ids("default", _one_of_each_timing()):
            kind, timing_id = row.timing_row or ("", 0)
            before, after = _around_the_number(row)
            cursor.execute(
                "INSERT INTO schedsync_managedschedule (set, name, row_id, timing_kind, timing_id, applied, people,"
                ' path, line, "column", commit, applied_at, delivery, missed_runs)'
                " SELECT 'set ' || id %% 5, name, id, %s, %s, %s || substring(name from '[0-9]+') || %s, '{}',"
                " 'schedules/tasks.yaml', 3, 3, '', now(), 'at_least_once', 'latest'"
                f" FROM django_celery_beat_periodictask WHERE {kind}_id = %s",
                [kind, timing_id, before, after, timing_id],
            )
        cursor.execute("VACUUM ANALYZE")


def _one_of_each_timing() -> set[int]:
    from django.db.models import Min
    from django_celery_beat.models import PeriodicTask

    groups = PeriodicTask.objects.order_by().values("crontab_id", "interval_id").annotate(sample=Min("pk"))
    return set(groups.values_list("sample", flat=True))


def _around_the_number(row: Any) -> tuple[str, str]:
    """Return the canonical text of a row's spec before and after the number of its tenant."""
    from schedsync.core.schedule import spec_text

    value = json.loads(row.spec.kwargs)["tenant"]
    before, _, after = spec_text(row.spec).partition(f'"{value}"')
    return f'{before}"t', f'"{after}'


def replaced(page: str, lines: list[str], following: str) -> str:
    """Return a page with new lines for this part, which is before the title ``following``."""
    before, title, rest = page.partition(f"{following}\n")
    first = before.partition(f"{TITLE}\n")[0]
    return first + "\n".join(lines) + "\n" + title + rest


def part_of(page: str, following: str) -> str:
    """Return this part as a page has it; empty where it was never measured."""
    before = page.partition(f"{following}\n")[0]
    _, title, part = before.partition(f"{TITLE}\n")
    return title + part
