"""``schedsync why`` on real rows: what a Beat, an apply, a pause and a human left behind."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery, current_app
from celery.exceptions import NotRegistered, TaskRevokedError
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.models import CharField, Value
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from schedsync.core.journal_data import micros, packed
from schedsync.core.task_id import task_id
from schedsync.database import journal
from schedsync.database.open_runs import note_ended, note_started
from schedsync.database.pause_ends import end_pauses
from schedsync.models import Beat as BeatRow
from schedsync.models import Claim, FullPause, JournalSegment, SyncRun
from schedsync.usecases.task_results import outcomes
from tests.beat.ours import Beat, row
from tests.beat.test_in_hand import refuses
from tests.conftest import NOW, Project

NIGHTLY = "  nightly: {task: t, crontab: '0 2 * * *', timezone: Europe/Berlin}\n"
OFTEN = "  often: {task: t, every: 10m}\n"
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
#: Tue 02:00 in Berlin.
TICK = NOW + 15 * HOUR


def why(project: Project, name: str, *words: str) -> dict[str, Any]:
    done = project.command("why", name, "--database", project.using, "--format", "json", *words)
    assert done.code == 0, done.out
    found: dict[str, Any] = json.loads(done.out)
    return found


def applied(project: Project, schedules: str, *words: str) -> None:
    project.schedules(schedules)
    assert project.apply(*words).code == 0


def sent(project: Project, clock: Any, name: str = "nightly") -> None:
    """Write what a Beat leaves that has sent a tick, and let an hour pass."""
    clock.move_to(TICK + HOUR)
    tasks = PeriodicTask.objects.using(project.using).filter(name=name)
    tasks.update(last_run_at=TICK, total_run_count=1)
    Claim.objects.using(project.using).create(
        row_id=tasks.get().pk, tick=TICK, batch=uuid4(), epoch=1, claimed_at=TICK + SECOND / 50, confirmed=True
    )


def logged(project: Project, name: str, flag: int, message: str = "") -> None:
    """Write what Django's admin logs of an edit by ben."""
    users = get_user_model()._default_manager.db_manager(project.using)
    user, _ = users.get_or_create(username="ben")
    kind = ContentType.objects.db_manager(project.using).get_for_model(PeriodicTask)
    task = row(project.using, name)
    LogEntry.objects.using(project.using).create(
        user_id=user.pk, content_type_id=kind.pk, object_id=str(task.pk), object_repr=str(task), action_flag=flag,
        change_message=message, action_time=datetime.now(NOW.tzinfo),
    )  # fmt: skip


def kinds(answer: dict[str, Any]) -> set[str]:
    return {evidence["kind"] for evidence in answer["evidence"]}


