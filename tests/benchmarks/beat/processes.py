"""How soon an apply reaches the broker, and how soon another Beat takes over: with Beats as processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.beat.tables import fill

OURS, STOCK = "schedsync.beat:Scheduler", "django_celery_beat.schedulers:DatabaseScheduler"
ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "shop"
#: The application that writes down what it sends.
_SINK = "tests.faults.sink"


@contextlib.contextmanager
def beat(scheduler: str, root: Path, application: str = _SINK, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with (root / f"beat-{time.time_ns()}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", application, "beat", "--pidfile=", "-S", scheduler],
            cwd=root, env={**os.environ, **shop_environment(root)}, stdout=log, stderr=log,
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
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.beat.settings",
        "PYTHONPATH": os.pathsep.join([str(EXAMPLE), str(ROOT)]),
        "SHOP_DATA": str(root),
        "SHOP_DATABASES": json.dumps(databases),
        "SHOP_BROKER": os.environ["BENCH_BROKER"],
        "FAULTS_SENT": str(root / "sent.jsonl"),
    }


def lines(root: Path) -> list[dict[str, Any]]:
    # It needs the settings of Django.
    from tests.faults.arena import read_sent

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
            times = []
            for number in range(1, count + 1):
                time.sleep(0.3)
                committed = apply(root, number)
                wanted = f"{{'state': '{number}'}}"
                times.append(wait_for(root, lambda line, wanted=wanted: line["kwargs"] == wanted) - committed)  # type: ignore[misc]
        return sorted(times)


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
        stack.enter_context(beat(OURS, root))
        wait_for(root, lambda line: True)
        for kind in (kind for kind, count in counts.items() for _ in range(count)):
            standby = stack.enter_context(beat(OURS, root))
            time.sleep(4)
            leader = lines(root)[-1]["pid"]
            ended = time.time()
            os.kill(leader, getattr(signal, kind))
            pid = standby.pid
            times[kind].append(wait_for(root, lambda line, pid=pid: line["pid"] == pid) - ended)  # type: ignore[misc]
    return {kind: sorted(seconds) for kind, seconds in times.items()}
