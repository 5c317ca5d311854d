"""What happens in a soak: pushes, edits, pauses, kills and outages, by chance and from a seed."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.acceptance.shop import Shop
from tests.faults.arena import Arena
from tests.git.remotes import Origin
from tests.soak.crew import Crew
from tests.soak.facts import Happening
from tests.soak.files import CONFIG, EDITED, PAUSED, Files

_TABLE = "django_celery_beat_periodictask"
_BUMP = "UPDATE django_celery_beat_periodictasks SET last_update = now()"
_EDITS = ("queue = 'elsewhere'", "description = 'by hand'", """kwargs = '{"kind": "by hand"}'""")
#: Seconds for which the remote is away, rewound, or a schedule paused.
_AWAY = (2.0, 6.0)
#: Seconds between two kills, which come in the middle of everything else too.
_BETWEEN_KILLS = (4.0, 14.0)


@dataclass
class Story:
    """One soak under way; ``last_commit`` is the last good commit that was pushed. Processes die while ``kills``."""

    chance: random.Random
    origin: Origin
    arena: Arena
    crew: Crew
    files: Files
    happenings: list[Happening] = field(default_factory=list)
    last_commit: str = ""
    kills: bool = False
    _next_kill: float = 0.0

    @property
    def shop(self) -> Shop:
        return self.arena.project

    def note(self, kind: str, subject: str = "") -> None:
        self.happenings.append(Happening(time.time(), kind, subject))

    def counts(self) -> dict[str, int]:
        return dict(Counter(happening.kind for happening in self.happenings))

    def go_on(self, seconds: float) -> None:
        """Let things happen for some time."""
        self.kills = True
        acts: list[Callable[[], None]] = [
            self.push, self.push, self.push, self.push_broken, self.push_revert, self.rewrite, self.lose_remote,
            self.edit, self.edit, self.delete, self.pause, self.stall, self.end_one, self.cut,
        ]  # fmt: skip
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.chance.choice(acts)()
            self.wait(self.chance.uniform(0.2, 2.0))
        self.kills = False

    def wait(self, seconds: float) -> None:
        """Wait, kill something now and then, and start again what has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.kills and time.monotonic() > self._next_kill:
                self._next_kill = time.monotonic() + self.chance.uniform(*_BETWEEN_KILLS)
                self.kill()
            for name in self.crew.look():
                self.note("start", name)
            time.sleep(0.2)

    def _commit(self, text: str) -> str:
        return self.origin.commit({"schedules/soak.yaml": text, "schedsync.toml": CONFIG})

    def push(self) -> None:
        self.files.earlier.append(self.files.text())
        kind = self.files.change()
        self.last_commit = self._commit(self.files.text())
        self.note("push", kind)

    def push_broken(self) -> None:
        self._commit(self.files.broken())
        self.note("broken push")
        self.wait(self.chance.uniform(*_AWAY))
        self.last_commit = self._commit(self.files.text())
        self.note("push", "correction")

    def push_revert(self) -> None:
        """Push the files of an earlier push for a while; then those of now again."""
        if not self.files.earlier:
            return
        self.last_commit = self._commit(self.chance.choice(self.files.earlier[-3:]))
        self.note("revert")
        self.wait(self.chance.uniform(*_AWAY))
        self.last_commit = self._commit(self.files.text())
        self.note("push", "the revert's revert")

    def rewrite(self) -> None:
        """Force-push a commit that does not descend from the last one, and put the branch back after a while."""
        head = self.origin.git("rev-parse", "main")
        self.origin.commit({"schedules/soak.yaml": "version: 1\nschedules: {}\n"}, parent="main~1")
        self.note("force-push")
        self.wait(self.chance.uniform(*_AWAY))
        self.origin.git("update-ref", "refs/heads/main", head)

    def lose_remote(self) -> None:
        away = self.origin.root.with_name("away")
        self.origin.root.rename(away)
        self.note("remote away")
        self.wait(self.chance.uniform(*_AWAY))
        away.rename(self.origin.root)

    def edit(self) -> None:
        name = self.chance.choice(EDITED)
        self.note("edit", name)
        self.arena.sql(f"UPDATE {_TABLE} SET {self.chance.choice(_EDITS)} WHERE name = '{name}'")
        self.arena.sql(_BUMP)

    def delete(self) -> None:
        name = self.chance.choice(EDITED)
        self.note("delete", name)
        self.arena.sql(f"DELETE FROM {_TABLE} WHERE name = '{name}'")
        self.arena.sql(_BUMP)

    def pause(self) -> None:
        name = self.chance.choice(PAUSED)
        for words in (("pause", name, "--reason", "soak"), ("resume", name)):
            done = self.shop.run(*words, "--lock-timeout", "30s")
            self.note(words[0] if done.returncode == 0 else f"{words[0]} failed", name)
            if done.returncode:
                print(done.stdout, done.stderr)
            self.wait(self.chance.uniform(1.0, 4.0))

    def kill(self) -> None:
        name = self.chance.choice(list(self.crew.members))
        self.crew.send(name, signal.SIGKILL)
        self.note("kill", name)

    def stall(self) -> None:
        """Stop a Beat or an agent for longer than a Beat's lease, as if its machine froze; then let it go on."""
        name = self.chance.choice([*self.crew.of("beat"), *self.crew.of("agent")])
        self.crew.send(name, signal.SIGSTOP)
        self.note("stall", name)
        self.wait(self.chance.uniform(4.0, 8.0))
        self.crew.send(name, signal.SIGCONT)

    def end_one(self) -> None:
        name = self.chance.choice(list(self.crew.members))
        self.crew.send(name, signal.SIGTERM)
        self.note("end", name)

    def cut(self) -> None:
        """Break all connections to the database, as a restart of the server does."""
        self.note("cut")
        self.arena.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
