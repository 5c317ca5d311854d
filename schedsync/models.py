"""The tables of schedsync: ledger, pauses, audit record, apply lock, environment, alarms, and those of its Beats."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class ManagedSchedule(models.Model):
    """The ledger: one row for each schedule that a set owns, with the values that were last applied.

    ``row_id`` refers to the ``PeriodicTask`` without a constraint, because users may delete that row by hand: this is
    drift, and no error.
    """

    set = models.CharField(max_length=100, db_index=True)
    name = models.CharField(max_length=200, unique=True)
    row_id = models.BigIntegerField(null=True, db_index=True)
    timing_kind = models.CharField(max_length=10, blank=True, default="")
    timing_id = models.BigIntegerField(null=True)
    applied = models.TextField(help_text="The canonical form last applied, as JSON.")
    people = models.TextField(default="{}", help_text="Owner, runbook, labels and disabled reason, as JSON.")
    path = models.TextField(blank=True, default="")
    line = models.PositiveIntegerField(default=0)
    column = models.PositiveIntegerField(default=0)
    commit = models.CharField(max_length=64, blank=True, default="")
    applied_at = models.DateTimeField(help_text="An edit since then is somebody else's.")
    delivery = models.CharField(max_length=20, default="at_least_once")
    missed_runs = models.CharField(max_length=10, default="latest")
    starting_deadline = models.PositiveBigIntegerField(null=True, help_text="In seconds.")
    overlap = models.CharField(max_length=10, null=True, help_text="NULL where runs may overlap.")
    max_runtime = models.PositiveBigIntegerField(null=True, help_text="In seconds.")
    monitor = models.CharField(max_length=100, null=True, help_text="As JSON; NULL without a monitor.")

    class Meta:
        verbose_name = "managed schedule"
        permissions: ClassVar = [
            ("apply_schedules", "Can apply the schedules of the files"),
            ("pause_schedules", "Can pause and resume managed schedules"),
            ("run_schedules", "Can run managed schedules now"),
            ("break_glass", "Can open managed schedules for editing"),
        ]

    def __str__(self) -> str:
        return self.name


class Monitor(models.Model):
    """A monitor of a schedule at a service: what we made or took over there, and what was sent last.

    ``row_id`` is as in the ledger: it stays when the schedule is renamed. A monitor that is to be deleted, and one that
    a service could not be told of, keep their row until the next apply has done it.
    """

    service = models.CharField(max_length=20)
    row_id = models.BigIntegerField()
    set = models.CharField(max_length=100, db_index=True)
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=100, blank=True, default="")
    remote_id = models.CharField(max_length=100, blank=True, default="", help_text="Empty until the service knows it.")
    digest = models.CharField(max_length=64, blank=True, default="", help_text="Of what was sent; empty: it waits.")
    made = models.BooleanField(default=False, help_text="False where it was there before: it is never deleted.")
    muted = models.BooleanField(default=False, help_text="As it was sent: the schedule does not run.")
    error = models.TextField(blank=True, default="", help_text="What the service said last, if it failed.")
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["service", "row_id"], name="schedsync_monitor_rows"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


class Removal(models.Model):
    """A schedule that no file defines any more: its row is disabled, and deleted by an apply after ``until``.

    It counts only while the ledger has the same row, and has it disabled: an older version of schedsync that deletes
    the schedule, or puts it back, leaves this row behind.
    """

    name = models.CharField(max_length=200, primary_key=True)
    row_id = models.BigIntegerField(help_text="As in the ledger.")
    since = models.DateTimeField()
    until = models.DateTimeField(help_text="From then on an apply deletes it.")
    held = models.BooleanField(
        default=False, help_text="A human had disabled it before; it stays so if it is put back."
    )

    def __str__(self) -> str:
        return self.name


class Pause(models.Model):
    """An operator's time-boxed stop of one schedule, with a reason; without ``until`` it lasts until it is resumed."""

    name = models.CharField(max_length=200, unique=True)
    reason = models.TextField()
    who = models.CharField(max_length=200)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    held = models.BooleanField(default=False, help_text="A human had disabled it before; it stays so afterwards.")

    def __str__(self) -> str:
        return self.name


