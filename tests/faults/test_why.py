"""``schedsync why`` after real Beats: what it says of each tick is compared with what was sent."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.faults.arena import Arena, Proxy, everywhere

#: Seconds without a Beat: longer than a lease.
OUTAGE = 12
SCHEDULES = (
    "  all: {task: shop.tasks.heartbeat, every: 1s, missed_runs: all}\n"
    "  latest: {task: shop.tasks.heartbeat, every: 1s}\n"
    "  short: {task: shop.tasks.heartbeat, every: 1s, missed_runs: all, starting_deadline: 3s}\n"
)
NOT_SENT = {"passed_over", "nobody_led"}


def why(arena: Arena, name: str, *words: str) -> dict[str, Any]:
    done = arena.project.run("why", name, "--no-results", "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def verdicts(found: dict[str, Any]) -> Iterator[tuple[datetime, str, str]]:
    """Yield what became of each tick of an interval of one second."""
    for ticks in found["since"]["ticks"]:
        for number in range(ticks["count"]):
            yield instant(ticks["first"]) + timedelta(seconds=number), ticks["verdict"], ticks["because"]


def test_each_tick_around_a_kill_is_explained_as_it_was(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        arena.apply(SCHEDULES + "removed: [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9]\n")
        with arena.beat():
            # Longer than it takes until the journal is written.
            arena.wait_for(60)
        time.sleep(OUTAGE)
        with arena.beat() as second:
            arena.wait_for(60)
            second.send_signal(signal.SIGTERM)
            second.wait()
        for name in ("all", "latest", "short"):
            compare(arena, name)

    everywhere(arenas, scenario)


def compare(arena: Arena, name: str) -> None:
    sent = {instant(line["tick"]) for line in arena.sent() if line["name"] == name}
    found = [values for values in verdicts(why(arena, name, "--since", "10m")) if min(sent) <= values[0] <= max(sent)]
    said = {tick: verdict for tick, verdict, _ in found}
    words = {because for _, verdict, because in found if verdict in NOT_SENT}

    assert sent <= said.keys(), arena.logs()
    # The Beat that was killed could not write its last records, nor say whether it had sent its last claims.
    assert {said[tick] for tick in sent} <= {"sent", "unknown", "unsure"}, (arena.alias, name, found, arena.logs())
    assert len([tick for tick in sent if said[tick] == "unknown"]) < len(sent) / 2, (arena.alias, name, found)
    assert {said[tick] for tick in said.keys() - sent} <= NOT_SENT | {"unsure"}, (arena.alias, name, found)
    assert (words != set()) == (name != "all"), (arena.alias, name, found)
    assert all(because.startswith("nobody led from ") for because in words), (arena.alias, name, words)


def test_ticks_that_a_broker_delayed_say_so(arenas: list[Arena]) -> None:
    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis on this machine")

    def scenario(arena: Arena) -> None:
        address = urlsplit(settings.BROKERS["redis"])
        proxy = Proxy(lambda: socket.create_connection((address.hostname or "127.0.0.1", address.port or 6379)))
        broker = address._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
        try:
            with arena.beat(SHOP_BROKER=broker) as beat:
                arena.wait_for(100)
                proxy.down()
                time.sleep(OUTAGE)
                proxy.up()
                arena.wait_for(10 * OUTAGE)
                beat.send_signal(signal.SIGTERM)
                beat.wait()
        finally:
            proxy.close()
        sent = {instant(line["tick"]) for line in arena.sent() if line["name"] == "s0"}
        found = [values for values in verdicts(why(arena, "s0", "--since", "10m")) if values[0] in sent]
        late = [because for _, _, because in found if "late: " in because]

        assert {verdict for _, verdict, _ in found} == {"sent"}, (arena.alias, found, arena.logs())
        assert any("the broker " in because for because in late), (arena.alias, found)

    everywhere(arenas, scenario)
