"""Tells monitoring services what a pause that began or ended means for their monitors, in a thread of the leader.

An apply, ``pause`` and ``resume`` tell the services themselves. A pause that ends by itself, a pause of everything and
an edit of a row have no process that could wait for a service.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError, connections

from schedsync.core.masked_errors import error_line
from schedsync.core.names import counted
from schedsync.database.audit import last_binding
from schedsync.database.monitors import owed
from schedsync.database.tables import has_table
from schedsync.errors import SchedsyncError
from schedsync.models import Monitor
from schedsync.monitors.in_step import bring_into_step
from schedsync.monitors.settings import service_names

if TYPE_CHECKING:
    from schedsync.beat.full_pause import FullPauseWatch
    from schedsync.beat.scheduler import Scheduler

logger = logging.getLogger(__name__)

#: Seconds after a change of the tables: an apply that made it tells the services itself.
CALM = 20.0
#: Seconds before a service is asked again, the first time and at most.
_WAIT, _LONGEST_WAIT = 60.0, 3600.0
#: Seconds that the end of Beat waits for the thread.
_PATIENCE = 2.0

#: What was seen of the tables: the number of their last change, and whether everything is paused.
Sight = tuple[int, bool]


class Monitors:
    """Notes that the tables changed, for a thread that does the rest; without SCHEDSYNC_MONITORS it does nothing."""

    def __init__(self, beat: Scheduler, full_pause: FullPauseWatch) -> None:
        self._beat, self._full_pause = beat, full_pause
        self._keeper: MonitorKeeper | None = None
        try:
            if service_names():
                self._keeper = MonitorKeeper(beat.using)
        except SchedsyncError as error:
            # Only what watches Beat would suffer, and apply and doctor name the mistake too.
            logger.error("monitors are not muted: %s", error)

    def step(self, *, is_away: bool) -> None:
        """Hand over what a leader sees, if it is new; ``is_away`` says that the database is away."""
        beat = self._beat
        if self._keeper is None:
            return
        if not beat.leadership.leads:
            self._keeper.rest()
        elif not is_away:
            self._keeper.take((beat.reloader.change_number, self._full_pause.was_on))

    def close(self) -> None:
        """End the thread; another Beat, or the next apply, tells the services what is left."""
        if self._keeper is not None:
            self._keeper.close()


@dataclass
class MonitorKeeper:
    """Brings the monitors that are muted wrongly into step, some time after the tables changed.

    Without a sight it rests: another Beat leads.
    """

    using: str
    _sight: Sight | None = None
    _due: float | None = None
    _wait: float = 0.0
    _fruitless: dict[str, set[str]] = field(default_factory=dict)
    _event: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _is_closed: bool = False

    def take(self, sight: Sight) -> None:
        """Look at the monitors some time after this was seen first; costs nothing if it was seen before."""
        if sight == self._sight:
            return
        self._sight = sight
        # Tables that change all the time must not put the look off for ever.
        calm = time.monotonic() + CALM
        self._due = calm if self._due is None else min(self._due, calm)
        self._event.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="schedsync-monitors", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Leave the rest to the Beat that leads now; what is under way is finished."""
        self._sight = self._due = None

    def close(self) -> None:
        """End the thread; a request that is under way gets a moment."""
        self._is_closed = True
        self._event.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while not self._is_closed:
            due = self._due
            self._event.wait(None if due is None else max(due - time.monotonic(), 0.0))
            self._event.clear()
            # Read once: the thread of Beat may take it back meanwhile.
            due = self._due
            if not self._is_closed and due is not None and due <= time.monotonic():
                self._due = None
                self.work()

    def work(self) -> None:
        """Tell the services what they must know, and do it again later if one does not answer; raises nothing."""
        try:
            problem = self._settle()
        except (DatabaseError, InterfaceError, SchedsyncError) as error:
            problem = error_line(error)
        except Exception as error:
            # Without its traceback: the frames hold the keys of the services.
            problem = type(error).__name__
        finally:
            connections[self.using].close()
        if problem and not self._wait:
            logger.warning("monitors wait, and are tried again: %s", problem)
        self._wait = min(2 * self._wait or _WAIT, _LONGEST_WAIT) if problem else 0.0
        if problem and self._due is None and self._sight is not None:
            self._due = time.monotonic() + self._wait

    def _settle(self) -> str:
        """Return what went wrong, empty if nothing did."""
        names = service_names()
        found = owed(self.using, names) if names and has_table(self.using, Monitor) else {}
        if found == self._fruitless:
            return ""
        done, problem = 0, ""
        for set_name, schedules in sorted(found.items()):
            last = last_binding(self.using, set_name)
            settled = bring_into_step(self.using, set_name, last.environment if last else None, only=schedules)
            done += sum(settled.done.values())
            problem = problem or next((f"{each.service}: {each.message}" for each in settled.failures), "")
        if done:
            logger.info("told the services about %s", counted(done, "monitor"), extra={"monitors": done})
        # The monitor of a row that Beat cannot run stays muted, though the row is enabled.
        self._fruitless = {} if problem or done else found
        return problem
