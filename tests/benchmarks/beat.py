"""Our Beat beside stock ``DatabaseScheduler``, on PostgreSQL and Redis, in one run, each in its own process."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.faults.arena import read_sent

SIZES = (1_000, 10_000, 100_000)
#: Stock sends only a few messages per second, so only this many of its due schedules are measured.
STOCK_SENDS = 40
#: After every 1,000 messages of our Beat, a bare loop sends 500.
BURST_EVERY, BURST = 1_000, 500
RUNS = 60
_DISPATCH = "dispatch with all due, messages per second"
_BARE = "bare `send_task` loop, messages per second"
PICKUPS = 20
#: How often a leader is killed, asked to end, and stopped, as where its host fails.
FAILOVERS = {"SIGKILL": 50, "SIGTERM": 3, "SIGSTOP": 3}
DEFAULT_LEASE = {"FAULTS_LEASE": "15", "FAULTS_RENEW": "5", "FAULTS_RETRY": "1"}
EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"
ROOT = Path(__file__).parents[2]


def fill(size: int) -> None:
    """Fill the tables with ``size`` enabled schedules: half have crontabs at different minutes, half have intervals."""
    from django.db import connection
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

    from schedsync.models import Beat, Claim, Lease

    tables = (PeriodicTask, CrontabSchedule, IntervalSchedule, Claim, Beat, Lease)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in tables)} CASCADE")
    crontabs = [CrontabSchedule(minute=str(minute), hour=f"*/{1 + minute % 3}") for minute in range(60)]
    CrontabSchedule.objects.bulk_create(crontabs)
    day = IntervalSchedule.objects.create(every=1, period="days")
    now = datetime.now(timezone.utc)
    rows = [
        PeriodicTask(
            name=f"tenant {number}: sync", task="shop.tasks.sync_tenant", kwargs=json.dumps({"tenant": f"t{number}"}),
            crontab=crontabs[number % 60] if number % 2 else None, interval=None if number % 2 else day,
            queue="tenants", last_run_at=now, date_changed=now,
        )
        for number in range(size)
    ]  # fmt: skip
    PeriodicTask.objects.bulk_create(rows, batch_size=5_000)
    PeriodicTasks.update_changed()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def make_due() -> None:
    set_last_run(datetime.now(timezone.utc) - timedelta(days=2))


def set_last_run(at: datetime) -> None:
    from django.db import connection
    from django_celery_beat.models import PeriodicTask

    from schedsync.models import Claim

    Claim.objects.all().delete()
    PeriodicTask.objects.update(last_run_at=at)
    with connection.cursor() as cursor:
        # Clean up after this write, so that the measurement does not pay for it.
        cursor.execute(f"VACUUM ANALYZE {PeriodicTask._meta.db_table}")


def app() -> Any:
    from celery import Celery

    made = Celery("bench", broker=os.environ["BENCH_BROKER"], set_as_current=False)
    made.conf.update(timezone="UTC", enable_utc=True, result_expires=None, task_ignore_result=True)
    return made


def stock() -> Any:
    from django_celery_beat.schedulers import DatabaseScheduler

    return DatabaseScheduler(app=app(), lazy=True)


def ours() -> Any:
    from schedsync.beat import Scheduler

    return Scheduler(app=app(), lazy=True)


def in_child(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Run a measurement in a fork; it returns its figures."""
    from django.db import connections

    connections.close_all()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, json.dumps(work()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        found: dict[str, float] = json.loads(answer.read())
    return found


def resident() -> int:
    """Return this process's resident memory, in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def change_one() -> None:
    from django_celery_beat.models import PeriodicTask, PeriodicTasks

    PeriodicTask.objects.filter(name="tenant 1: sync").update(queue=f"q{time.time_ns()}")
    PeriodicTasks.update_changed()


def stock_loading() -> dict[str, float]:
    # Nothing is due, because the measured load must not include sending.
    set_last_run(datetime.now(timezone.utc))
    scheduler = stock()
    before = resident()
    first = timed(scheduler.tick)
    grown = resident() - before
    scheduler.tick()
    change_one()
    return {"first load": first, "memory": grown, "reload": timed(scheduler.tick)}


def our_loading() -> dict[str, float]:
    set_last_run(datetime.now(timezone.utc))
    scheduler = ours()
    before = resident()
    first = timed(scheduler.step)
    grown = resident() - before
    times = []
    for _ in range(5):
        change_one()
        scheduler.reloader.reset()
        times.append(timed(scheduler.step))
    scheduler.close()
    return {"first load": first, "memory": grown, "reload": min(times)}


def bare_sender() -> Iterator[Callable[[], None]]:
    """Yield what sends a message as a user's loop would, on a connection that is there."""
    made = app()
    with made.connection_for_write() as connection:
        producer = made.amqp.Producer(connection, auto_declare=False)
        number = 0

        def send() -> None:
            nonlocal number
            number += 1
            made.send_task(
                "shop.tasks.sync_tenant", [], {"tenant": f"t{number}"}, producer=producer, queue="tenants",
                headers={"periodic_task_name": f"tenant {number}: sync"},
            )  # fmt: skip

        send()
        yield send


def our_dispatch(size: int) -> dict[str, float]:
    """Send all, and some by a bare loop in between: such a machine is faster in one second than in the next."""
    scheduler = ours()
    spent, sent = 0.0, 0
    confirm, arrived = scheduler._claims.confirm, scheduler.sender._arrived

    def counted(*args: Any) -> Any:
        nonlocal spent
        began = time.perf_counter()
        found = confirm(*args)
        spent += time.perf_counter() - began
        return found

    def counting(message: Any) -> Any:
        nonlocal sent
        sent += 1
        return arrived(message)

    scheduler._claims.confirm, scheduler.sender._arrived = counted, counting
    # Neither the load nor the connections are part of it, as they are not of stock's and of the loop's.
    scheduler.step()
    scheduler.sender.ready()
    make_due()
    scheduler.reloader.load()
    scheduler.roster.refresh()
    spent, sent, took, bare, bursts = 0.0, 0, 0.0, 0.0, 0
    with contextlib.contextmanager(bare_sender)() as send_bare:
        while sent < size:
            took += timed(scheduler.step)
            if bursts * BURST_EVERY <= sent:
                bursts += 1
                bare += timed(lambda: [send_bare() for _ in range(BURST)])
    scheduler.close()
    return {"rate": size / took, "bare": bursts * BURST / bare, "write-back": spent / size}


def stock_dispatch() -> dict[str, float]:
    make_due()
    scheduler = stock()
    scheduler.setup_schedule()
    scheduler._last_sync = time.monotonic()
    scheduler.tick()
    took = timed(lambda: [scheduler.tick() for _ in range(STOCK_SENDS)])
    dirty = list(scheduler._dirty)[:STOCK_SENDS]
    entries = [scheduler._schedule[name] for name in dirty]
    back = timed(lambda: [entry.save() for entry in entries])
    return {"rate": STOCK_SENDS / took, "write-back": back / max(len(entries), 1)}


def repeats(size: int) -> int:
    return {1_000: 9, 10_000: 3}.get(size, 1)


def loadings(size: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the smallest of each figure, stock's and ours, measured in turns."""
    found = [(in_child(stock_loading), in_child(our_loading)) for _ in range(repeats(size))]
    theirs, mine = ({name: min(one[name] for one in some) for name in some[0]} for some in zip(*found, strict=True))
    return theirs, mine


def share(found: dict[str, float]) -> float:
    """Return how near a dispatch came to the bare loop."""
    return found["rate"] / found["bare"]


def measured(size: int) -> dict[str, tuple[float | None, float]]:
    """Return what was measured at a size: stock's figure, or None where it is not a matter of stock's, and ours."""
    fill(size)
    theirs, mine = loadings(size)
    slow = in_child(stock_dispatch)
    sending = max((in_child(lambda: our_dispatch(size)) for _ in range(min(repeats(size), 3))), key=share)
    return {
        "first load, s": (theirs["first load"], mine["first load"]),
        "reload after one change, s": (theirs["reload"], mine["reload"]),
        "memory of the loaded schedules, MB": (theirs["memory"] / 1e6, mine["memory"] / 1e6),
        _DISPATCH: (slow["rate"], sending["rate"]),
        _BARE: (None, sending["bare"]),
        "write-back per run, ms": (slow["write-back"] * 1e3, sending["write-back"] * 1e3),
    }


@contextlib.contextmanager
def beat(scheduler: str, root: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with (root / f"beat-{time.time_ns()}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.faults.sink", "beat", "--pidfile=", "-S", scheduler],
            cwd=root, env={**os.environ, **shop_environment(root), **environment}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def shop_environment(root: Path) -> dict[str, str]:
    databases = json.loads(os.environ["SCHEDSYNC_TEST_DATABASES"])
    databases["default"]["CONN_MAX_AGE"] = 0
    return {
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
        "PYTHONPATH": os.pathsep.join([str(EXAMPLE), str(ROOT)]),
        "SHOP_DATA": str(root),
        "SHOP_DATABASES": json.dumps(databases),
        "SHOP_BROKER": os.environ["BENCH_BROKER"],
        "FAULTS_SENT": str(root / "sent.jsonl"),
    }


def lines(root: Path) -> list[dict[str, Any]]:
    return read_sent(root / "sent.jsonl")


def wait_for(root: Path, wanted: Callable[[dict[str, Any]], bool], seconds: float = 120) -> float:
    """Wait until something is sent, and return when it was."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for line in lines(root):
            if wanted(line):
                return float(line["at"])
        time.sleep(0.02)
    raise TimeoutError(seconds)


def pickups(scheduler: str, count: int, size: int) -> list[float]:
    """Return how long after the commit of an apply a changed schedule among many was sent first, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        fill(size)
        # Before it starts: what is committed while it does, stock Beat may not see for five minutes.
        apply(root, 0)
        with beat(scheduler, root):
            wait_for(root, lambda line: line["kwargs"] == "{'state': '0'}")
            found = []
            for number in range(1, count + 1):
                time.sleep(0.3)
                committed = apply(root, number)
                wanted = f"{{'state': '{number}'}}"
                found.append(wait_for(root, lambda line, wanted=wanted: line["kwargs"] == wanted) - committed)  # type: ignore[misc]
        return sorted(found)


def apply(root: Path, number: int) -> float:
    """Apply another version of a schedule that runs twenty times a second; returns when it was committed."""
    file = root / "schedules" / "bench.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "version: 1\nschedules:\n  bench:\n    task: shop.tasks.lights\n    every: 50000us\n"
        f"    kwargs: {{state: '{number}'}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "schedsync", "apply", "--yes", "--settle", "0"],
        cwd=root, env={**os.environ, **shop_environment(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    from schedsync.models import SyncRun

    at: datetime = SyncRun.objects.latest("at").at
    return at.timestamp()


def failovers(counts: Mapping[str, int]) -> dict[str, list[float]]:
    """Return for each signal how long after it the next leader sent first, in seconds; ``counts`` says how often."""
    times: dict[str, list[float]] = {name: [] for name in counts}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        root = Path(name)
        fill(1_000)
        apply(root, 0)
        stack.enter_context(beat("schedsync.beat:Scheduler", root, **DEFAULT_LEASE))
        wait_for(root, lambda line: True)
        for kind in (kind for kind, count in counts.items() for _ in range(count)):
            standby = stack.enter_context(beat("schedsync.beat:Scheduler", root, **DEFAULT_LEASE))
            time.sleep(4)
            leader = lines(root)[-1]["pid"]
            ended = time.time()
            os.kill(leader, getattr(signal, kind))
            pid = standby.pid
            times[kind].append(wait_for(root, lambda line, pid=pid: line["pid"] == pid) - ended)  # type: ignore[misc]
    return {kind: sorted(found) for kind, found in times.items()}


def section(sizes: tuple[int, ...] = SIZES) -> list[str]:
    """Measure everything, and return the part of the page that tells it."""
    results = {}
    for size in sizes:
        results[size] = measured(size)
        print(f"{size:>7,} {results[size]}", file=sys.stderr, flush=True)
    many = min(10_000, max(sizes))
    picked = {"ours": pickups("schedsync.beat:Scheduler", PICKUPS, many)}
    picked["stock"] = pickups("django_celery_beat.schedulers:DatabaseScheduler", 3, many)
    return [*HEAD, *tables(results), *processes(picked, many, failovers(FAILOVERS)), ""]


TITLE = "# Beat"
HEAD = [
    TITLE,
    "",
    f"{date.today()}: Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}.",
    "",
    "Stock `DatabaseScheduler` and our Beat are measured in the same run, with Redis as the broker and the lease in",
    "the database. Half of the schedules have crontabs, half have intervals, and each has its own arguments.",
    "",
    "- A load takes the whole tick in which it happens. The next tick can send again.",
    f"- Stock's dispatch is measured over {STOCK_SENDS} sends, and its write-back over the same number of saves.",
    "- A load is the best of 9 runs at 1,000 schedules, the best of 3 at 10,000, and one run at 100,000. Stock and",
    "  ours take turns.",
    "- A dispatch is the run that came nearest to the bare loop that ran beside it.",
    "",
]


def tables(results: dict[int, dict[str, tuple[float | None, float]]]) -> Iterator[str]:
    for size, figures in results.items():
        yield from (
            f"## {size:,} enabled schedules",
            "",
            "| measurement | stock | ours | ours/stock |",
            "|---|---:|---:|---:|",
        )
        for name, (theirs, mine) in figures.items():
            share = "" if theirs is None else f"{mine / theirs:.2g}" if mine < theirs else f"{mine / theirs:.1f}"
            yield f"| {name} | {'' if theirs is None else f'{theirs:.3g}'} | {mine:.3g} | {share} |"
        rate, plain = figures[_DISPATCH][1], figures[_BARE][1]
        yield from ("", f"Dispatch is {rate / plain:.0%} of a bare `send_task` loop.", "")
    sizes = sorted(results)
    first, last = (results[size][_DISPATCH][1] for size in (sizes[0], sizes[-1]))
    yield f"The dispatch rate at {sizes[-1]:,} schedules is {last / first:.0%} of the rate at {sizes[0]:,}."
    yield ""


def processes(picked: dict[str, list[float]], size: int, failed: dict[str, list[float]]) -> Iterator[str]:
    yield from ("## Processes", "", "| measurement | seconds |", "|---|---:|")
    for who, times in picked.items():
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        middle = times[len(times) // 2]
        what = f"| from the commit of an apply to the first message, {size:,} schedules, {who}"
        yield from (f"{what}: median of {len(times)} | {middle:.2f} |", f"{what}: p95 | {p95:.2f} |")
    for kind, times in failed.items():
        what = f"| from {kind} of the leader to the first message of a standby, lease 15 s"
        yield f"{what}: median of {len(times)} | {times[len(times) // 2]:.2f} |"
        yield f"{what}: longest of {len(times)} | {times[-1]:.2f} |"
    killed, stopped = failed["SIGKILL"][-1], failed["SIGSTOP"][-1]
    yield from (
        "",
        f"The longest takeover after a kill is {killed / stopped:.2f} of the wait for the end of the lease.",
    )
