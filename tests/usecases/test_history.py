"""``schedsync history``: a month of changes by CI, by people and in Django's admin, and who made each of them."""

from __future__ import annotations

import json
import uuid
import zlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import git
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Paused
from schedsync.core.origin import Binding
from schedsync.database.audit import packed, record, record_request
from schedsync.database.history_upkeep import find_names, history_keep, prune
from schedsync.database.observe import observe
from schedsync.database.pause_ends import end_pauses
from schedsync.database.write_request import WriteRequest
from schedsync.errors import WrongUsage
from schedsync.models import HistoryName, SyncRun
from schedsync.planning.named import Named, named_in
from tests.beat.ours import row
from tests.conftest import Project

NIGHTLY = "  nightly-report: {task: t, crontab: '0 2 * * *', timezone: Europe/Berlin}\n"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MARCH = datetime(2027, 3, 1, 9, 0, tzinfo=timezone.utc)
PULL = "https://github.com/acme/shop/pull"


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_REF", "GITLAB_CI", "JENKINS_URL", "SCHEDSYNC_PULL_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCHEDSYNC_ACTOR", "jo")


def history(project: Project, *words: str) -> dict[str, Any]:
    done = project.command("history", *words, "--database", project.using, "--format", "json")
    assert done.code == 0, done.out
    found: dict[str, Any] = json.loads(done.out)
    return found


def text(project: Project, *words: str) -> list[str]:
    done = project.command("history", *words, "--database", project.using)
    assert done.code == 0, done.err
    return done.out.splitlines()


def applied(project: Project, schedules: str, *words: str) -> None:
    project.schedules(schedules)
    done = project.apply(*words)
    assert done.code == 0, done.err


def said(project: Project, *words: str) -> None:
    done = project.command(*words, "--database", project.using)
    assert done.code == 0, done.err


def logged(project: Project, name: str, flag: int, message: str = "") -> None:
    """Write what Django's admin logs of an edit by ben."""
    users = get_user_model()._default_manager.db_manager(project.using)
    user, _ = users.get_or_create(username="ben")
    kind = ContentType.objects.db_manager(project.using).get_for_model(PeriodicTask)
    task = row(project.using, name)
    LogEntry.objects.using(project.using).create(
        user_id=user.pk, content_type_id=kind.pk, object_id=str(task.pk), object_repr=str(task), action_flag=flag,
        change_message=message, action_time=datetime.now(timezone.utc),
    )  # fmt: skip