class StandingPause(models.Model):
    """The selector of a pause: what an apply adds, and what the selector fits, is paused too, until the pause ends."""

    selector = models.TextField(help_text="As JSON.")
    reason = models.TextField()
    who = models.CharField(max_length=200)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "standing pause"

    def __str__(self) -> str:
        return self.selector


class RolledBack(models.Model):
    """A rolled-back schedule of a set: the forms that its files may not bring back, and the one that is kept.

    ``run`` is the id of the rollback's audit record, without a constraint.
    """

    set = models.CharField(max_length=100)
    name = models.CharField(max_length=200, help_text="The name in the files.")
    kept_name = models.CharField(max_length=200, help_text="The name in the tables.")
    rejected = models.TextField(help_text="Canonical forms as JSON; null for no schedule.")
    kept = models.TextField(blank=True, default="", help_text="A canonical form as JSON; empty for no schedule.")
    released = models.BooleanField(default=False, help_text="Its adoption was rolled back: nobody manages its row.")
    path = models.TextField(blank=True, default="")
    line = models.PositiveIntegerField(default=0)
    column = models.PositiveIntegerField(default=0)
    reason = models.TextField()
    who = models.CharField(max_length=200)
    since = models.DateTimeField()
    run = models.UUIDField()

    class Meta:
        verbose_name = "rolled-back schedule"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["set", "name"], name="schedsync_rolledback_names"),
        ]

    def __str__(self) -> str:
        return self.name


class FullPause(models.Model):
    """The one row of the pause of everything, the one that lasts or the last one.

    Ticks up to ``until`` are not sent once that time is over, and none is sent before.
    """

    who = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True, help_text="Empty where everything was resumed with what fell due.")
    passed_until = models.DateTimeField(null=True, help_text="The end of the pauses before: no earlier tick is sent.")

    class Meta:
        verbose_name = "pause of everything"
        verbose_name_plural = "pause of everything"

    def __str__(self) -> str:
        return f"everything until {self.until}"


class BreakGlass(models.Model):
    """A managed schedule that somebody has opened for editing in the admin, until the next apply of its set.

    ``name`` is that of the ledger, without a constraint.
    """

    name = models.CharField(max_length=200, primary_key=True)
    reason = models.TextField()
    who = models.CharField(max_length=200)
    since = models.DateTimeField()

    class Meta:
        verbose_name = "schedule open for editing"
        verbose_name_plural = "schedules open for editing"

    def __str__(self) -> str:
        return self.name


