"""What goes wrong around an apply: afterwards all of it is there or nothing, and the next apply just works."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections, transaction
from django_celery_beat.models import PeriodicTask

from schedsync.config import read_config
from schedsync.core.pausing import PauseOrder, ResumeOrder
from schedsync.core.selector import Selector
from schedsync.database.lock import take
from schedsync.database.transaction import WaitOptions
from schedsync.models import ManagedSchedule, RolledBack, SyncRun
from schedsync.usecases import pause as operate
from schedsync.usecases import resume as usecase
from schedsync.usecases import sync
from schedsync.usecases.target import Target
from tests import router
from tests.conftest import NOW, Done, Project

BEFORE = "  a: {task: t, every: 1m}\n  b: {task: t, every: 2m}\n  old: {task: t, crontab: '0 3 * * *'}\n"
AFTER = (
    "  a: {task: t, every: 5m}\n  c: {task: t, solar: {event: sunset, latitude: 1, longitude: 2}}\n"
    "  new: {task: t, crontab: '0 4 * * *', renamed_from: old}\nremoved: [b]\n"
)


def state(project: Project) -> tuple[list[tuple[str, int | None]], list[str], int]:
    rows = PeriodicTask.objects.using(project.using).order_by("name").values_list("name", "interval__every")
    names = ManagedSchedule.objects.using(project.using).order_by("name").values_list("name", flat=True)
    return list(rows), list(names), SyncRun.objects.using(project.using).count()


def in_child(project: Project, work: Callable[[], int]) -> int:
    """Run something in a process of its own; returns its exit code, or minus the signal that ended it."""
    connections[project.using].close()
    child = os.fork()
    if child == 0:
        try:
            os._exit(work())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(
    project: Project, number: int, *, after: bool, call: Callable[[Project], Done] = lambda project: project.apply()
) -> int:
    """Apply, or make another call, in a process that is killed before, or after, its n-th statement."""

    def work() -> int:
        count = 0

        def kill(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal count
            count += 1
            if count == number and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = execute(sql, params, many, context)
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        with connections[project.using].execute_wrapper(kill):
            return call(project).code

    return in_child(project, work)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_killed_at_any_statement_leaves_all_or_nothing(project: Project, after: bool) -> None:
    project.schedules(BEFORE)
    project.apply()
    unchanged = state(project)
    project.schedules(AFTER)
    number, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        number += 1
        code = killed_at(project, number, after=after)
        now = state(project)
        assert now == unchanged or [name for name, _ in now[0]] == ["a", "c", "new"], f"at statement {number}"
        if now != unchanged:
            break

    assert number > 15
    assert project.apply().code == 0
    assert state(project)[:2] == ([("a", 5), ("c", None), ("new", None)], ["a", "c", "new"])
    assert project.plan("--exit-code").code == 0


@pytest.mark.one_database("postgresql")
def test_a_rollback_killed_at_any_statement_leaves_all_or_nothing(project: Project) -> None:
    def back(project: Project) -> Done:
        words = ("--yes", "--settle", "0", "--reason", "r", "--allow-stops", "9")
        return project.command("rollback", "--database", project.using, *words)

    def kept() -> int:
        count: int = RolledBack.objects.using(project.using).count()
        return count

    project.schedules(BEFORE)
    project.apply()
    unchanged = state(project)
    project.schedules(AFTER)
    project.apply("--allow-stops", "9")
    applied = state(project)
    number, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        number += 1
        code = killed_at(project, number, after=True, call=back)
        now = state(project)
        if now != applied:
            break
        assert kept() == 0, f"at statement {number}"

    assert number > 15
    assert (now[:2], kept()) == (unchanged[:2], 4)
    assert (project.apply().code, state(project)[:2]) == (0, unchanged[:2])


@contextmanager
def lock_held(using: str) -> Iterator[None]:
    """Hold the apply lock in a transaction of another connection."""
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(using=using):
                take(using, "somebody else", NOW)
                taken.set()
                release.wait(30)
        finally:
            connections[using].close()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    try:
        yield
    finally:
        release.set()
        holder.join()


def test_an_apply_ends_with_5_while_another_holds_the_lock(project: Project) -> None:
    project.schedules(BEFORE)
    with lock_held(project.using):
        done = project.apply("--format", "json")

    assert (done.code, json.loads(done.out)["failure_reason"]) == (5, "locked")
    assert state(project) == ([], [], 0)


def test_an_apply_can_wait_for_the_lock(project: Project) -> None:
    project.schedules(BEFORE)
    with lock_held(project.using):
        threading.Timer(0.5, lambda: None).start()
        waiting = project.apply("--lock-timeout", "1s")
    assert waiting.code == 5
    assert project.apply("--lock-timeout", "1s").code == 0


def test_of_two_applies_at_once_one_does_the_work(project: Project) -> None:
    project.schedules(BEFORE)
    connections[project.using].close()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(project.apply().code)
        children.append(child)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)

    assert codes in ([0, 0], [0, 5])
    assert len(state(project)[0]) == 3
    assert SyncRun.objects.count() == 1


def dropping(using: str, number: int) -> Callable[..., Any]:
    """Return what ends the server's side of the connection before the n-th statement."""
    count = 0

    def drop(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal count
        count += 1
        if count == number:
            kill_connection(using)
        return execute(sql, params, many, context)

    return drop


def kill_connection(using: str) -> None:
    connection = connections[using]
    if connection.vendor == "postgresql":
        own, end = connection.connection.info.backend_pid, "SELECT pg_terminate_backend(%s)"
    else:
        own, end = connection.connection.thread_id(), "KILL %s"
    other = connections.create_connection(using)
    with other.cursor() as cursor:
        cursor.execute(end, [own])
    other.close()
    time.sleep(0.05)


@pytest.mark.parametrize("number", [1, 3, 8, 14, 18])
def test_a_connection_that_drops_leaves_all_or_nothing(project: Project, number: int) -> None:
    if project.using == "default":
        pytest.skip("SQLite has no connection to drop")
    project.schedules(BEFORE)
    project.apply()
    unchanged = state(project)
    project.schedules(AFTER)
    with connections[project.using].execute_wrapper(dropping(project.using, number)):
        done = project.apply()
    connections[project.using].close()

    assert (done.code, state(project)) == (69, unchanged)
    assert "Traceback" not in done.err
    assert "hint: " in done.err
    assert project.apply().code == 0


READ_ONLY = {
    "sqlite": "PRAGMA query_only = {on}",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ {word}",
    "mysql": "SET SESSION TRANSACTION READ {word}",
}


def test_a_database_that_takes_no_writes_says_so(project: Project) -> None:
    project.schedules(BEFORE)
    connection = connections[project.using]
    statement = READ_ONLY[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement.format(on=1, word="ONLY"))
    planned, done = project.plan(), project.apply()
    with connection.cursor() as cursor:
        cursor.execute(statement.format(on=0, word="WRITE"))

    assert (planned.code, done.code) == (0, 69)
    assert "is read-only" in done.err
    assert "use the primary server, not a replica" in done.err


def test_a_database_that_is_not_migrated_says_how_to_go_on(project: Project) -> None:
    project.schedules(BEFORE)
    call_command("migrate", "schedsync", "0013", database=project.using, verbosity=0)
    updated = project.plan()
    call_command("migrate", "schedsync", "zero", database=project.using, verbosity=0)
    try:
        done, examined = project.plan(), project.command("doctor", "--database", project.using)
        router.without_tables.add("schedsync")
        kept_out = project.plan()
    finally:
        router.without_tables.clear()
        call_command("migrate", "schedsync", database=project.using, verbosity=0)
    command = "`python manage.py migrate`"
    if project.using != "default":
        command = f"`python manage.py migrate --database {project.using}`"

    assert done.code == 69
    assert "is not migrated: no table schedsync_managedschedule" in done.err
    assert (updated.code, command in updated.err) == (69, True), updated.err
    assert "is not migrated" in updated.err
    assert "schedsync_managedschedule.overlap" in updated.err
    assert f"hint: {command}" in done.err
    assert f"let them treat it as `django_celery_beat`, then {command}" in kept_out.err
    assert (examined.code, "SS310" in examined.out) == (1, True)


def target(project: Project) -> Target:
    return Target(read_config("schedules"), project.using)


def stale(using: str, name: str = "a") -> PeriodicTask:
    """A row as stock Beat holds it in memory, to be saved whole later."""
    return PeriodicTask.objects.using(using).enabled().get(name=name)


def test_a_whole_row_that_beat_saves_does_not_survive_verification(project: Project) -> None:
    # Another schedule keeps the interval's row: what is written back then refers to something.
    keep = "  keep: {task: t, every: 1m}\n"
    project.schedules(BEFORE + keep)
    project.apply()
    held = stale(project.using)
    project.schedules(BEFORE.replace("1m", "5m") + keep)

    outcome = sync.apply(target(project), lambda _: True, WaitOptions(settle=0.1, sleep=lambda _: held.save()))

    assert outcome is not None
    assert (outcome.repaired, outcome.unconfirmed, outcome.settled > 0) == (("a",), (), True)
    assert project.plan("--exit-code").code == 0


def test_a_rename_that_beat_undoes_is_done_again(project: Project) -> None:
    project.schedules(BEFORE)
    project.apply()
    held = stale(project.using, "old")
    project.schedules(BEFORE.replace("  old: {", "  new: {renamed_from: old, "))

    outcome = sync.apply(target(project), lambda _: True, WaitOptions(settle=0.1, sleep=lambda _: held.save()))

    assert outcome is not None
    assert outcome.repaired == ("new",)
    assert {name for name, _ in state(project)[0]} == {"a", "b", "new"}


def test_a_deleted_one_off_that_beat_writes_back_is_deleted_again(project: Project) -> None:
    project.schedules(BEFORE + "  once: {task: t, every: 1h, one_off: true}\n")
    project.apply()
    held = stale(project.using, "once")
    project.schedules(BEFORE + "removed: [once]\n")

    sync.apply(target(project), lambda _: True, WaitOptions(settle=0.1, sleep=lambda _: held.save()))

    assert {name for name, _ in state(project)[0]} == {"a", "b", "old"}


def test_somebody_who_keeps_writing_back_is_reported(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = "  keep: {task: t, every: 1m}\n"
    project.schedules(BEFORE + keep)
    project.apply()
    held = stale(project.using)
    project.schedules(BEFORE.replace("1m", "5m") + keep)
    monkeypatch.setattr("schedsync.database.confirm.observe_rows", _writing_back(held))
    done = project.apply("--format", "json")

    assert done.code == 6
    answer = json.loads(done.out)
    assert (answer["failure_reason"], answer["verification"]["unconfirmed"]) == ("not_confirmed", ["a"])


def _writing_back(held: PeriodicTask) -> Callable[..., Any]:
    """Observe as always, but save a stale row first: another writer that wins every race."""
    from schedsync.database.observe import observe_rows

    def observing(using: str) -> Any:
        held.save()
        return observe_rows(using)

    return observing


def test_a_pause_during_the_settle_is_left_alone(project: Project) -> None:
    project.schedules(BEFORE.replace("every: 1m", "every: 1m, enabled: false"))
    project.apply()
    project.schedules(BEFORE)
    pause = ["pause", "a", "--reason", "now", "--settle", "0", "--database", project.using]

    outcome = sync.apply(
        target(project), lambda _: True, WaitOptions(settle=0.1, sleep=lambda _: project.command(*pause))
    )

    assert outcome is not None
    assert outcome.unconfirmed == ()
    assert not PeriodicTask.objects.get(name="a").enabled


def test_a_pause_that_beat_undoes_is_made_again(project: Project) -> None:
    project.schedules(BEFORE)
    project.apply()
    held = stale(project.using)
    order = PauseOrder(Selector.of(["a"]), "now")
    paused = operate.pause(project.using, order, WaitOptions(settle=0.1, sleep=lambda _: held.save()))

    assert (paused.pauses[0].until, PeriodicTask.objects.get(name="a").enabled) == (None, False)


def test_a_pause_that_ends_during_its_settle_is_not_made_again(project: Project) -> None:
    project.schedules(BEFORE)
    project.apply()

    def resume(_: float) -> None:
        usecase.resume(project.using, ResumeOrder(Selector.of(["a"])), WaitOptions())

    operate.pause(project.using, PauseOrder(Selector.of(["a"]), "now"), WaitOptions(settle=0.1, sleep=resume))

    assert PeriodicTask.objects.get(name="a").enabled


def test_pausing_a_schedule_whose_row_is_gone_says_how_to_go_on(project: Project) -> None:
    project.schedules(BEFORE)
    project.apply()
    PeriodicTask.objects.filter(name="a").delete()
    done = project.command("pause", "a", "--reason", "x", "--settle", "0", "--database", project.using)
    empty = project.command("pause", "b", "--reason", " ", "--database", project.using)

    assert (done.code, "its row is gone" in done.err) == (1, True)
    assert (empty.code, "a pause needs a reason" in empty.err) == (64, True)


def test_tables_that_move_between_plan_and_lock_are_planned_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.schedules(BEFORE)
    project.apply()
    project.schedules(BEFORE.replace("1m", "5m"))
    calls = iter([True, False])

    def agree(_plan: Any) -> bool:
        if next(calls, False):
            PeriodicTask.objects.filter(name="b").update(queue="elsewhere")
        return True

    outcome = sync.apply(target(project), agree, WaitOptions(settle=0))

    assert outcome is not None
    assert sorted(change.name for change in outcome.changes) == ["a", "b"]


def test_a_deadlock_is_tried_again(project: Project) -> None:
    if project.using == "default":
        pytest.skip("SQLite locks the whole file")
    project.schedules(BEFORE)
    failures = iter([True, True, False])

    class Deadlock(Exception):
        sqlstate = "40P01"
        args = (1213, "Deadlock found")

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "periodictask" in sql and sql.startswith("INSERT") and next(failures, False):
            raise OperationalError("deadlock") from Deadlock()
        return execute(sql, params, many, context)

    with connections[project.using].execute_wrapper(fail):
        assert project.apply().code == 0
    assert len(state(project)[0]) == 3
