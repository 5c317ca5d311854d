"""What a database says is told to the user with a way out; by what its driver says, and never by a traceback."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connections, transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.database.faults import Fault, database_errors, fault_of
from schedsync.database.lock import take
from schedsync.errors import Failed, Locked, Unavailable
from schedsync.models import ApplyLock
from tests.conftest import NOW


def test_a_statement_that_fails_is_told_with_a_hint(using: str) -> None:
    with (
        pytest.raises(Unavailable, match=f"database `{using}`: .*nowhere") as caught,
        database_errors(using),
        connections[using].cursor() as cursor,
    ):
        cursor.execute("SELECT 1 FROM nowhere")
    assert caught.value.hint == "see `schedsync doctor`"


def test_a_row_that_is_refused_is_told(using: str) -> None:
    every = IntervalSchedule.objects.using(using).create(every=1, period="days")
    PeriodicTask.objects.using(using).create(name="x", task="t", interval=every)
    twin = PeriodicTask(name="x", task="t", interval=every)
    with (
        pytest.raises(Failed, match=f"database `{using}` refused a row, nothing was written") as caught,
        database_errors(using),
    ):
        PeriodicTask.objects.using(using).bulk_create([twin])
    assert caught.value.hint == "plan again"
    assert isinstance(caught.value.__cause__, IntegrityError)
    assert fault_of(caught.value.__cause__, using) is Fault.DUPLICATE


def test_a_connection_that_was_closed_under_us_is_told(using: str) -> None:
    if connections[using].vendor == "sqlite":
        pytest.skip("a file has no server that could close a connection")
    connections[using].ensure_connection()
    connections[using].connection.close()
    with pytest.raises(Unavailable, match=f"database `{using}` cannot be reached") as caught, database_errors(using):
        PeriodicTask.objects.using(using).count()
    assert caught.value.hint == "check `DATABASES`, and that the server runs"
    connections[using].connection = None


def test_the_first_apply_makes_the_lock_row(using: str) -> None:
    ApplyLock.objects.using(using).all().delete()
    for number in (1, 2):
        with transaction.atomic(using=using):
            assert take(using, "somebody", NOW) == number


def test_a_lock_that_another_connection_holds_is_told(using: str) -> None:
    if using == "default" and str(connections[using].settings_dict["NAME"]).startswith("file:memory"):
        pytest.skip("a database in memory has one connection")
    with transaction.atomic(using=using):
        take(using, "one", NOW)
    other = connections[using].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE schedsync_applylock SET holder = 'other'")
        with pytest.raises(Locked), transaction.atomic(using=using):
            take(using, "two", NOW)
    finally:
        other.close()