class SyncRun(models.Model):
    """The audit record: one row for each transaction, and each set that it changed, committed with it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    verb = models.CharField(max_length=20)
    set = models.CharField(max_length=100, db_index=True)
    environment = models.CharField(max_length=100, null=True)
    repository = models.TextField(null=True)
    path = models.TextField(null=True)
    commit = models.CharField(max_length=64, null=True)
    checksum = models.CharField(max_length=80, blank=True, default="")
    who = models.CharField(max_length=200)
    at = models.DateTimeField(db_index=True)
    summary = models.TextField(default="{}", help_text="Counts of changes by kind, as JSON.")
    changes = models.BinaryField(default=b"", help_text="The changes as in a plan, as JSON compressed by zlib.")
    pull_request = models.CharField(max_length=300, null=True, help_text="Its URL, or its number.")
    pipeline = models.CharField(max_length=500, null=True, help_text="The URL of CI's pipeline, or its number.")
    job = models.CharField(max_length=200, null=True)
    reason = models.TextField(null=True)
    names = models.IntegerField(null=True, db_index=True, help_text="How many names have a row; NULL: none yet.")

    class Meta:
        verbose_name = "sync run"

    def __str__(self) -> str:
        return f"{self.verb} {self.set} {self.at:%Y-%m-%d %H:%M:%S}"


class HistoryName(models.Model):
    """One name that an audit record is about, so that the records of a name are found without unpacking all of them.

    ``run`` is the id of the record, without a constraint, and ``at`` its time. A rename has two rows: the new name's
    has the old one in ``old_name``, the old name's has the new one in ``new_name``.
    """

    name = models.CharField(max_length=200)
    at = models.DateTimeField()
    run = models.UUIDField(db_index=True)
    old_name = models.CharField(max_length=200, null=True)
    new_name = models.CharField(max_length=200, null=True)

    class Meta:
        verbose_name = "name in the history"
        verbose_name_plural = "names in the history"
        indexes: ClassVar = [models.Index(fields=["name", "at"], name="schedsync_history_names")]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M:%S}"


class ApplyFailure(models.Model):
    """The last apply of a set, if it failed; a set that is applied loses its row. ``reason`` is as in JSON."""

    set = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField()
    reason = models.CharField(max_length=40)
    who = models.CharField(max_length=200)

    class Meta:
        verbose_name = "failure of an apply"
        verbose_name_plural = "failures of applies"

    def __str__(self) -> str:
        return f"{self.set} {self.at:%Y-%m-%d %H:%M:%S} {self.reason}"


class AppliedFiles(models.Model):
    """What the files of a set said when they were applied last, for readers that have no files.

    The values are as in the tables themselves, so a secret in them is one that is in the tables too.
    """

    set = models.CharField(max_length=100)
    environment = models.CharField(max_length=100, blank=True, default="")
    commit = models.CharField(max_length=64, null=True)
    at = models.DateTimeField()
    digest = models.CharField(max_length=64, help_text="Of the schedules and their places.")
    desired = models.BinaryField(help_text="The schedules as JSON compressed by zlib.")
    load = models.BinaryField(help_text="The load of a week as JSON compressed by zlib.")

    class Meta:
        verbose_name = "applied files"
        verbose_name_plural = "applied files"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["set", "environment"], name="schedsync_appliedfiles_set"),
        ]

    def __str__(self) -> str:
        return f"{self.set} {self.at:%Y-%m-%d %H:%M:%S}"


class Rollout(models.Model):
    """An apply whose first runs are watched until ``deadline``, by the process that looks next.

    ``run`` is the id of its audit record, without a constraint. A newer apply of the set supersedes it.
    """

    run = models.UUIDField(primary_key=True)
    set = models.CharField(max_length=100)
    environment = models.CharField(max_length=100, null=True)
    commit = models.CharField(max_length=64, null=True)
    began = models.DateTimeField()
    deadline = models.DateTimeField()
    on_failure = models.CharField(max_length=10)
    state = models.CharField(max_length=20, default="watching")
    ended_at = models.DateTimeField(null=True, help_text="When its verdict was known; NULL until then.")
    text = models.TextField(blank=True, default="", help_text="Why it ended as it did.")

    class Meta:
        verbose_name = "rollout"
        indexes: ClassVar = [models.Index(fields=["set", "began"], name="schedsync_rollouts")]

    def __str__(self) -> str:
        return f"{self.set} {self.began:%Y-%m-%d %H:%M:%S} {self.state}"


class ApplyLock(models.Model):
    """The one row that the transaction of an apply writes first.

    The lock ends with that transaction, even if its process crashes, and it works through any connection pooler.
    """

    holder = models.CharField(max_length=200, blank=True, default="")
    taken_at = models.DateTimeField(null=True)
    number = models.BigIntegerField(default=0, help_text="Counts what was written behind the lock; Beats report it.")

    class Meta:
        verbose_name = "apply lock"

    def __str__(self) -> str:
        return self.holder


class Lease(models.Model):
    """Row 1 says which Beat sends, and row 2 which agent acts.

    The epoch of the Beats is counted here even where their lease is kept in Redis.
    """

    deployment = models.UUIDField(default=uuid.uuid4, help_text="Names the lease where it lives in Redis.")
    holder = models.UUIDField(null=True)
    epoch = models.BigIntegerField(default=0, help_text="Counts the acquisitions.")
    acquired_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="By the database's clock.")

    def __str__(self) -> str:
        return f"{self.holder} {self.epoch}"


class LeaderLock(models.Model):
    """Says which lock the leader's process has; a Beat, or an agent, that finds it free knows the leader dead.

    Its rows are those of the leases.
    """

    epoch = models.BigIntegerField(default=0, help_text="The lease's epoch; 0 where the leader has no such lock.")
    name = models.CharField(max_length=100)
    server = models.CharField(max_length=200, help_text="A lock is known only to the server that keeps it.")

    class Meta:
        verbose_name = "leader lock"

    def __str__(self) -> str:
        return self.name


class Claim(models.Model):
    """The last tick of a schedule that a Beat has claimed for sending; no tick is claimed twice.

    ``row_id`` is the id of the ``PeriodicTask``, without a constraint as in the ledger. A message whose claim is not
    confirmed may not have been sent. The batch 0 is that of a tick that was passed over (``overlap: skip``).
    """

    row_id = models.BigIntegerField(primary_key=True)
    tick = models.DateTimeField()
    batch = models.UUIDField()
    epoch = models.BigIntegerField()
    claimed_at = models.DateTimeField(help_text="By the database's clock.")
    confirmed = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.row_id} {self.tick:%Y-%m-%d %H:%M:%S}"


class OpenRun(models.Model):
    """A run of a schedule with ``overlap: skip`` that has not ended, as far as Beat and the workers know.

    Beat adds it with the claim, and a worker says when it starts and ends. ``row_id`` is as in a claim. A run that was
    neither sent nor started counts for nothing: its message was dropped. All times are by the database's clock.
    """

    task_id = models.CharField(max_length=255, primary_key=True)
    row_id = models.BigIntegerField(db_index=True)
    sent_at = models.DateTimeField(null=True, help_text="When the broker had its message, or a retry was asked for.")
    started_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        verbose_name = "open run"

    def __str__(self) -> str:
        return f"{self.row_id} {self.task_id}"


class SendFailure(models.Model):
    """The last failure of a schedule to send its message; ``row_id`` is as in a claim."""

    row_id = models.BigIntegerField(primary_key=True)
    tick = models.DateTimeField()
    failed_at = models.DateTimeField(help_text="By the database's clock.")
    reason = models.TextField()
    given_up = models.BooleanField(default=False, help_text="The message can never be sent; else Beat tries again.")

    class Meta:
        verbose_name = "send failure"

    def __str__(self) -> str:
        return f"{self.row_id} {self.tick:%Y-%m-%d %H:%M:%S}"


class EnvironmentBinding(models.Model):
    """The one row that says which environment this database belongs to; a copy of the database has it too.

    ``server_id`` and ``host`` are those of the server when it was bound, empty where the server does not tell.
    """

    environment = models.CharField(max_length=100)
    who = models.CharField(max_length=200)
    at = models.DateTimeField()
    server_id = models.CharField(max_length=100, blank=True, default="")
    host = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name = "environment binding"

    def __str__(self) -> str:
        return self.environment


class Beat(models.Model):
    """One running Beat of schedsync: its name, whether it leads, and the number of the change that it has loaded."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=200)
    pid = models.BigIntegerField()
    election = models.CharField(max_length=20, help_text="Where the lease lives.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="By the database's clock, as all times here.")
    leads = models.BooleanField(default=False)
    leads_since = models.DateTimeField(null=True)
    epoch = models.BigIntegerField(default=0)
    loaded = models.BigIntegerField(default=-1, help_text="The number of the last change that it has loaded.")
    loaded_at = models.DateTimeField(null=True)
    schedules = models.BigIntegerField(default=0)
    trouble = models.TextField(blank=True, default="", help_text="What it says loudly, such as a second scheduler.")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class BeatReport(models.Model):
    """What a Beat reports beyond its heartbeat; the report of the last Beat stays when that Beat has ended.

    ``beat`` is the id of the Beat's row, without a constraint. NULL means unknown.
    """

    beat = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=220, help_text="Host and process.")
    ended_at = models.DateTimeField(null=True, help_text="By the database's clock; NULL until it ends in good order.")
    broken_count = models.BigIntegerField(default=0, help_text="Counts the enabled rows that cannot run.")
    broken = models.TextField(default="[]", help_text="The first of them as JSON: pairs of name and reason.")
    broker_trouble = models.TextField(blank=True, default="", help_text="Why the broker cannot be reached, if so.")
    broker_trouble_since = models.DateTimeField(null=True, help_text="By the database's clock.")
    last_tick = models.DateTimeField(null=True, help_text="The tick that it sent last.")
    last_late = models.FloatField(null=True, help_text="How late that tick was sent, in seconds.")
    clock_ahead = models.FloatField(null=True, help_text="Seconds that its clock is ahead of the database's.")
    environment = models.CharField(max_length=100, null=True)

    class Meta:
        verbose_name = "report of a Beat"
        verbose_name_plural = "reports of Beats"

    def __str__(self) -> str:
        return self.name


