"""The thread of Beat that claims and sends alarms: a database or a service that hangs delays no tick."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connections

from schedsync.alarms.desk import Desk
from schedsync.alarms.postbag import Postbag
from schedsync.alarms.services import Answer
from schedsync.alarms.settings import NotifySetting
from schedsync.alarms.tell import SECONDS, keys_of_arrived
from schedsync.beat.failed_runs import FailedRuns
from schedsync.core.alarm import Alarm, Kind, Letter
from schedsync.database.alarms import forget_old, note_sent
from schedsync.database.beats import count_leaders
from schedsync.database.clock import now
from schedsync.database.pauses import pauses_ending
from schedsync.database.tables import has_table
from schedsync.models import SentAlarm
from schedsync.planning.alarms import Calm

logger = logging.getLogger(__name__)

#: The kinds that the leader sees, and those that a Beat which stands by sees.
_OF_LEADER = frozenset({Kind.OVERDUE, Kind.FAILING, Kind.PAUSE_ENDING, Kind.LEADER_CHANGED, Kind.NO_LEADER})
_OF_STANDBY = frozenset({Kind.NO_LEADER})
_OF_CLOCK = frozenset({Kind.CLOCK})
#: How long before its end a pause is announced, if it is longer than that.
_NOTICE, _LONGER = timedelta(hours=1), timedelta(hours=2)
_MOST_PAUSES = 1000
#: Seconds before a letter that was not accepted is sent again.
_WAITS = (10.0, 60.0, 300.0)
#: Nobody leads if it is so for two leases: a change of the leader takes one.
_LEASES = 2
_HOUR, _MINUTE, _DAY = 3600.0, 60.0, 86_400.0
#: Seconds that the end of Beat waits for the thread.
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class BeatSight:
    """What a Beat knows without asking: its alarms, when the first pause ends, and how long a lease is, in seconds."""

    host: str
    leads: bool
    alarms: Sequence[Alarm]
    pause_ends: datetime | None
    lease: float


@dataclass
class Clerk:
    """Takes what Beat sees, always the newest, and does what follows from it in a thread."""

    using: str
    setting: NotifySetting
    environment: str | None
    _sight: BeatSight | None = None
    _event: threading.Event = field(default_factory=threading.Event)
    _is_closed: bool = False
    _thread: threading.Thread | None = None
    _led: bool = False
    _no_leader_since: float | None = None
    _sent: deque[float] = field(default_factory=deque)
    _has_table: bool = False
    _next_look: float = 0.0
    _next_tidy: float = 0.0
    _is_full: bool = False

    def __post_init__(self) -> None:
        self._bag = Postbag(self.setting.services, _WAITS)
        self._failed_runs = FailedRuns(self.using)
        self._desk = Desk(self.using, self.setting, self.environment, Calm())
        self._clock_desk = Desk(self.using, self.setting, self.environment, Calm())

    def take(self, sight: BeatSight) -> None:
        """Let the thread look at this, instead of an older sight that it has not looked at yet."""
        self._sight = sight
        self._event.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="schedsync-alarms", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; what it is doing gets a moment, and another Beat sends later what it has not done."""
        self._is_closed = True
        self._event.set()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while not self._is_closed:
            self._event.wait(self._bag.wait)
            self._event.clear()
            sight, self._sight = self._sight, None
            if not self._is_closed:
                self.work(sight)

    def work(self, sight: BeatSight | None) -> None:
        """Claim and send what is new, and what is due to be sent again; raises nothing."""
        try:
            if sight is not None and self._may_look():
                letters = self._look(sight)
                self._sent.extend([time.monotonic()] * len(letters))
                self._report(self._bag.put(letters))
            self._report(self._bag.send(SECONDS))
        except (DatabaseError, InterfaceError) as error:
            logger.info("alarms wait for the database: %s", type(error).__name__)
        except Exception as error:
            # Without its traceback: the frames hold the URLs of the services.
            logger.error("alarms cannot be sent: %s", type(error).__name__)
        finally:
            connections[self.using].close()

    def _may_look(self) -> bool:
        """Say whether the table is there, and whether more letters may be sent in this hour."""
        if not self._has_table and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _MINUTE
            self._has_table = has_table(self.using, SentAlarm)
        while self._sent and self._sent[0] < time.monotonic() - _HOUR:
            self._sent.popleft()
        was_full, self._is_full = self._is_full, len(self._sent) >= self.setting.most_per_hour
        if self._is_full and not was_full:
            logger.warning("more alarms wait: `most_per_hour` of SCHEDSYNC_NOTIFY is reached")
        return self._has_table and not self._is_full

    def _look(self, sight: BeatSight) -> list[Letter]:
        clocks = [alarm for alarm in sight.alarms if alarm.kind is Kind.CLOCK]
        letters = self._clock_desk.look(clocks, _OF_CLOCK, sight.host) if clocks or self._clock_desk.has_noted else []
        if sight.leads != self._led:
            # Another Beat may have noted alarms that only a leader sees.
            self._led, self._desk.has_noted = sight.leads, True
        if sight.leads:
            self._no_leader_since = None
            on = [alarm for alarm in sight.alarms if alarm.kind is not Kind.CLOCK]
            on += self._ending_pauses(sight)
            if Kind.FAILING in self.setting.rules.kinds:
                # Why a message cannot be sent is nearer to the cause than that earlier runs failed.
                on = [*self._failed_runs.alarms(), *on]
            self._tidy()
        else:
            on = list(self._without_leader(sight))
        if on or self._desk.has_noted:
            letters += self._desk.look(on, _OF_LEADER if sight.leads else _OF_STANDBY)
        return letters

    def _ending_pauses(self, sight: BeatSight) -> Iterator[Alarm]:
        """Yield the pauses that end soon; the table is asked only if the first one does."""
        at = now()
        if sight.pause_ends is None or sight.pause_ends > at + _NOTICE:
            return
        for pause in pauses_ending(self.using, at, _NOTICE, _LONGER, _MOST_PAUSES):
            until = f"{pause.until:%Y-%m-%d %H:%M} UTC"
            yield Alarm(Kind.PAUSE_ENDING, pause.name, f"at {until}; paused by {pause.who}: {pause.reason}", "", until)

    def _without_leader(self, sight: BeatSight) -> Iterator[Alarm]:
        """Yield that nobody leads, if this Beat has seen no leader for two leases."""
        if count_leaders(self.using):
            self._no_leader_since = None
            return
        if self._no_leader_since is None:
            self._no_leader_since = time.monotonic()
        if time.monotonic() - self._no_leader_since >= _LEASES * sight.lease:
            yield Alarm(Kind.NO_LEADER, "Beat", f"{sight.host} stands by")

    def _tidy(self) -> None:
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + _DAY
            forget_old(self.using)

    def _report(self, answers: Sequence[Answer]) -> None:
        """Note what has arrived, and log what is given up."""
        note_sent(self.using, keys_of_arrived(answers))
        for answer in answers:
            if answer.problem:
                name = answer.service.name
                logger.error("an alarm did not reach %s: %s", name, answer.problem, extra={"service": name})