def in_ci(monkeypatch: pytest.MonkeyPatch, pull: int) -> None:
    values = {
        "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "maria", "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": str(8800 + pull), "GITHUB_JOB": "deploy",
        "GITHUB_REF": f"refs/pull/{pull}/merge",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SCHEDSYNC_ACTOR", raising=False)


def a_month(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create it under another name, stop it by a pull request, start it by the next one, pause it, edit it by hand."""
    clock.move_to(MARCH)
    with monkeypatch.context() as patch:
        in_ci(patch, 7)
        applied(project, NIGHTLY.replace("nightly-report", "report"))
        clock.shift(3 * DAY)
        in_ci(patch, 8)
        applied(project, NIGHTLY.replace("}", ", renamed_from: report}"))
        clock.shift(3 * DAY)
        in_ci(patch, 9)
        applied(project, NIGHTLY.replace("}", ", enabled: false, disabled_reason: too slow}"), "--allow-stops", "1")
        clock.shift(4 * DAY)
        in_ci(patch, 12)
        applied(project, NIGHTLY)
    clock.shift(5 * DAY)
    said(project, "pause", "nightly-report", "--for", "24h", "--reason", "INC-42", "--settle", "0")
    clock.shift(DAY + HOUR)
    end_pauses(project.using, ["nightly-report"], timedelta(seconds=60))
    clock.shift(DAY)
    PeriodicTask.objects.using(project.using).update(enabled=False)
    logged(project, "nightly-report", CHANGE, '[{"changed": {"fields": ["Enabled"]}}]')
    clock.shift(DAY)
    said(project, "resume", "nightly-report")
    clock.shift(DAY)


def test_it_says_who_stopped_a_schedule_and_which_pull_request_started_it_again(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_month(project, clock, monkeypatch)
    found = history(project, "nightly-report", "--since", "2027-03-01 00:00", "--until", "2027-04-01 00:00")
    short = [
        (each["verb"], each["who"], (each["pull_request"] or "").rpartition("/")[2], each["reason"])
        for each in found["entries"]
    ]
    edited, ended, started, stopped = (found["entries"][number]["changes"][0] for number in (1, 2, 4, 5))

    assert short == [
        ("resume", "jo", "", None),
        ("admin", "ben", "", None),
        ("resume", "jo", "", None),
        ("pause", "jo", "", "INC-42"),
        ("apply", "maria", "12", None),
        ("apply", "maria", "9", None),
        ("apply", "maria", "8", None),
        ("apply", "maria", "7", None),
    ]
    assert found["names"] == [
        {"name": "nightly-report", "until": None},
        {"name": "report", "until": "2027-03-04T09:00:00Z"},
    ]
    assert edited["details"] == {"fields": ["Enabled"]}
    assert (ended["details"]["how"], ended["details"]["ends"]["reason"]) == ("time", "INC-42")
    assert started["fields"] == [{"field": "enabled", "before": False, "after": True}]
    assert stopped["fields"] == [{"field": "enabled", "before": True, "after": False}]
    assert stopped["details"]["disabled_reason"] == "too slow"
    # The index has the names of all records: no other record is searched.
    assert not SyncRun.objects.using(project.using).filter(names=None).exists()


@pytest.mark.one_database
def test_why_names_the_pull_request_too(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    in_ci(monkeypatch, 9)
    applied(project, NIGHTLY)
    clock.shift(HOUR)
    applied(project, NIGHTLY.replace("}", ", enabled: false, disabled_reason: too slow}"), "--allow-stops", "1")
    clock.shift(DAY)
    done = project.command("why", "nightly-report", "--database", project.using)

    assert f"by maria, pull request {PULL}/9" in done.out


@pytest.mark.one_database
def test_the_text_of_a_name_reads_like_a_log(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    a_month(project, clock, monkeypatch)
    lines = [line.partition("   ")[0] if line[:1] != " " else line for line in text(project, "nightly-report")]

    assert lines[:18] == [
        "Fri 19 Mar 10:00 UTC  resumed by jo",
        "    runs again  yes",
        "Thu 18 Mar 10:00 UTC  changed by ben in Django's admin, behind Git's back",
        "    fields  Enabled",
        "Wed 17 Mar 10:00 UTC  resumed by jo",
        "    how         its time was over",
        "    runs again  yes",
        "    ended       the pause by jo since Tue 16 Mar 09:00 UTC until Wed 17 Mar 09:00 UTC: INC-42",
        "Tue 16 Mar 09:00 UTC  paused by jo",
        "    reason  INC-42",
        "    until   Wed 17 Mar 09:00 UTC",
        "Thu 11 Mar 09:00 UTC  enabled by maria",
        "    pull request  https://github.com/acme/shop/pull/12",
        "    pipeline      https://github.com/acme/shop/actions/runs/8812",
        "    job           deploy",
        "    enabled       no → yes",
        "    defined       schedules/shop.yaml:3",
        "Sun 7 Mar 09:00 UTC  disabled by maria",
    ]
    assert lines[-1] == "Its name was `report` until Thu 4 Mar 09:00 UTC"


@pytest.mark.one_database
def test_without_a_name_each_call_has_one_line(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    a_month(project, clock, monkeypatch)
    lines = [line.split() for line in text(project)]

    assert lines[0] == ["when,", "UTC", "run", "what", "set", "who", "from", "reason"]
    assert [line[5:] for line in lines[3:5]] == [
        ["pause", "default", "jo", "INC-42"],
        ["apply:", "1", "updated", "default", "maria", f"{PULL}/12"],
    ]
    assert len(lines) == 8
    assert text(project, "--limit", "2")[-1] == "2 entries, and older ones: see them with `--limit` or `--until`"
    assert [each["verb"] for each in history(project, "--verb", "pause", "--set", "default")["entries"]] == ["pause"]
    assert history(project, "--set", "other")["entries"] == []
    assert text(project, "--set", "other") == ["No record"]
    assert history(project)["entries"][0]["changes"] is None
    assert history(project, "--verbose")["entries"][0]["changes"][0]["kind"] == "resume"


@pytest.mark.one_database
def test_a_former_name_and_a_deleted_schedule_are_found(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY.replace("nightly-report", "report"))
    clock.shift(HOUR)
    applied(project, NIGHTLY.replace("}", ", renamed_from: report}"))
    clock.shift(HOUR)
    applied(project, NIGHTLY.replace("nightly-report", "report") + NIGHTLY)
    clock.shift(HOUR)
    applied(project, NIGHTLY, "--allow-stops", "1")

    def kinds(name: str) -> list[str]:
        return [change["kind"] for each in history(project, name)["entries"] for change in each["changes"]]

    # The second schedule of this name is another one.
    assert kinds("nightly-report") == ["rename", "create"]
    # The first one is found by its new name.
    assert kinds("report") == ["delete", "create", "rename", "create"]
    clock.shift(HOUR)
    applied(project, NIGHTLY.replace("nightly-report", "last").replace("}", ", renamed_from: nightly-report}"))
    assert kinds("nightly-report") == ["rename", "rename", "create"]


def test_a_glob_finds_all_names_that_it_fits(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY + NIGHTLY.replace("nightly", "100%_nightly") + NIGHTLY.replace("nightly", "1000_nightly"))
    found = history(project, "100%_*")
    unknown = project.command("history", "daily-*", "--database", project.using)

    assert [change["name"] for change in found["entries"][0]["changes"]] == ["100%_nightly-report"]
    assert len(history(project, "*-rep[o]rt")["entries"][0]["changes"]) == 3
    assert (unknown.code, unknown.err.splitlines()[0]) == (
        1,
        "error: no schedule fits `daily-*`, and none did, as far as the records go",
    )


@pytest.mark.one_database
def test_an_unknown_name_is_an_error_that_suggests_another_one(project: Project) -> None:
    applied(project, NIGHTLY)
    done = project.command("history", "nightly-reprt", "--database", project.using)

    assert done.code == 1
    assert "did you mean `nightly-report`" in done.err
    assert project.command("history", "--since", "1d", "--until", "2d", "--database", project.using).code == 64


@pytest.mark.one_database
def test_pauses_of_everything_and_what_the_ledger_did_belong_to_a_name(project: Project, clock: Any) -> None:
    said(project, "pause", "--all", "--for", "1h", "--reason", "before it was there")
    clock.shift(2 * HOUR)
    applied(project, NIGHTLY)
    for words in (
        ["pause", "--all", "--for", "1h", "--reason", "INC-1"],
        ["resume", "--all"],
        ["ledger", "rename", "default", "shop", "--yes"],
        ["ledger", "move", "nightly-report", "--to", "other", "--yes"],
        ["ledger", "release", "nightly-report", "--yes"],
    ):
        clock.shift(HOUR / 2)
        said(project, *words)
    found = history(project, "nightly-report")["entries"]
    moves = [each["fields"] for entry in found for each in entry["changes"] if each["kind"] in ("move", "rename_set")]

    assert [(each["verb"], each["reason"]) for each in found] == [
        ("release", None), ("move", None), ("move", None), ("rename", None), ("resume_all", None),
        ("pause_all", "INC-1"), ("apply", None),
    ]  # fmt: skip
    assert moves[-1] == [{"field": "set", "before": "default", "after": "shop"}]


@pytest.mark.one_database
def test_a_pause_of_everything_is_shown_where_nothing_else_was_done_in_the_time(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    clock.shift(30 * DAY)
    said(project, "pause", "--all", "--for", "1h", "--reason", "INC-7")

    assert [each["reason"] for each in history(project, "nightly-report", "--since", "1d")["entries"]] == ["INC-7"]
    assert [each["reason"] for each in history(project, "night*", "--since", "1d")["entries"]] == ["INC-7"]


@pytest.mark.one_database
def test_a_name_that_never_was_is_an_error_in_any_time(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    said(project, "pause", "--all", "--for", "1h", "--reason", "INC-7")
    done = project.command("history", "nightly-repotr", "--since", "1d", "--database", project.using)

    assert (done.code, "did you mean `nightly-report`" in done.err) == (1, True)


@pytest.mark.one_database
def test_an_apply_records_the_pause_that_it_ends(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    said(project, "pause", "nightly-report", "--for", "1h", "--reason", "INC-42", "--settle", "0")
    clock.shift(2 * HOUR)
    applied(project, NIGHTLY)
    changes = history(project, "nightly-report")["entries"][0]["changes"]

    assert [(each["kind"], each["details"].get("how")) for each in changes] == [("update", None), ("resume", "apply")]


@pytest.mark.one_database
def test_a_pause_that_begins_as_another_one_ends_is_the_one_that_lasts(project: Project, clock: Any) -> None:
    at = datetime.now(timezone.utc)
    over = Paused("nightly-report", "INC-42", "jo", at - DAY, at - HOUR)
    request = WriteRequest(
        using=project.using, verb="apply", set="default", binding=Binding(), checksum="", changes=(), lost_rows=(),
        to_record=(), who="jo", now=at, joined=(replace(over, reason="all night", since=at, until=at + DAY),),
        ended=(over,),
    )  # fmt: skip
    record_request(request, observe(project.using, "default"))
    changes = history(project, "nightly-report")["entries"][0]["changes"]

    assert [(each["kind"], each["details"].get("reason")) for each in changes] == [
        ("resume", None),
        ("pause", "all night"),
    ]


@pytest.mark.one_database
def test_a_pause_that_loses_its_schedule_is_not_called_over(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    said(project, "pause", "nightly-report", "--for", "24h", "--reason", "INC-42", "--settle", "0")
    clock.shift(HOUR)
    applied(project, "  other: {task: t, every: 1h}\nremoved: [nightly-report]\n", "--allow-stops", "1")
    lines = text(project, "nightly-report")

    assert " deleted by jo " in lines[0]
    assert "    how      its schedule is no longer managed" in lines
    assert any("the pause by jo" in line for line in lines)


@pytest.mark.one_database
def test_too_many_names_are_refused(project: Project) -> None:
    done = project.command("history", *(f"n-{number}" for number in range(101)), "--database", project.using)

    assert (done.code, "101 names are too many" in done.err) == (64, True)


@pytest.mark.parametrize("name", ["x" * 201, "a\0b", "\ud800", 7, None])
def test_a_name_that_no_database_stores_is_none(name: Any) -> None:
    documents = [{"kind": "update", "name": name}, {"kind": "rename", "name": "new", "old_name": name}]

    assert named_in(documents) == (Named("new"),)


@pytest.mark.one_database
def test_secrets_are_masked_and_hostile_text_is_escaped(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDSYNC_ACTOR", "jo\x1b[31m\n::error::x")
    monkeypatch.setenv("SCHEDSYNC_PULL_REQUEST", "https://jo:s3cret@git.example/12\n##[group]")
    applied(project, NIGHTLY.replace("}", ", kwargs: {token: s3cretvalue}}"))
    said(project, "pause", "nightly-report", "--reason", "a\u202eb\n::warning::", "--settle", "0")
    said(project, "pause", "nightly-report", "--reason", "token=s3cretvalue", "--settle", "0")
    done = project.command("history", "nightly-report", "--database", project.using)
    table = project.command("history", "--database", project.using)
    said_json = json.dumps(history(project, "nightly-report"))

    for out in (done.out, table.out):
        assert not {"\x1b", "\u202e"} & set(out)
        assert not [line for line in out.splitlines() if line.lstrip().startswith("::")]
        assert "##[" not in out
    assert "s3cret" not in done.out + table.out + said_json
    assert "***" in said_json


def broken(**columns: Any) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "verb": "apply",
        "set": "default",
        "who": "x",
        "at": datetime.now(timezone.utc),
    } | columns


@pytest.mark.one_database
@pytest.mark.parametrize(
    "columns",
    [
        {"changes": b"garbage"},
        {"changes": zlib.compress(b"{}"[:1])},
        {"changes": zlib.compress(b"[" * 100_000)},
        {"changes": zlib.compress(b'[1, null, {}, {"kind": 1, "fields": 3, "name": {}}]')},
        {"changes": packed([{"kind": "update", "name": "nightly-report", "fields": [{}], "apply": 7}])},
        {"summary": "garbage"},
        {"summary": "[1]"},
        {"summary": '{"update": "many", "delete": null}'},
        {"verb": "a verb that comes", "changes": packed([{"kind": "later", "name": "nightly-report", "new": [1]}])},
    ],
)
def test_a_damaged_record_stops_nothing(project: Project, columns: dict[str, Any]) -> None:
    applied(project, NIGHTLY)
    SyncRun.objects.using(project.using).create(**broken(**columns))
    total = SyncRun.objects.using(project.using).count()

    assert len(history(project, "--verbose")["entries"]) == total == len(history(project)["entries"])
    assert len(text(project)) == total + 1
    assert text(project, "--verbose")
    assert "create" in json.dumps(history(project, "nightly-report"))
    assert find_names(project.using) == 1
    assert "create" in json.dumps(history(project, "nightly-report"))


def test_records_of_an_older_version_are_found_and_get_their_names_by_an_apply(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY.replace("nightly-report", "report"))
    clock.shift(HOUR)
    applied(project, NIGHTLY.replace("}", ", renamed_from: report}"))
    clock.shift(HOUR)
    HistoryName.objects.using(project.using).all()._raw_delete(project.using)
    SyncRun.objects.using(project.using).update(names=None, pull_request=None, pipeline=None, job=None, reason=None)
    before = [history(project, name) for name in ("nightly-report", "report", "*report")]
    applied(project, NIGHTLY.replace("0 2", "0 3"))
    after = history(project, "nightly-report", "--until", "2026-11-23 12:00")

    assert [[each["verb"] for each in found["entries"]] for found in before] == [["apply", "apply"]] * 3
    assert after["entries"] == before[0]["entries"]
    assert not SyncRun.objects.using(project.using).filter(names=None).exists()
    assert HistoryName.objects.using(project.using).count() == 4


@pytest.mark.one_database
def test_a_name_among_many_records_takes_few_queries(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    clock.shift(HOUR)

    def queries(*words: str) -> int:
        with CaptureQueriesContext(connections[project.using]) as captured:
            history(project, *words)
        return len(captured)

    calls: list[list[str]] = [["nightly-report"], [], ["--verbose"], ["*-report"]]
    few = [queries(*words) for words in calls]
    many = [broken(names=1, changes=packed([{"kind": "update", "name": f"other-{n}"}])) for n in range(3000)]
    SyncRun.objects.using(project.using).bulk_create([SyncRun(**columns) for columns in many])
    names = [HistoryName(name=f"other-{n}", at=each["at"], run=each["id"]) for n, each in enumerate(many)]
    HistoryName.objects.using(project.using).bulk_create(names)

    assert [queries(*words) for words in calls] == few
    assert len(history(project, "nightly-report")["entries"]) == 1


def test_old_records_are_pruned_but_not_what_other_verbs_need(
    project: Project, clock: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in (2, 3, 4):
        applied(project, NIGHTLY.replace("0 2", f"0 {hour}"))
        clock.shift(HOUR)
    unfinished = broken(verb="run_past", summary='{"done":0,"run_past":3}')
    SyncRun.objects.using(project.using).create(**unfinished)
    SyncRun.objects.using(project.using).create(**broken(verb="run_past", summary='{"done":1,"run_past":3}'))
    monkeypatch.setattr("schedsync.database.history_upkeep._BATCH", 1)
    clock.shift(401 * DAY)
    settings.SCHEDSYNC_HISTORY_KEEP = "400d"
    said(project, "pause", "nightly-report", "--reason", "INC-42", "--settle", "0")
    last = SyncRun.objects.using(project.using).filter(verb="apply").latest("at").pk
    assert prune(project.using, datetime.now(timezone.utc) - 400 * DAY) == 3
    left = SyncRun.objects.using(project.using).order_by("at")

    assert [each.verb for each in left] == ["apply", "run_past", "pause"]
    assert left[0].pk == last
    assert HistoryName.objects.using(project.using).count() == 2
    # An apply prunes by itself: now there is a later one.
    clock.shift(HOUR)
    applied(project, NIGHTLY)
    assert [each.verb for each in left.all()] == ["run_past", "pause", "apply"]


@pytest.mark.one_database
@pytest.mark.parametrize("value", ["400", "x", 0, -1, True, float("nan"), timedelta(hours=1), [], "1h"])
def test_a_time_to_keep_that_is_none_is_found_and_deletes_nothing(project: Project, settings: Any, value: Any) -> None:
    settings.SCHEDSYNC_HISTORY_KEEP = value
    with pytest.raises(WrongUsage, match="SCHEDSYNC_HISTORY_KEEP is no time to keep"):
        history_keep()
    project.schedules(NIGHTLY)
    done = project.apply()

    assert done.code == 0
    assert "no old record of the history was deleted" in done.err
    assert "SS174" in project.command("doctor", "--database", project.using).out


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("400d", 400 * DAY), (400, 400 * DAY), (400 * DAY, 400 * DAY), (1e30, 36500 * DAY)],
)
def test_a_time_to_keep(settings: Any, value: Any, expected: timedelta | None) -> None:
    settings.SCHEDSYNC_HISTORY_KEEP = value

    assert history_keep() == expected


@pytest.mark.one_database
def test_an_apply_that_cannot_prune_is_done_all_the_same(project: Project, clock: Any, settings: Any) -> None:
    applied(project, NIGHTLY)
    clock.shift(HOUR)
    applied(project, NIGHTLY.replace("0 2", "0 3"))
    clock.shift(2 * DAY)
    settings.SCHEDSYNC_HISTORY_KEEP = 1
    project.schedules(NIGHTLY)
    with connections[project.using].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER keep BEFORE DELETE ON schedsync_syncrun BEGIN SELECT RAISE(ABORT, 'it is kept'); END"
        )
        try:
            done = project.apply()
        finally:
            cursor.execute("DROP TRIGGER keep")

    assert done.code == 0
    assert "the history was not tidied up, the next apply tries again: it is kept" in done.err
    assert len(history(project)["entries"]) == 3
    assert len(history(project, "nightly-report")["entries"]) == 3


@pytest.mark.one_database("postgresql", "mariadb")
def test_an_apply_goes_on_while_another_one_prunes(project: Project, clock: Any) -> None:
    applied(project, NIGHTLY)
    clock.shift(HOUR)
    # The record that the other one deletes is the one that `last_binding` reads.
    other = connections.create_connection(project.using)
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("DELETE FROM schedsync_historyname")
            cursor.execute("DELETE FROM schedsync_syncrun")
        applied(project, NIGHTLY.replace("0 2", "0 3"))
        other.commit()
    finally:
        other.close()

    assert [each["counts"] for each in history(project, "nightly-report")["entries"]] == [{"update": 1}]


@pytest.mark.one_database
def test_a_time_that_cannot_be_read_stops_nothing_and_prunes_nothing(project: Project) -> None:
    applied(project, NIGHTLY)
    SyncRun.objects.using(project.using).create(**broken())
    with connections[project.using].cursor() as cursor:
        cursor.execute("UPDATE schedsync_syncrun SET at = 'never' WHERE who = 'x'")

    assert len(history(project, "nightly-report")["entries"]) == len(history(project)["entries"]) == 1
    assert prune(project.using, datetime.now(timezone.utc) + DAY) == 0
    applied(project, NIGHTLY.replace("0 2", "0 3"))
    assert len(history(project, "nightly-report")["entries"]) == 2


@pytest.mark.one_database
def test_an_id_that_cannot_be_read_does_not_end_an_apply(project: Project, settings: Any) -> None:
    settings.SCHEDSYNC_HISTORY_KEEP = "1d"
    applied(project, NIGHTLY)
    SyncRun.objects.using(project.using).create(**broken(at=datetime(2020, 1, 1, tzinfo=timezone.utc)))
    with connections[project.using].cursor() as cursor:
        cursor.execute("UPDATE schedsync_syncrun SET id = 'none' WHERE who = 'x'")
    project.schedules(NIGHTLY.replace("0 2", "0 3"))
    done = project.apply()

    assert (done.code, "the history was not tidied up" in done.err) == (0, True)


@pytest.mark.one_database
def test_a_record_of_similar_names_only_is_not_shown(project: Project, clock: Any) -> None:
    # The database finds both by this glob.
    documents = [{"kind": "update", "name": "nightly-rexort"}, {"kind": "lift", "rule": "too_many_stops"}]
    applied(project, NIGHTLY)
    record(
        project.using, "apply", "default", "jo", datetime.now(timezone.utc), {"update": 1}, changes=packed(documents)
    )

    assert [each["counts"] for each in history(project, "nightly-re[a-p]ort")["entries"]] == [{"create": 1}]


@pytest.mark.one_database
def test_the_history_needs_the_migration(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.database.history.has_table", lambda _using, _model: False)
    done = project.command("history", "--database", project.using)

    assert done.code == 69
    assert "is not migrated: no table schedsync_historyname" in done.err


@pytest.mark.one_database
def test_an_apply_takes_the_pull_request_from_the_commit(project: Project) -> None:
    project.schedules(NIGHTLY)
    with git.Repo.init(project.root) as repository:
        with repository.config_writer() as config:
            config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")
        repository.git.add(all=True)
        commit = repository.index.commit("Stop the report (#12)").hexsha
    assert project.apply().code == 0
    entry = history(project)["entries"][0]

    assert (entry["commit"], entry["dirty"], entry["pull_request"]) == (commit, False, "#12")


@pytest.mark.one_database
def test_a_new_version_writes_its_records_before_the_migration_has_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedsync.database.audit.has_table", lambda _using, _model: False)
    applied(project, NIGHTLY)
    written = SyncRun.objects.using(project.using).get()

    assert (written.verb, written.names) == ("apply", 1)