def test_it_says_which_beat_sent_the_last_tick(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    beat = Beat(clock)
    beat.settle()
    clock.move_to(TICK)
    beat.settle()
    clock.shift(HOUR)
    # The database's clock is not frozen.
    Claim.objects.using(project.using).update(claimed_at=TICK + SECOND / 50)
    name = BeatRow.objects.using(project.using).get()
    found = why(project, "nightly")
    text = project.command("why", "nightly", "--database", project.using)

    assert found["answer"] == {
        "tick": "2026-11-24T01:00:00Z",
        "verdict": "sent",
        "sentence": f"nightly was sent for Tue 24 Nov 02:00 Europe/Berlin (01:00 UTC) by {name}, 0.02 s late",
        "because": found["answer"]["because"],
        "evidence": found["answer"]["evidence"],
        "task_id": task_id("nightly", TICK),
        "outcome": None,
        "commands": [],
    }
    assert kinds(found["answer"]) == {"seen", "inferred"}
    assert (found["next"]["tick"], found["next"]["verdict"]) == ("2026-11-25T01:00:00Z", "coming")
    assert task_id("nightly", TICK) in {message.task_id for _, message in beat.scheduler.sent}
    assert text.code == 0
    assert text.out.splitlines()[-2:] == [
        "Next:   Wed 25 Nov 02:00 Europe/Berlin",
        "Timing: daily 02:00 Europe/Berlin   schedules/shop.yaml:3",
    ]


def paused(project: Project) -> None:
    done = project.command("pause", "nightly", "--reason", "INC-42", "--settle", "0", "--database", project.using)
    assert done.code == 0


def paused_all(project: Project, *words: str) -> None:
    assert project.command("pause", "--all", "--for", "20h", "--reason", "INC-1", "--database", project.using).code == 0


def ended_all(project: Project) -> None:
    paused_all(project)
    # The next pause of everything replaces the row: what it said is in the audit record only.
    FullPause.objects.using(project.using).all().delete()


def held(project: Project) -> None:
    PeriodicTask.objects.using(project.using).filter(name="nightly").update(enabled=False)
    logged(project, "nightly", CHANGE, '[{"changed": {"fields": ["Enabled"]}}]')


def held_silently(project: Project) -> None:
    PeriodicTask.objects.using(project.using).filter(name="nightly").update(enabled=False)


def disabled(project: Project) -> None:
    applied(project, NIGHTLY.replace("}", ", enabled: false, disabled_reason: no customers}"), "--allow-stops", "1")


def broken(project: Project) -> None:
    PeriodicTask.objects.using(project.using).filter(name="nightly").update(args="{oops")


def broken_zone(project: Project) -> None:
    CrontabSchedule.objects.using(project.using).update(timezone=Value("Mars/Base", CharField()))


def expired(project: Project) -> None:
    applied(project, NIGHTLY.replace("}", ", expires_at: '2026-11-23T20:00:00Z'}"), "--allow-stops", "1")


def not_started(project: Project) -> None:
    applied(project, NIGHTLY.replace("}", ", start_at: '2027-01-01T00:00:00Z'}"), "--allow-stops", "1")


@pytest.mark.parametrize(
    ("stop", "verdict", "end", "of_kinds"),
    [
        (paused, "paused", "until it is resumed: INC-42", {"decided"}),
        (paused_all, "paused", "until Tue 24 Nov 08:00: INC-1", {"decided"}),
        (ended_all, "paused", "until Tue 24 Nov 08:00: INC-1", {"decided"}),
        (held, "held", "held by ben since Mon 23 Nov 12:00", {"seen"}),
        (held_silently, "held", "held by an unknown user, some time after Mon 23 Nov 11:00", {"seen", "unknown"}),
        (disabled, "disabled", ": no customers", {"decided"}),
        (broken, "broken", "its row cannot run: ", {"seen"}),
        (broken_zone, "broken", "unknown time zone `Mars/Base`, stock Beat stops while it reads", {"seen"}),
        (expired, "expired", "it ended at Mon 23 Nov 21:00", {"decided"}),
        (not_started, "not_started", "it starts at Fri 1 Jan 01:00", {"decided"}),
    ],
)
def test_it_says_what_stopped_a_schedule(
    project: Project, clock: Any, stop: Callable[[Project], None], verdict: str, end: str, of_kinds: set[str]
) -> None:
    applied(project, NIGHTLY)
    clock.shift(HOUR)
    stop(project)
    clock.move_to(TICK + HOUR)
    found = why(project, "nightly", "--at", "02:00")

    assert (found["answer"]["verdict"], found["answer"]["tick"]) == (verdict, "2026-11-24T01:00:00Z")
    assert end in found["answer"]["sentence"]
    assert kinds(found["answer"]) == of_kinds
    assert found["next"]["verdict"] in (verdict, "coming", "completed")


@pytest.mark.one_database
def test_the_next_tick_waits_for_a_run_that_has_not_ended(project: Project, clock: Any) -> None:
    applied(project, "  x: {task: t, every: 1m, overlap: skip, max_runtime: 10d}\n")
    note_started(project.using, "5f3e", "x", "w")
    waits = json.dumps(why(project, "x")["next"])
    note_ended(project.using, "5f3e")
    after = json.dumps(why(project, "x")["next"])

    assert "run 5f3e is still running, since " in waits
    assert "5f3e" not in after


def test_each_of_two_pauses_of_everything_has_its_own_reason(project: Project, clock: Any) -> None:
    applied(project, OFTEN)
    where = ("--database", project.using)
    for who in ("INC-1", "INC-2"):
        assert project.command("pause", "--all", "--for", "2h", "--reason", who, *where).code == 0
        clock.shift(HOUR)
    first, second = why(project, "often", "--at", "10:30"), why(project, "often", "--at", "11:30")
    assert project.command("resume", "--all", *where).code == 0
    clock.shift(HOUR)
    after = why(project, "often", "--at", "11:30")

    assert [found["answer"]["because"][-5:] for found in (first, second, after)] == ["INC-1", "INC-2", "INC-2"]
    assert [len(found["answer"]["evidence"]) for found in (first, second, after)] == [1, 1, 1]
    assert second["answer"]["commands"] == ["schedsync resume --all"]
    assert after["answer"]["commands"] == ["schedsync run often"]


def by_resume(project: Project) -> None:
    assert project.command("resume", "often", "--database", project.using).code == 0


def by_beat(project: Project) -> None:
    end_pauses(project.using, ["often"], 10 * SECOND)


def by_apply(project: Project) -> None:
    assert project.apply().code == 0


@pytest.mark.parametrize("end", [by_resume, by_beat, by_apply])
def test_a_pause_that_outlived_its_time_counts_until_it_was_ended(
    project: Project, clock: Any, end: Callable[[Project], None]
) -> None:
    applied(project, OFTEN)
    words = ("--for", "1h", "--reason", "INC-42", "--settle", "0", "--database", project.using)
    assert project.command("pause", "often", *words).code == 0
    # Without any Beat nobody ends it.
    clock.shift(3 * HOUR)
    end(project)
    clock.shift(HOUR)
    found = [why(project, "often", "--at", time)["answer"] for time in ("10:30", "12:30", "13:30")]

    assert [answer["verdict"] == "paused" for answer in found] == [True, True, False]
    assert found[1]["because"].endswith("until Mon 23 Nov 13:00: INC-42")


def test_a_broker_that_refuses_is_named_with_its_words(project: Project, clock: Any) -> None:
    applied(project, OFTEN)
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.fails_at = refuses
    clock.shift(10 * MINUTE)
    beat.settle()
    found = why(project, "often")

    assert (found["answer"]["verdict"], found["answer"]["tick"]) == ("refused", "2026-11-23T10:10:00Z")
    assert "the broker refused it: MessageNacked" in found["answer"]["sentence"]
    assert found["answer"]["commands"] == ["schedsync run often"]


def test_without_any_beat_it_says_that_stock_beat_cannot_be_seen(project: Project, clock: Any) -> None:
    interval = IntervalSchedule.objects.using(project.using).create(every=10, period="minutes")
    tasks = PeriodicTask.objects.using(project.using)
    tasks.create(name="own", task="t", interval=interval, last_run_at=NOW, total_run_count=3)
    tasks.filter(name="own").update(date_changed=NOW - 90 * HOUR)
    clock.shift(5 * MINUTE)
    fine = why(project, "own")
    clock.shift(HOUR)
    late = why(project, "own", "--at", "10:40")
    text = project.command("why", "own", "--database", project.using)

    assert (fine["set"], fine["answer"]["verdict"], kinds(fine["answer"])) == (None, "sent", {"seen", "inferred"})
    assert late["answer"]["verdict"] == "overdue"
    assert kinds(late["answer"]) == {"seen", "inferred", "unknown"}
    assert "every 10m   managed by nobody" in text.out


def test_a_renamed_schedule_answers_for_its_old_name(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    sent(project, clock)
    applied(project, NIGHTLY.replace("nightly: {", "evening: {renamed_from: nightly, "))
    found = why(project, "nightly")

    assert (found["name"], found["asked"]) == ("evening", "nightly")
    assert (found["answer"]["verdict"], found["answer"]["task_id"]) == ("sent", task_id("nightly", TICK))
    assert [note["words"][:38] for note in found["notes"]] == ["`nightly` was renamed to `evening` at "]


def test_a_row_that_somebody_renamed_in_the_tables_is_found_by_both_names(project: Project) -> None:
    applied(project, NIGHTLY)
    PeriodicTask.objects.using(project.using).filter(name="nightly").update(name="mine")
    old, new = why(project, "nightly"), why(project, "mine")

    assert (old["name"], new["name"], new["set"]) == ("mine", "mine", "default")
    assert old["notes"][0]["words"] == "the row of `nightly` has the name `mine` now"


def test_a_deleted_schedule_says_who_deleted_it(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY + OFTEN)
    sent(project, clock)
    applied(project, OFTEN + "removed: [nightly]\n")
    found = why(project, "nightly")
    then = why(project, "nightly", "--at", "2026-11-24 03:00")

    assert found["answer"]["verdict"] == "deleted"
    assert "nightly does not exist any more: it was deleted at Tue 24 Nov 03:00 by " in found["answer"]["sentence"]
    assert found["before"]["tick"] == "2026-11-24T01:00:00Z"
    assert then["answer"]["verdict"] == "no_tick"


def test_a_row_that_the_admin_deleted_names_the_user(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    clock.shift(HOUR)
    logged(project, "nightly", DELETION)
    PeriodicTask.objects.using(project.using).all().delete()
    found = why(project, "nightly")

    assert found["answer"]["sentence"].endswith("its row was deleted by ben at Mon 23 Nov 12:00")
    assert found["next"]["because"] == "its row is gone; the next apply makes it again"


def test_a_name_that_never_existed_is_an_error(project: Project) -> None:
    applied(project, NIGHTLY)
    where = ("--database", project.using)
    near, far = project.command("why", "nigthly", *where), project.command("why", "\x1b[31mx", *where)
    document = json.loads(project.command("why", "x", *where, "--format", "json").out)

    assert (near.code, near.out) == (64, "")
    assert "no schedule is named `nigthly`" in near.err
    assert "did you mean `nightly`?" in near.err
    assert (far.code, "\x1b" in far.err) == (64, False)
    assert document["failure_reason"] == "usage"


def test_what_rows_and_records_say_cannot_write_to_the_terminal(project: Project) -> None:
    interval = IntervalSchedule.objects.using(project.using).create(every=10, period="minutes")
    name = "::add-mask::\x1b[31m\r\u202e"
    PeriodicTask.objects.using(project.using).create(name=name, task="t", interval=interval, last_run_at=NOW)
    done = project.command("why", name, "--database", project.using)

    assert done.code == 0
    assert not {"\x1b", "\r", "\u202e"} & set(done.out)
    assert not any(line.startswith("::") for line in done.out.splitlines())


@pytest.mark.parametrize("words", [["--at", "25:00"], ["--since", "yesterday"], ["--since", "0s"]])
def test_a_wrong_time_is_wrong_usage(project: Project, words: list[str]) -> None:
    assert project.command("why", "x", "--database", project.using, *words).code == 64


def test_it_reads_only_in_a_constant_number_of_queries(project: Project, clock: Any) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connections[project.using]) as queries:
            why(project, "nightly", "--since", "12h")
        return [query["sql"] for query in queries]

    applied(project, NIGHTLY + OFTEN)
    sent(project, clock)
    few = statements()
    for number in range(3):
        more = "".join(f"  s{n}: {{task: t, every: {n + number + 2}m}}\n" for n in range(30))
        applied(project, NIGHTLY + OFTEN + more)
    clock.shift(HOUR)
    many = statements()

    assert len(many) == len(few)
    reading = ("SELECT", "SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "PRAGMA", "SHOW", "DECLARE")
    assert [sql for sql in many if not sql.lstrip().upper().startswith(reading)] == []


@pytest.mark.one_database("postgresql")
def test_a_read_only_role_is_enough(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    sent(project, clock)
    with connections[project.using].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        try:
            found = why(project, "nightly", "--since", "3d")
        finally:
            cursor.execute("SET default_transaction_read_only = off")

    assert found["answer"]["verdict"] == "sent"


def turn(project: Project, kind: str, epoch: int, at: datetime) -> None:
    """Write that a Beat began or ended to lead."""
    JournalSegment.objects.using(project.using).create(
        beat=UUID(int=epoch), name=f"beat-{epoch}:7", epoch=epoch, turn=kind, written_at=at, data=packed({"age": 0})
    )


def test_the_next_leader_is_named_however_long_it_took(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    turn(project, "begin", 1, NOW)
    turn(project, "end", 1, NOW + HOUR)
    turn(project, "begin", 2, TICK + 60 * HOUR)
    clock.move_to(TICK + 61 * HOUR)
    found = why(project, "nightly", "--at", "2026-11-24 02:00")["answer"]

    assert found["verdict"] == "nobody_led"
    assert found["because"] == "nobody led from Mon 23 Nov 12:00 to Thu 26 Nov 14:00"


def test_a_tick_of_a_past_day_is_found_however_much_the_journal_holds(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_SEGMENTS", 5)
    applied(project, NIGHTLY)
    pk = row(project.using, "nightly").pk
    ticks = [TICK + number * 2 * HOUR for number in range(36)]
    JournalSegment.objects.using(project.using).bulk_create(
        JournalSegment(
            beat=UUID(int=1), name="beat-1:7", epoch=1, first=at, last=at, written_at=at,
            data=packed({"dropped": 0, "notes": []}, [[pk if at == TICK else pk + 1], [micros(at)], [20]]),
        )
        for at in ticks
    )  # fmt: skip
    clock.move_to(ticks[-1] + HOUR)
    found = why(project, "nightly", "--at", "2026-11-24 02:00")

    assert found["answer"]["sentence"].endswith(" by beat-1:7, 0.02 s late")


def test_damaged_audit_records_are_passed_over(project: Project) -> None:
    applied(project, NIGHTLY)
    runs = SyncRun.objects.using(project.using)
    for changes in (b"x", b"x\x9c\x03", b""):
        runs.create(verb="apply", set="default", who="w", at=NOW + MINUTE, changes=changes)

    assert why(project, "nightly")["answer"]["verdict"] == "not_created"


@pytest.fixture
def results() -> Iterator[Any]:
    """A project whose tasks leave their results in memory."""
    before = current_app._get_current_object()
    app = Celery("results", backend="cache+memory://", set_as_current=False)
    app.set_current()
    # All such backends of a process share one memory.
    app.backend.client.cache.clear()
    yield app.backend
    before.set_current()


@pytest.mark.parametrize(
    ("store", "verdict", "end"),
    [
        (None, "sent", "0.02 s late"),
        ("done", "sent", "0.02 s late"),
        (TaskRevokedError("expired"), "not_run", "but no worker ran it: it had expired in its queue, or was revoked"),
        (NotRegistered("t"), "not_run", "but no worker ran it: the worker does not know the task"),
        (ValueError("secret"), "sent", "0.02 s late"),
    ],
)
def test_the_result_backend_says_what_the_task_did(
    project: Project, clock: Any, results: Any, store: object, verdict: str, end: str
) -> None:
    applied(project, NIGHTLY)
    sent(project, clock)
    states = {"done": "SUCCESS", None: None}
    state = "FAILURE" if isinstance(store, Exception) else states[store]  # type: ignore[index]
    if state is not None:
        results.store_result(task_id("nightly", TICK), store, state)
    found = why(project, "nightly")["answer"]

    assert found["verdict"] == verdict
    assert found["sentence"].endswith(end)
    assert found["outcome"]["state"] == state
    assert "secret" not in json.dumps(found)
    assert kinds(found) == {"seen", "inferred"} | ({"unknown"} if state is None else set())
    assert why(project, "nightly", "--no-results")["answer"]["outcome"] is None


def test_results_that_only_their_sender_can_read_are_not_asked_for() -> None:
    before = current_app._get_current_object()
    app = Celery("rpc", broker="memory://", backend="rpc://", set_as_current=False)
    app.set_current()
    try:
        assert outcomes(["x"]) == {}
    finally:
        before.set_current()


def test_a_result_backend_that_does_not_answer_is_not_waited_for() -> None:
    before = current_app._get_current_object()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = Celery("silent", backend=f"redis://127.0.0.1:{silent.getsockname()[1]}/0", set_as_current=False)
        app.set_current()
        try:
            told = outcomes(["x"], patience=0.2)
        finally:
            before.set_current()

    assert (told["x"].state, told["x"].trouble) == (None, "the result backend does not answer")
