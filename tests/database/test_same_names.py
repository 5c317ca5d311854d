"""Names that the database's collation takes for one: asked of that database, and refused with both names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.database.same_names import same_names
from schedsync.models import ManagedSchedule
from tests.conftest import Project

TRUMPET, ROCKET = "\U0001f3ba", "\U0001f680"
PAIRS = (("caf\u00e9", "cafe"), ("Cafe", "cafe"), (f"go {TRUMPET}", f"go {ROCKET}"), ("stra\u00dfe", "strase"))


@pytest.fixture
def general_ci(project: Project) -> Iterator[Project]:
    """A database whose names have the collation that ignores the most, if it has such a one."""
    connection = connections[project.using]
    if connection.vendor != "mysql":
        yield project
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() "
            "AND TABLE_NAME = 'django_celery_beat_periodictask' AND COLUMN_NAME = 'name'"
        )
        (before,) = cursor.fetchone()
        _collate(cursor, "utf8mb4_general_ci")
        yield project
        for model in (PeriodicTask, ManagedSchedule):
            model._default_manager.using(project.using).all()._raw_delete(project.using)
        _collate(cursor, before)


def _collate(cursor: object, collation: str) -> None:
    for model in (PeriodicTask, ManagedSchedule):
        cursor.execute(  # type: ignore[attr-defined]
            f"ALTER TABLE {model._meta.db_table} MODIFY name VARCHAR(200) "
            f"CHARACTER SET utf8mb4 COLLATE {collation} NOT NULL"
        )


def schedule(name: str) -> str:
    return f'  "{name}": {{task: t, every: 1m}}\n'


@pytest.mark.parametrize(("new", "present"), PAIRS)
def test_a_name_that_a_row_has_for_the_database_is_refused(general_ci: Project, new: str, present: str) -> None:
    project = general_ci
    takes_for_one = connections[project.using].vendor == "mysql"
    project.schedules(schedule(present))
    assert project.apply().code == 0
    ManagedSchedule.objects.all().delete()
    project.schedules(schedule(new))
    done = project.apply()

    if not takes_for_one:
        assert done.code == 0, done.err
        return
    assert done.code == 3, done.out + done.err
    assert f"`{new}` and `{present}` are one name for this database" in done.err
    assert f"`{new}` and `{present}` are one name for this database" in project.plan().out


@pytest.mark.parametrize(("new", "present", "code"), [("caf\u00e9", "cafe", "SS147"), ("cafe", "Cafe", "SS142")])
def test_two_new_names_that_are_one_for_the_database_are_refused(
    general_ci: Project, new: str, present: str, code: str
) -> None:
    project = general_ci
    project.schedules(schedule(present) + schedule(new))
    planned, done = project.plan(), project.apply()

    assert code not in planned.out + planned.err + done.out + done.err
    if connections[project.using].vendor == "mysql":
        assert (done.code, f"`{new}` and `{present}` are one name for this database" in done.err) == (3, True)
    else:
        assert done.code == 0, done.err
        assert set(PeriodicTask.objects.values_list("name", flat=True)) == {new, present}


def test_where_case_matters_both_names_go_on(project: Project) -> None:
    if connections[project.using].vendor == "mysql":
        return
    project.schedules(schedule("Cafe") + schedule("cafe"))
    assert project.apply().code == 0
    rows = dict(PeriodicTask.objects.values_list("name", "pk"))
    project.schedules(
        "  Cafe: {task: t, every: 1m, renamed_from: cafe}\n  CAFE: {task: t, every: 1m, renamed_from: Cafe}\n"
    )
    refused = project.apply()
    project.schedules(
        "  cAfe: {task: t, every: 1m, renamed_from: cafe}\n  CAFE: {task: t, every: 1m, renamed_from: Cafe}\n"
    )
    done = project.apply()

    assert (refused.code, "SS146" in refused.out + refused.err) == (1, True)
    assert done.code == 0, done.err
    assert dict(PeriodicTask.objects.values_list("name", "pk")) == {"cAfe": rows["cafe"], "CAFE": rows["Cafe"]}


def test_where_the_database_cannot_be_asked_case_is_taken_for_equal(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedsync.usecases.sync.same_names", lambda *_: None)
    project.schedules(schedule("Cafe") + schedule("cafe") + schedule("other"))
    done = project.apply()

    assert (done.code, "`cafe` and `Cafe` are one name for this database" in done.err) == (3, True), done.err
    assert "SS142" in project.plan().out


def test_trailing_blanks_count_as_the_database_counts_them(general_ci: Project) -> None:
    project = general_ci
    project.schedules(schedule("other"))
    assert project.apply().code == 0
    PeriodicTask.objects.update(name="cafe ")
    pairs = same_names(project.using, ["cafe"], ["cafe "])

    assert pairs == ((("cafe", "cafe "),) if connections[project.using].vendor == "mysql" else ())


def test_a_rename_and_a_delete_free_the_name(general_ci: Project) -> None:
    project = general_ci
    project.schedules(schedule("cafe"))
    assert project.apply().code == 0
    project.schedules(schedule("caf\u00e9").replace("{task", "{renamed_from: cafe, task"))
    assert project.apply().code == 0
    assert list(PeriodicTask.objects.values_list("name", flat=True)) == ["caf\u00e9"]
    project.schedules(schedule("cafe"))
    done = project.apply("--allow-stops", "1")

    assert done.code == 0, done.err
    assert list(PeriodicTask.objects.values_list("name", flat=True)) == ["cafe"]


def test_a_pause_of_the_other_name_says_which_one_is_managed(general_ci: Project) -> None:
    project = general_ci
    project.schedules(schedule("cafe"))
    assert project.apply().code == 0
    done = project.command("pause", "caf\u00e9", "--database", project.using, "--reason", "r", "--settle", "0")

    assert (done.code, "`caf\u00e9` is not managed" in done.err, "`cafe`" in done.err) == (64, True, True), done.err


def test_the_number_of_queries_does_not_grow_with_the_names(general_ci: Project) -> None:
    counts = []
    for count in (1, 3000):
        with CaptureQueriesContext(connections[general_ci.using]) as queries:
            assert same_names(general_ci.using, [f"name {number}" for number in range(count)], ["x"]) == ()
        counts.append(len(queries))

    assert (counts[0] == counts[1], counts[0] <= 6) == (True, True)


def test_the_files_alone_warn_where_no_database_is_asked(files: Project) -> None:
    files.schedules(schedule("cafe") + schedule("caf\u00e9"))
    done = files.validate()

    assert (done.code, "warning  SS147  `caf\u00e9` and `cafe` at" in done.out) == (0, True), done.out
