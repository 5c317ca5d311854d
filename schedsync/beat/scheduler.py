"""The Beat itself: a drop-in for ``DatabaseScheduler`` of django-celery-beat, on the same tables.

``tick`` looks for changes, keeps the lease, sends what is due, and waits; a failed database takes the lease from it.
"""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, router
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from schedsync.beat.alarms import Alarms
from schedsync.beat.alive import Alive, activity
from schedsync.beat.celery_hooks import CeleryHooks
from schedsync.beat.claims import Claims, LeaseLost
from schedsync.beat.clock_check import ClockCheck
from schedsync.beat.dispatch import Dispatch
from schedsync.beat.early_runs import EarlyRuns
from schedsync.beat.elections import election_of
from schedsync.beat.environment import OwnEnvironment
from schedsync.beat.full_pause import FullPauseWatch
from schedsync.beat.hand_over import HandOver
from schedsync.beat.heartbeat import Heartbeat
from schedsync.beat.journal_writer import JournalWriter
from schedsync.beat.lead_checks import LeadChecks
from schedsync.beat.leadership import Leadership
from schedsync.beat.lease_times import LeaseTimes
from schedsync.beat.lease_watch import watch_of
from schedsync.beat.listen import close_all, listeners, wait
from schedsync.beat.metrics import Metrics
from schedsync.beat.monitors import Monitors
from schedsync.beat.outage import Outage
from schedsync.beat.outbox import Claimed
from schedsync.beat.overlap import Overlap
from schedsync.beat.pauses import Pauses
from schedsync.beat.reloader import POLL, SCAN, SCAN_STANDING_BY, Reloader
from schedsync.beat.report import Report
from schedsync.beat.rivals import Rivals
from schedsync.beat.roster import Roster
from schedsync.beat.sender import Sender
from schedsync.beat.settings_entries import SettingsEntries
from schedsync.beat.signals import Ending, uninterrupted
from schedsync.beat.tables import Tables
from schedsync.beat.upstream_view import UpstreamView
from schedsync.core.names import counted
from schedsync.database.bounded import reconnect
from schedsync.database.clock import now
from schedsync.database.collector import gc_paused
from schedsync.database.notify import leader_setting
from schedsync.database.use_tz import require_use_tz

logger = logging.getLogger(__name__)