class JournalSegment(models.Model):
    """A part of the journal: what became of the ticks that a Beat had since it wrote the last one, or one turn of it.

    Old segments are deleted. ``data`` is read by ``core/journal_data.py``.
    """

    beat = models.UUIDField()
    name = models.CharField(max_length=220, help_text="The Beat's host and process.")
    epoch = models.BigIntegerField()
    turn = models.CharField(max_length=10, blank=True, default="", help_text="Where the Beat begins or ends to lead.")
    first = models.DateTimeField(null=True, help_text="The first of its ticks.")
    last = models.DateTimeField(null=True, help_text="The last of its ticks.")
    written_at = models.DateTimeField(help_text="By the database's clock.")
    data = models.BinaryField()

    class Meta:
        verbose_name = "segment of the journal"
        verbose_name_plural = "segments of the journal"
        indexes: ClassVar = [
            models.Index(fields=["last", "first"], name="schedsync_journal_ticks"),
            models.Index(fields=["turn", "written_at"], name="schedsync_journal_turns"),
            models.Index(fields=["beat", "epoch", "written_at"], name="schedsync_journal_beats"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.written_at:%Y-%m-%d %H:%M:%S}"


class BeatCounters(models.Model):
    """The counters of one Beat since its start, written with its heartbeat; they stay as long as its report.

    ``beat`` is the id of the Beat's row, without a constraint. The metrics explain each of them.
    """

    beat = models.UUIDField(primary_key=True)
    sent = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    given_up = models.BigIntegerField(default=0)
    unsure = models.BigIntegerField(default=0)
    passed_over = models.BigIntegerField(default=0)
    lease_losses = models.BigIntegerField(default=0)
    reloads = models.BigIntegerField(default=0)
    reload_seconds = models.FloatField(default=0.0)

    class Meta:
        verbose_name = "counters of a Beat"
        verbose_name_plural = "counters of Beats"

    def __str__(self) -> str:
        return str(self.beat)


class SentAlarm(models.Model):
    """An alarm that was sent, or is being sent by the process that took it, so that it is sent once.

    ``key`` is a hash of what the alarm is about. All times are by the database's clock.
    """

    key = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=20)
    scope = models.CharField(max_length=200, blank=True, default="", help_text="A set or a host; empty for the leader.")
    subject = models.CharField(max_length=250, help_text="A schedule, a set, or a Beat.")
    began = models.DateTimeField(help_text="When it was seen first.")
    claim = models.UUIDField(null=True, help_text="The call that took it last, to send it.")
    claimed_at = models.DateTimeField(null=True)
    sent_by = models.CharField(max_length=220, blank=True, default="", help_text="Host and process that took it.")
    sent_at = models.DateTimeField(null=True, help_text="When a service accepted it; NULL until then.")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "sent alarm"
        indexes: ClassVar = [models.Index(fields=["ended_at", "kind", "scope"], name="schedsync_alarms_on")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
