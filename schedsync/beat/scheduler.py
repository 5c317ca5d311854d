"""The Beat itself: a drop-in for ``DatabaseScheduler`` of django-celery-beat, on the same tables.

Each call of ``tick`` looks for changes, keeps the lease, and handles what is due in batches; whatever the database
does in between, this Beat then leads no longer until it has asked again.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import time
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections, router
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from schedsync.beat.claims import Claims, LeaseLost, NoClaims, StoredClaims
from schedsync.beat.dispatch import Dispatch
from schedsync.beat.heartbeat import Heartbeat
from schedsync.beat.leadership import Leadership, Timings, election_of
from schedsync.beat.listen import listeners, wait
from schedsync.beat.loaded_schedule import Message
from schedsync.beat.pauses import Pauses
from schedsync.beat.reloader import POLL, Reloader
from schedsync.beat.rivals import Rivals
from schedsync.beat.roster import Roster
from schedsync.beat.sender import Sender
from schedsync.beat.signals import uninterrupted
from schedsync.beat.upstream_view import UpstreamView
from schedsync.database.bounded import bounded, reconnect
from schedsync.database.collector import gc_paused
from schedsync.database.faults import ask_for_missing_tables, is_row_locked
from schedsync.database.notify import leader_setting, notify, publish
from schedsync.database.use_tz import require_use_tz

logger = logging.getLogger(__name__)

#: Where our tables were missing, they are looked for again after so many seconds.
_MIGRATED = 30.0


class NotMigrated(DatabaseError):
    """Not even the tables of django-celery-beat are there yet."""


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Celery's scheduler class: ``celery beat --scheduler schedsync.beat:Scheduler``.

    Raises ImproperlyConfigured where the settings SCHEDSYNC_LEADER, _LEASE, _RENEW or _RETRY do not fit, WrongUsage
    where ``USE_TZ`` is off.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        require_use_tz()
        self.using: str = router.db_for_write(PeriodicTask)
        self.holder = uuid.uuid4()
        self.timings = Timings.of_settings()
        self._leader = leader_setting()
        # Refuses a wrong setting at the start, and not at the first tick.
        election_of(self._leader, self.using, self.holder, self.timings)
        self._is_ticking = False
        self._is_closing = False
        self._was_interrupted = False
        self._is_set_up = False
        self._next_adoption = 0.0
        self._has_loaded = False
        self._wakeups = listeners(self.using, self._leader)
        self.app = kwargs["app"] if "app" in kwargs else args[0]
        self.sender = Sender(self.app, patience=self.timings.patience)
        # Until the database can be asked: whoever takes them for missing would send without a lease.
        self.is_migrated = True
        self._look_again: float | None = 0.0
        self._build()
        with contextlib.suppress(DatabaseError, InterfaceError):
            self._look_for_tables()
        super().__init__(*args, **kwargs)

    def _look_for_tables(self) -> None:
        """Ask whether our tables are there, until they are; what was built for the other case is built anew."""
        if self._look_again is None or time.monotonic() < self._look_again:
            return
        missing = ask_for_missing_tables(self.using)
        if PeriodicTask._meta.db_table in missing:
            raise NotMigrated("the tables of django-celery-beat are missing: run `python manage.py migrate`")
        is_migrated = not missing
        self._look_again = None if is_migrated else time.monotonic() + _MIGRATED
        if is_migrated != self.is_migrated:
            self.is_migrated = is_migrated
            self._build()
            if not is_migrated:
                logger.warning("no lease and no claims: run one Beat only, until `python manage.py migrate` has run")

    def _build(self) -> None:
        """Put the parts together, by whether our tables are there."""
        elected = self.is_migrated or self._leader is None
        election = election_of(self._leader if elected else None, self.using, self.holder, self.timings)
        span = self.timings.span
        claims: Claims = NoClaims(self.using, span)
        if self.is_migrated:
            claims = StoredClaims(self.using, self.holder, span, election.checks_epoch)
        self.leadership = Leadership(election, self.timings)
        deadline = self.app.conf.beat_cron_starting_deadline
        self.roster = Roster(self.using, with_ledger=self.is_migrated, cron_deadline=deadline)
        self.loader = Reloader(self.using, self.roster, self.is_migrated)
        self._pauses = Pauses(self.using, self.loader, self.leadership.span)
        self.presence = Heartbeat(self.using, self.holder, election.name, self.timings.renew)
        self._others = Rivals(self.presence, self.timings.lease, expected=not election.checks_epoch)
        self._dispatch: Dispatch | None = None
        self._begun: int | None = None
        self._claims = claims

    def setup_schedule(self) -> None:
        """Write the entries of the settings, as stock Beat does, and load; a database that is away is waited for."""
        try:
            self._set_up()
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)

    def _set_up(self) -> None:
        self._look_for_tables()
        self.install_default_entries({})
        self.update_from_dict(self.app.conf.beat_schedule)
        with gc_paused():
            self.loader.load()
            # It stays, and has no cycles: nobody need look through it again and again.
            gc.freeze()
        self._is_set_up = True
        mode = _MODES[self.leadership.election.name]
        logger.info("loaded %d schedules; %s", len(self.roster), mode, extra={"holder": self.holder})

    def update_from_dict(self, mapping: Mapping[str, Any]) -> None:
        """Write entries of the settings into the tables (``DatabaseScheduler`` also puts them into its memory)."""
        for name, fields in mapping.items():
            try:
                with bounded(self.using, self.timings.span):
                    self.Entry.from_entry(name, app=self.app, **fields)
            except (OperationalError, InterfaceError) as error:
                if not is_row_locked(error, self.using):
                    raise
                logger.error("`%s` of the settings is not written, somebody has locked its row", name)
            except Exception:
                logger.exception("cannot add `%s` of the settings: %r", name, fields)

    def tick(self, *args: Any, **kwargs: Any) -> float:  # noqa: ARG002
        """Do what there is to do, and wait until there may be more; Celery need not wait besides."""
        self._is_ticking = True
        try:
            delay = self.step()
        except BaseException:
            self._was_interrupted = True
            raise
        finally:
            self._is_ticking = False
        if delay > 0:
            self._woken(wait(self._wakeups, min(delay, self.max_interval)))
        return 0.0

    def _woken(self, by_notice: bool) -> None:
        if by_notice:
            self.loader.hurry()
            self.leadership.hurry()

    def step(self) -> float:
        """Do what there is to do; returns the seconds until the next thing, as far as it is known."""
        try:
            return self._step()
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)
            return self.timings.retry
        except LeaseLost:
            self.leadership.lose("another Beat has it")
            return 0.0

    def _step(self) -> float:
        is_fresh = not self._is_set_up
        if is_fresh:
            self._set_up()
        self._look_for_tables()
        self._load()
        if self.leadership.epoch is None:
            self._begun = None
        if not self.leadership.keep():
            self._present()
            return self._delay(None)
        # Not by whether it was acquired just now: what took longer than a lease had to be renewed first.
        if self._begun is None:
            self._begin(is_fresh)
        self._present()
        self._pauses.end()
        return self._send()

    def _load(self) -> None:
        reload = self.loader.poll()
        self._has_loaded |= reload is not None and bool(reload.changed or reload.gone)
        if reload is not None and self.leadership.leads:
            self._others.judge(reload.traces, self.roster.entries)
        if reload is not None and reload.changed and self._dispatch is not None:
            self._dispatch.look_again()

    def _begin(self, is_fresh: bool) -> None:
        """Begin to lead."""
        logger.warning("leading, epoch %s", self.leadership.epoch, extra={"epoch": self.leadership.epoch})
        self._dispatch = self._dispatch or Dispatch(
            self.using, self.roster, self._claims, self.leadership, self.sender, self.apply_async, self._keep, _now()
        )
        self._dispatch.take_over(is_fresh=is_fresh)
        self._begun = self.leadership.epoch

    def _keep(self, batches: Collection[uuid.UUID]) -> bool:
        """Renew the lease in the middle of a batch; whatever fails, the rest of it is not sent."""
        try:
            if self.leadership.epoch is None or not self.leadership.keep():
                return False
            self._present()
            self._claims.hold(batches)
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)
        return self.leadership.leads

    def _send(self) -> float:
        dispatch = self._dispatch
        if dispatch is None:
            return self.timings.retry
        if not self.leadership.election.checks_epoch and time.monotonic() > self._next_adoption:
            self._next_adoption = time.monotonic() + self.timings.lease
            dispatch.adopt()
        goes_on = dispatch.run(_now())
        if dispatch.found_stale:
            dispatch.found_stale = False
            self.loader.hurry()
        if not goes_on:
            return min(self.timings.retry, POLL)
        return self._delay(self.roster.agenda.next_at())

    def _delay(self, at: datetime | None) -> float:
        """Return the seconds until the next thing to do: a tick, a look for changes, the lease."""
        waits = [self.loader.wait, self.leadership.wait]
        if at is not None:
            waits.append((at - _now()).total_seconds())
        if self.leadership.leads and (wait := self._pauses.wait) is not None:
            waits.append(wait)
        return max(min(waits), 0.0)

    def _present(self) -> None:
        if not self.is_migrated:
            return
        self._others.compare()
        leads = self.leadership.leads
        self.presence.say(
            has_loaded=self._has_loaded,
            leads=leads,
            epoch=self.leadership.epoch or 0,
            loaded=self.loader.number,
            schedules=len(self.roster),
            trouble=self._others.trouble,
        )
        self._has_loaded = False

    def _fail(self, error: Exception) -> None:
        """Lead no longer: what the database has made of the last statement is not known."""
        self.leadership.lose(f"the database failed: {error}")
        logger.error("the database failed, trying again in %g s: %s", self.timings.retry, error)
        self.loader.reset()
        connections[self.using].close()

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send the message of one tick; any error is the caller's, who knows what was claimed."""
        if not isinstance(entry, Message):
            return super().apply_async(entry, producer=producer, advance=advance, **kwargs)
        logger.info(
            "Scheduler: Sending due task %s (%s)", entry.name, entry.task,
            extra={"schedule": entry.name, "task": entry.task, "tick": entry.tick.isoformat()},
        )  # fmt: skip
        task = self.app.tasks.get(entry.task)
        # Tried again by us, under the same claim; Celery's own retry would hold everything else up.
        options = {**entry.options, "producer": producer, "retry": False}
        if task is not None:
            return task.apply_async(entry.args, entry.kwargs, **options)
        return self.send_task(entry.task, entry.args, entry.kwargs, **options)

    @property
    def schedule(self) -> Mapping[str, ModelEntry]:
        """The enabled schedules by name, as entries of django-celery-beat, for whoever looks from outside."""
        if self._is_set_up:
            self.loader.load()
        return UpstreamView(
            self.app,
            self.using,
            self.Entry,
            {entry.name: entry.row_id for entry in self.roster.entries.values()},
        )

    def sync(self) -> None:
        """Do nothing: every run is written back as soon as it is sent."""

    def _hand_over(self) -> None:
        led = self.leadership.epoch is not None
        if self._dispatch is not None:
            with contextlib.suppress(DatabaseError, InterfaceError):
                self._dispatch.hand_over()
        self.leadership.resign()
        if self.is_migrated:
            self.presence.leave()
        if led:
            notify(self.using)
            publish()

    def close(self) -> None:
        """Hand over: give the lease back, so that a standby need not wait for its end.

        Celery calls it from its signal handler too, in the middle of whatever runs, and once more when that is
        through. A second signal must not begin anew in the middle of a statement: the driver's lock would wait for
        itself.
        """
        if self._is_ticking or self._is_closing:
            return
        with uninterrupted():
            self._is_closing = True
            try:
                self._close()
            finally:
                self._is_closing = False

    def _close(self) -> None:
        if self._was_interrupted:
            reconnect(self.using)
            self._was_interrupted = False
        for _ in range(2):
            try:
                self._hand_over()
                break
            except (DatabaseError, InterfaceError) as error:
                reconnect(self.using)
                logger.warning("the lease is not given back, it runs out in %g s: %s", self.timings.lease, error)
        self.sender.close()
        for source in self._wakeups:
            source.close()


_MODES = {
    "database": "standing by for the lease in the database",
    "redis": "standing by for the lease in Redis",
    "none": "no election, every Beat sends",
}


def _now() -> datetime:
    return datetime.now(timezone.utc)