class Scheduler(CeleryHooks):
    """Celery's scheduler class: ``celery beat --scheduler schedsync.beat:Scheduler``.

    Raises ImproperlyConfigured if a setting SCHEDSYNC_* cannot be used, and WrongUsage if ``USE_TZ`` is off.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        require_use_tz()
        self.app = kwargs["app"] if "app" in kwargs else args[0]
        self.using: str = router.db_for_write(PeriodicTask)
        self.holder, self._tables = uuid.uuid4(), Tables(self.using)
        self.times, leader = LeaseTimes.of_settings(), leader_setting()
        election, span = election_of(leader, self.using, self.holder, self.times), self.times.span
        watch = watch_of(leader, self.using, self.holder, self.times.retry, self._tables)
        self.roster = Roster(self.using, self.app.conf.beat_cron_starting_deadline)
        journal = self.roster.journal
        self.sender = Sender(self.app, self.times.patience, journal)
        self.leadership = Leadership(election, self.times, watch, on_end=journal.end, counters=self.sender.counters)
        self._entries = SettingsEntries(self.using, self.leadership, partial(self.Entry.from_entry, app=self.app))
        self.reloader = Reloader(watch.glance, self.roster, counters=self.sender.counters)
        self.report = Report(self.using, self.holder, self.roster, self.sender, self._tables)
        writer = JournalWriter(self.using, self.holder, span, journal, self._tables)
        self.heartbeat = Heartbeat(self.using, self.holder, election.name, self.times.renew, self.report, writer)
        self._rivals = Rivals(self.heartbeat, self.times.lease, expected=not election.checks_epoch)
        environment, overlap = OwnEnvironment(self.using, self._tables), Overlap(self.using, self.app, self._tables)
        self._full_pause = pause = FullPauseWatch(self.using, self._tables)
        clock, may_send = ClockCheck(self.using, self.holder, election.name, span, self._tables), pause.may_send
        self._claims = Claims(self.using, self.holder, span, election.checks_epoch, environment, may_send, overlap)
        self._dispatch = Dispatch(
            self.using, self.roster, self._claims, self.leadership, self.sender, self._publish, self._keep, pause,
        )  # fmt: skip
        self._dispatch.undo_early_runs = EarlyRuns(self.using, self.roster, clock, span).undo
        self._hand_over = HandOver(self.using, self._dispatch, self.leadership, self.heartbeat)
        self._checks = LeadChecks(self.leadership, environment, clock, self.report, self._hand_over.step_down)
        self._pauses = Pauses(self.using, self.reloader, span)
        self._listeners, self._outage = listeners(self.using, leader), Outage(self.times.retry)
        self._is_set_up = self._has_loaded = self._has_begun = False
        self._alive, self._ending, self._metrics = Alive(), Ending(), Metrics(self)
        self._alarms, self._monitors = Alarms(self, self._dispatch, clock), Monitors(self, pause)
        self._is_ticking = self._is_closing = self._was_interrupted = False
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Load, and as leader write the entries of the settings; wait for a database that is away."""
        try:
            self._set_up()
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)

    def _set_up(self) -> None:
        self._tables.require()
        if self._checks.keep():
            self._entries.begin(self._install_entries)
        with gc_paused():
            self.reloader.load()
            # The schedules stay for as long as Beat runs, and have no cycles: exempt them from all collections.
            gc.freeze()
        self._is_set_up = True
        loaded = counted(len(self.roster), "schedule")
        logger.info("loaded %s; %s", loaded, self.leadership.election.mode, extra={"holder": self.holder})

    def update_from_dict(self, mapping: Mapping[str, Any]) -> None:
        """Write entries of the settings into the tables (``DatabaseScheduler`` also puts them into its memory)."""
        self._entries.write(mapping)

    def tick(self, *args: Any, **kwargs: Any) -> float:  # noqa: ARG002
        """Take one step, and wait until there may be more to do: Celery would sleep through what wakes this Beat."""
        with self._ending.watched():
            delay = self._step_in_tick()
            self._show_life()
            if delay > 0 and not self._ending.is_told and wait(self._listeners, min(delay, self.max_interval)):
                self.reloader.hurry()
                self.leadership.hurry()
        return 0.0

    def _show_life(self) -> None:
        """Give a sign of life, also while the database is away: a restart would not bring it back."""
        is_away = self._outage.is_on or not self._is_set_up
        text = activity(self.leadership.leads, len(self.roster), is_away=is_away, broker_trouble=self.sender.trouble)
        self._alive.step(text, is_ready=not is_away)
        for part in (self._metrics, self._alarms, self._monitors):
            part.step(is_away=is_away)

    def take_step(self) -> float:
        """Take one step, and note it if it was interrupted."""
        self._is_ticking = True
        try:
            return self.step()
        except BaseException:
            self._was_interrupted = True
            raise
        finally:
            self._is_ticking = False

    def step(self) -> float:
        """Reload, keep the lease, send one batch; returns the seconds until there is more to do, as far as known."""
        try:
            delay = self._step()
            self._outage.end()
            return delay
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)
            return self.times.retry
        except LeaseLost as lost:
            self.leadership.lose(str(lost))
            return 0.0

    def _step(self) -> float:
        if is_fresh := not self._is_set_up:
            self._set_up()
        self._tables.require()
        self._reload()
        if self.leadership.epoch is None:
            self._has_begun = False
        leads = self._checks.keep()
        self._checks.environment.report(self.roster)
        # A lease that was acquired in this step may be over by now: then this Beat begins after the next renewal.
        if leads and not self._has_begun:
            self._begin(is_fresh)
        self._write_heartbeat()
        if not leads:
            return self._delay(None)
        self._pauses.end()
        return self._send()

    def _reload(self) -> None:
        reload = self.reloader.poll(SCAN if self.leadership.epoch is not None else SCAN_STANDING_BY)
        if reload is None:
            return
        self._has_loaded |= bool(reload.changed or reload.gone)
        # Until it begins, it does not know the last runs of the leader before it.
        if self._has_begun and self.leadership.leads:
            self._rivals.judge(reload.traces, self.roster.schedules)
        if reload.changed:
            self._dispatch.look_at_locked_rows()

    def _begin(self, is_fresh: bool) -> None:
        """Begin to lead; ``is_fresh`` says that everything was read in this step."""
        logger.warning("leading, epoch %s", self.leadership.epoch, extra={"epoch": self.leadership.epoch})
        self.heartbeat.begin()
        self.roster.journal.begin(self.leadership.epoch or 0)
        if self._entries.begin(self._install_entries):
            self.reloader.reset()
        # As a standby it has looked less often for what nobody announces.
        self.reloader.poll_now()
        self._reload()
        self._dispatch.take_over(is_fresh=is_fresh)
        self._has_begun = True

    def _install_entries(self) -> None:
        self.install_default_entries({})
        self.update_from_dict(self.app.conf.beat_schedule)

    def _keep(self, held: Collection[Claimed]) -> bool:
        """Renew the lease in the middle of a batch; after an error the rest of the batch is not sent."""
        try:
            leads = self.leadership.epoch is not None and self._checks.look() and self.leadership.keep()
            if not leads or self._full_pause.is_on():
                return False
            self._write_heartbeat()
            self._claims.keep_alive(held)
            self._show_life()
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)
        return self.leadership.leads

    def _send(self) -> float:
        goes_on = self._dispatch.run(now())
        if self.roster.is_stale:
            self.reloader.hurry()
        return self._delay(self._dispatch.next_at()) if goes_on else min(self.times.retry, POLL)

    def _delay(self, at: datetime | None) -> float:
        """Return the seconds until there is more to do: a tick, a poll, a pause's end, or the lease."""
        waits = [self.reloader.wait, self.leadership.wait]
        if at is not None:
            waits.append((at - now()).total_seconds())
        if self.leadership.leads and (pause := self._pauses.wait) is not None:
            waits.append(pause)
        return max(min(waits), 0.0)

    def _write_heartbeat(self) -> None:
        self._rivals.compare()
        self.heartbeat.write(
            has_loaded=self._has_loaded, leads=self.leadership.leads, epoch=self.leadership.epoch or 0,
            loaded=self.reloader.change_number, schedules=len(self.roster),
            trouble=self._checks.trouble or self._rivals.trouble,
        )  # fmt: skip
        self._has_loaded = False

    def _fail(self, error: Exception) -> None:
        """Lead no longer: it is not known whether the last statement took effect."""
        self.leadership.lose("the database failed", database_failed=True)
        self._outage.begin(error)
        self._tables.ask_again()
        self.reloader.reset()
        connections[self.using].close()

    @property
    def schedule(self) -> Mapping[str, ModelEntry]:
        """The enabled schedules by name, as entries of django-celery-beat, for code that looks from outside."""
        if self._begins_step:
            # Celery's tick copies it, and needs it for nothing.
            return {}
        if self._is_set_up and not self._is_ticking:
            self.reloader.load()
        ids = {schedule.name: schedule.row_id for schedule in self.roster.schedules.values()}
        return UpstreamView(self.app, self.using, self.Entry, ids)

    def close(self) -> None:
        """Hand over: give the lease back, so that a standby need not wait for its end.

        Celery's signal handler calls this too; in the middle of a step nothing is done yet, as the driver would wait
        for its own lock. At the end Celery calls it again.
        """
        self._ending.tell()
        if self._is_ticking or self._is_closing:
            return
        with uninterrupted():
            self._is_closing = True
            try:
                self._close()
            finally:
                self._is_closing = False

    def _close(self) -> None:
        self._alive.stop()
        if self._was_interrupted:
            reconnect(self.using)
            self._was_interrupted = False
        try:
            self._hand_over.give_back()
            close_all(self._listeners)
            for part in (self.sender, self._metrics, self._alarms, self._monitors):
                part.close()
        finally:
            # Celery closes the producer and the connection, which a hook may have opened.
            super().close()
