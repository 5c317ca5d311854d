"""The processes of a soak; one that was killed is started again, as a supervisor would do it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.shop import Shop


@dataclass
class Member:
    """One process, under a name that stays when it is started again."""

    name: str
    words: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0


@dataclass
class Crew:
    """Two agents, two Beats and two workers."""

    shop: Shop
    members: dict[str, Member] = field(default_factory=dict)
    _is_ending: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, *words: str) -> None:
        self.members[name] = Member(name, words)
        self._start(self.members[name])

    def _start(self, member: Member) -> None:
        member.starts += 1
        with (self.shop.root / f"{member.name}.log").open("ab") as output:
            member.process = subprocess.Popen(
                [sys.executable, "-m", *member.words],
                cwd=self.shop.root, env=self.shop.environment | {"SCHEDSYNC_ACTOR": member.name},
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and to those that it has started."""
        process = self.members[name].process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    def look(self) -> list[str]:
        """Start again what has ended, unless it is to end; returns the names."""
        with self._lock:
            ended = [
                member
                for member in self.members.values()
                if member.name not in self._is_ending
                and member.process is not None
                and member.process.poll() is not None
            ]
            for member in ended:
                self._start(member)
        return [member.name for member in ended]

    def end(self, *kinds: str, seconds: float = 60) -> None:
        """End the processes of some kinds in good order, and kill what does not end."""
        chosen = [member for member in self.members.values() if member.name.partition("-")[0] in kinds]
        with self._lock:
            self._is_ending |= {member.name for member in chosen}
        for member in chosen:
            self.send(member.name, signal.SIGTERM)
        for member in chosen:
            if member.process is None:
                continue
            try:
                member.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.send(member.name, signal.SIGKILL)
                member.process.wait()

    def of(self, kind: str) -> list[str]:
        return [name for name in self.members if name.partition("-")[0] == kind]


@contextlib.contextmanager
def crew(shop: Shop, remote: Path) -> Iterator[Crew]:
    """Start all; everything is stopped at the end."""
    made = Crew(shop)
    celery = ("celery", "-A", "tests.soak.app")
    try:
        for number in ("1", "2"):
            made.add(
                f"agent-{number}", "schedsync", "agent", "--repository", str(remote), "--interval", "1s", "--heal",
                "--directory", str(shop.root / f"fetched-{number}"), "--settle", "0",
            )  # fmt: skip
            made.add(f"beat-{number}", *celery, "beat", "--pidfile=", "--loglevel", "warning")
            worker = ("worker", "--pool", "solo", "-n", f"w{number}", "-Q", "celery,elsewhere", "--loglevel", "warning")
            made.add(f"worker-{number}", *celery, *worker, "--without-mingle", "--without-gossip")
        yield made
    finally:
        made.end("agent", "beat", "worker", seconds=15)
