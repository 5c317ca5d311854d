"""Our own tables: the ledger, the pauses, the audit record, and the row that an apply locks."""

from __future__ import annotations

import uuid

from django.db import models


class ManagedSchedule(models.Model):
    """The ledger: one row for each schedule that a set owns, and what was last applied to it.

    The reference to the ``PeriodicTask`` is a plain number: a constraint would stand in the way of those who delete
    the row by hand, which is drift, and no error.
    """

    set = models.CharField(max_length=100, db_index=True)
    name = models.CharField(max_length=200, unique=True)
    row_id = models.BigIntegerField(null=True)
    timing_kind = models.CharField(max_length=10, blank=True, default="")
    timing_id = models.BigIntegerField(null=True)
    applied = models.TextField(help_text="The canonical form last applied, as JSON.")
    people = models.TextField(default="{}", help_text="Owner, runbook, labels and disabled reason, as JSON.")
    path = models.TextField(blank=True, default="")
    line = models.PositiveIntegerField(default=0)
    column = models.PositiveIntegerField(default=0)
    commit = models.CharField(max_length=64, blank=True, default="")
    applied_at = models.DateTimeField(help_text="An edit since then is somebody else's.")

    class Meta:
        verbose_name = "managed schedule"

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


class SyncRun(models.Model):
    """The audit record: one row for each transaction that changed something, committed with it."""

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

    class Meta:
        verbose_name = "sync run"

    def __str__(self) -> str:
        return f"{self.verb} {self.set} {self.at:%Y-%m-%d %H:%M:%S}"


class ApplyLock(models.Model):
    """The one row that an apply's transaction writes first: it dies with its holder, and passes through any pooler."""

    holder = models.CharField(max_length=200, blank=True, default="")
    taken_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "apply lock"

    def __str__(self) -> str:
        return self.holder
