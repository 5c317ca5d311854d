"""The form of a row that Git manages: what it shows, what it refuses, and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import git
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client
from django_celery_beat.admin import PeriodicTaskAdmin, PeriodicTaskForm
from django_celery_beat.models import PeriodicTask

from schedsync.admin.place import in_repository
from schedsync.models import BreakGlass, ManagedSchedule, Pause, SyncRun
from tests.admin.made import OURS, STOCK, TASKS, change_url, filled, operation_url, row, said, stock_form, user
from tests.conftest import NOW, Project


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


@pytest.mark.one_database
def test_a_managed_row_is_shown_read_only_with_its_place(shop: Project) -> None:
    page = text(user(), change_url("one"))

    assert "Git manages this schedule: set <b>default</b>" in page
    assert "schedules/shop.yaml:3" in page
    assert ('name="_save"' in page, 'name="task"' in page) == (False, False)
    assert [label for label in ("Pause…", "Run now…", "Break glass…") if label not in page] == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("remote", "link"),
    [
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop/blob/{}/schedules/shop.yaml#L3"),
        ("https://bot:s3cret@gitlab.com/acme/shop", "https://gitlab.com/acme/shop/-/blob/{}/schedules/shop.yaml#L3"),
        ("git@git.example.org:acme/shop.git", None),
    ],
)
def test_the_place_is_a_link_into_the_repository_of_the_last_apply(
    project: Project, remote: str, link: str | None
) -> None:
    with git.Repo.init(project.root, initial_branch="main") as repository:
        repository.create_remote("origin", remote)
        project.schedules("  one: {task: t, every: 1m}\n")
        repository.git.add("schedules")
        repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", "x"])
        commit = repository.head.commit.hexsha
        assert project.apply().code == 0
    page = text(user(), change_url("one"))

    assert commit[:12] in page
    assert "s3cret" not in page
    if link is None:
        assert "Edit in Git" not in page
    else:
        assert f'href="{link.format(commit)}"' in page
        assert f'href="{link.format("HEAD")}">Edit in Git' in page


@pytest.mark.parametrize(
    ("path", "set_path", "inside"),
    [
        ("schedules/a.yaml", "schedules", "schedules/a.yaml"),
        ("/builds/7/schedules/a.yaml", "schedules", "schedules/a.yaml"),
        ("schedules/a.yaml", "shop/schedules", "shop/schedules/a.yaml"),
        ("../shop/schedules/a.yaml", "shop/schedules", "shop/schedules/a.yaml"),
        ("a.yaml", ".", "a.yaml"),
        ("/builds/7/a.yaml", ".", None),
        ("/elsewhere/a.yaml", "schedules", None),
        ("a.yaml", None, "a.yaml"),
    ],
)
def test_a_path_within_the_repository_is_found_from_the_one_that_was_given(
    path: str, set_path: str | None, inside: str | None
) -> None:
    assert in_repository(path, set_path) == inside


@pytest.mark.one_database
def test_an_unmanaged_row_looks_as_without_schedsync(shop: Project, settings: Any) -> None:
    client = user()
    ours = text(client, change_url("mine"))
    settings.SCHEDSYNC_ADMIN = "off"
    stock = text(client, change_url("mine"))

    assert without_token(ours) == without_token(stock)


def without_token(page: str) -> list[str]:
    return [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line]


@pytest.mark.one_database
def test_without_schedsync_in_the_admin_a_managed_row_can_be_edited(shop: Project, settings: Any) -> None:
    settings.SCHEDSYNC_ADMIN = "off"
    client = user()
    answer = client.post(change_url("one"), filled(client, change_url("one"), queue="other"))

    assert (answer.status_code, row("one").queue) == (302, "other")
    assert "Git" not in " ".join(said(answer))
    assert "Git manages" not in text(client, change_url("one"))


def test_a_forged_post_changes_nothing_and_says_what_to_do(shop: Project) -> None:
    client = user()
    answer = client.post(change_url("one"), stock_form("one", task="evil"))

    assert answer.status_code == 302
    assert said(answer) == [
        "“one”: nothing was saved: Git manages it. Change it in Git, at schedules/shop.yaml:3; to stop it now, pause it"
        " here: no apply undoes a pause. If a change cannot wait for Git, “Break glass…” opens the form until the next"
        " apply."
    ]
    assert row("one").task == "t"
    assert shop.drift().code == 0


@pytest.mark.one_database
def test_a_form_that_was_opened_before_git_managed_the_row_is_refused(shop: Project) -> None:
    client = user()
    form = filled(client, change_url("mine"), queue="other")
    shop.schedules("  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n  mine: {task: t, every: 1m}\n")
    assert shop.apply("--adopt-all").code == 0
    answer = client.post(change_url("mine"), form)

    assert "nothing was saved: Git manages it" in said(answer)[0]
    assert row("mine").queue is None


@pytest.mark.one_database
def test_a_managed_row_is_not_deleted(shop: Project) -> None:
    client = user()
    url = f"{TASKS}{row('one').pk}/delete/"
    answers = [client.get(url), client.post(url, {"post": "yes"})]

    assert [each.status_code for each in answers] == [302, 302]
    assert "it was not deleted: Git manages it" in said(answers[1])[0]
    assert row("one").name == "one"


@pytest.mark.one_database
def test_an_unmanaged_row_is_saved_and_deleted_as_before(shop: Project) -> None:
    client = user()
    answer = client.post(change_url("mine"), filled(client, change_url("mine"), queue="other"))
    assert (answer.status_code, row("mine").queue, len(said(answer))) == (302, "other", 1)
    client.post(f"{TASKS}{row('mine').pk}/delete/", {"post": "yes"})

    assert not PeriodicTask.objects.filter(name="mine").exists()


@pytest.mark.one_database
def test_save_as_new_makes_a_row_and_leaves_the_managed_one(shop: Project) -> None:
    answer = user().post(change_url("one"), stock_form("one", task="u", _saveasnew="1") | {"name": "copy"})

    assert answer.status_code == 302
    assert (row("one").task, row("copy").task) == ("t", "u")


@pytest.mark.one_database
def test_a_warning_says_that_the_next_apply_undoes_an_edit(shop: Project, settings: Any) -> None:
    settings.SCHEDSYNC_ADMIN = "warn"
    client = user()
    page = text(client, change_url("one"))
    answer = client.post(change_url("one"), filled(client, change_url("one"), queue="other"))
    shop.apply()

    assert ('name="_save"' in page, "undoes what you save here" in page) == (True, True)
    assert any("the next apply of set “default” undoes this change" in message for message in said(answer))
    assert row("one").queue is None


@pytest.mark.one_database
def test_a_form_that_was_opened_before_an_apply_is_refused_in_warn_mode(shop: Project, settings: Any) -> None:
    settings.SCHEDSYNC_ADMIN = "warn"
    client = user()
    form = filled(client, change_url("one"), queue="other", schedsync_applied_at=applied_at("one"))
    shop.schedules("  one: {task: t, every: 5m}\n  two: {task: t, every: 2m}\n")
    shop.apply()
    answer = client.post(change_url("one"), form)

    assert "applied, paused or resumed after this form was opened" in said(answer)[0]
    assert (row("one").queue, row("one").interval.every) == (None, 5)


def applied_at(name: str) -> str:
    at: str = ManagedSchedule.objects.get(name=name).applied_at.isoformat()
    return at


@pytest.mark.one_database
def test_to_disable_a_row_is_a_pause_with_a_reason_and_an_end(shop: Project, clock: Any) -> None:
    client = user()
    url = operation_url("pause", "one")
    without = client.post(url, {"ids": row("one").pk, "reason": "  ", "hours": "4"})
    assert (without.status_code, Pause.objects.count()) == (200, 0)
    answer = client.post(url, {"ids": row("one").pk, "reason": "INC-7", "hours": "4"})
    pause = Pause.objects.get()
    shop.apply()

    assert (answer.status_code, said(answer)) == (302, ["Paused: one. No apply undoes it."])
    assert (pause.who, pause.reason, pause.until) == ("sam", "INC-7", NOW + timedelta(hours=4))
    assert SyncRun.objects.get(verb="pause").who == "sam"
    assert row("one").enabled is False
    page = text(client, change_url("one"))
    assert "Paused by sam until" in page
    assert "Resume…" in page
    resumed = client.post(operation_url("resume", "one"), {"ids": row("one").pk})
    assert (said(resumed), row("one").enabled) == (["Running: one."], True)


@pytest.mark.one_database
def test_of_two_who_pause_at_once_both_are_in_the_history(shop: Project) -> None:
    for name in ("sam", "kim"):
        values = {"ids": row("one").pk, "reason": f"by {name}", "hours": ""}
        assert user(name).post(operation_url("pause", "one"), values).status_code == 302

    assert Pause.objects.get().reason == "by kim"
    assert sorted(SyncRun.objects.filter(verb="pause").values_list("who", flat=True)) == ["kim", "sam"]


def test_break_glass_opens_a_form_until_the_next_apply(shop: Project) -> None:
    client = user()
    answer = client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "queue is down"})
    assert said(answer) == ["Open for editing until the next apply: one."]
    page = text(client, change_url("one"))
    form = filled(client, change_url("one"), queue="other", schedsync_applied_at=applied_at("one"))
    saved = client.post(change_url("one"), form)
    assert row("one").queue == "other"
    assert row("one").enabled is True
    applied = shop.apply()
    again = client.post(change_url("one"), form)

    assert "Open for editing</b> by sam" in page
    assert 'name="enabled"' not in page
    assert any("undoes this change" in message for message in said(saved))
    assert (applied.code, row("one").queue, BreakGlass.objects.count()) == (0, None, 0)
    assert "nothing was saved: Git manages it" in said(again)[-1]
    record = SyncRun.objects.get(verb="break_glass")
    assert (record.who, record.reason, record.set) == ("sam", "queue is down", "default")
    history = shop.command("history", "one", "--database", shop.using).out
    assert "opened for editing in the admin by sam" in history
    assert "no longer open for editing" in history


@pytest.mark.one_database
def test_an_apply_with_nothing_to_write_closes_what_is_open(shop: Project) -> None:
    user().post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    other = shop.command("apply", "schedules", "--database", shop.using, "--yes", "--settle", "0")

    assert (other.code, BreakGlass.objects.count()) == (0, 0)
    assert SyncRun.objects.filter(verb="break_glass_ended").count() == 1


@pytest.mark.one_database
def test_an_apply_of_another_set_leaves_it_open(shop: Project) -> None:
    user().post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    shop.write('set = "other"\n', "schedsync.toml")
    shop.schedules("  three: {task: t, every: 1m}\n")
    assert shop.apply().code == 0

    assert list(BreakGlass.objects.values_list("name", flat=True)) == ["one"]


@pytest.mark.one_database
def test_an_open_row_is_still_not_deleted(shop: Project) -> None:
    client = user()
    client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    client.post(f"{TASKS}{row('one').pk}/delete/", {"post": "yes"})

    assert row("one").name == "one"


#: What each operation needs besides the right to see rows.
NEEDS = {
    "pause": ("schedsync.pause_schedules",),
    "resume": ("schedsync.pause_schedules",),
    "run": ("schedsync.run_schedules",),
    "break-glass": ("schedsync.break_glass", "django_celery_beat.change_periodictask"),
}
LABELS = {"pause": "Pause…", "run": "Run now…", "break-glass": "Break glass…"}


@pytest.mark.one_database
@pytest.mark.parametrize("operation", NEEDS)
def test_each_operation_needs_its_permissions(shop: Project, operation: str) -> None:
    view = "django_celery_beat.view_periodictask"
    for number, missing in enumerate((view, *NEEDS[operation])):
        # Whoever may change rows may see them too.
        lacking = (missing, "django_celery_beat.change_periodictask") if missing == view else (missing,)
        client = user(f"u{number}", [each for each in (*STOCK, *OURS) if each not in lacking])
        url = operation_url(operation, "one")
        post = {"ids": row("one").pk, "reason": "r", "hours": "1"}

        assert [client.get(url).status_code, client.post(url, post).status_code] == [403, 403], missing
        if missing != view and operation in LABELS:
            assert LABELS[operation] not in text(client, change_url("one"))
    assert user("all", (view, *NEEDS[operation])).get(operation_url(operation, "one")).status_code == 200
    assert SyncRun.objects.exclude(verb="apply").count() == 0
    assert Client().get(operation_url(operation, "one")).status_code == 302


@pytest.mark.one_database
def test_a_get_changes_nothing(shop: Project) -> None:
    client, before = user(), tables()
    for name in NEEDS:
        assert client.get(operation_url(name, "one")).status_code == 200
    assert client.get(change_url("one")).status_code == 200

    assert tables() == before


def tables() -> list[Any]:
    models: list[Any] = [PeriodicTask, ManagedSchedule, Pause, BreakGlass, SyncRun, LogEntry]
    return [sorted(model.objects.values_list(), key=str) for model in models]


@pytest.mark.one_database
def test_without_the_token_against_forgery_nothing_is_done(shop: Project) -> None:
    user()
    client = Client(enforce_csrf_checks=True)
    client.login(username="sam", password="x")
    answer = client.post(operation_url("pause", "one"), {"ids": row("one").pk, "reason": "r"})

    assert (answer.status_code, Pause.objects.count()) == (403, 0)


@pytest.mark.one_database
@pytest.mark.parametrize("ids", ["", "x", "1,", "-1", "1;2", "٣", "9" * 30, "1" * 19])
def test_bad_ids_are_not_found(shop: Project, ids: str) -> None:
    assert user().get(f"{TASKS}schedsync/pause/", {"ids": ids}).status_code == 404


@pytest.mark.one_database
def test_an_unknown_operation_and_unmanaged_rows_have_no_page(shop: Project) -> None:
    client = user()
    answer = client.get(operation_url("pause", "mine"))

    assert client.get(f"{TASKS}schedsync/explode/", {"ids": "1"}).status_code == 404
    assert (answer.status_code, said(answer)) == (302, ["None of these rows is managed in Git."])


@pytest.mark.one_database
def test_a_pause_that_is_refused_says_why(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.command("ledger", "bind", "-e", "production", "--database", shop.using, "--yes").code == 0
    monkeypatch.setenv("SCHEDSYNC_ENVIRONMENT", "staging")
    answer = user().post(operation_url("pause", "one"), {"ids": row("one").pk, "reason": "r", "hours": ""})

    assert (answer.status_code, Pause.objects.count()) == (200, 0)
    assert "production" in said(answer)[0]


@pytest.mark.one_database
def test_operations_commit_also_where_each_request_is_a_transaction(shop: Project, settings: Any) -> None:
    settings_dict = connections[shop.using].settings_dict
    settings_dict["ATOMIC_REQUESTS"] = True
    try:
        client = user()
        assert client.get(change_url("one")).status_code == 200
        answer = client.post(operation_url("pause", "one"), {"ids": row("one").pk, "reason": "r", "hours": ""})
    finally:
        settings_dict["ATOMIC_REQUESTS"] = False

    assert (answer.status_code, Pause.objects.count()) == (302, 1)


#: Names that are no trouble in a file, and may be in a page.
NAUGHTY = (
    "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{ 7*7 }}{% load x %}", "Ω≈ç√∫˜µ", "ﷺ",
    "%s %(x)s {0}", "a,b", "-1", "null", "../../etc/passwd",
)  # fmt: skip


@pytest.mark.one_database
def test_any_name_is_text_in_the_pages(project: Project) -> None:
    quoted = [name.replace("'", "''").replace("{", "{{").replace("}", "}}") for name in NAUGHTY]
    project.schedules("".join(f"  '{name}': {{task: t, every: 1m}}\n" for name in quoted))
    assert project.apply().code == 0, project.apply().err
    client = user()
    names = list(PeriodicTask.objects.values_list("name", flat=True))
    ids = ",".join(str(each.pk) for each in PeriodicTask.objects.all())
    pages = [text(client, TASKS), text(client, f"{TASKS}schedsync/pause/?ids={ids}")]
    pages += [text(client, change_url(name)) for name in names]
    done = client.post(f"{TASKS}schedsync/pause/", {"ids": ids, "reason": "<b>why</b>", "hours": ""}, follow=True)
    pages += [done.content.decode(), *(text(client, change_url(name)) for name in names)]

    assert len(names) == len(NAUGHTY)
    assert [page for page in pages if "<script>alert" in page or "<img src=x" in page or "<b>why" in page] == []
    assert [page for page in pages if ">49<" in page] == []


@pytest.mark.one_database
def test_a_row_that_an_apply_closes_while_it_is_saved_stays_as_it_is(
    shop: Project, registered: Callable[..., None]
) -> None:
    class Form(PeriodicTaskForm):  # type: ignore[misc]
        def clean(self) -> Any:
            # As an apply of another process does it at this moment.
            BreakGlass.objects.all().delete()
            return super().clean()

    class Own(PeriodicTaskAdmin):  # type: ignore[misc]
        form = Form

    registered(Own)
    client = user()
    client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    answer = client.post(change_url("one"), filled(client, change_url("one"), queue="other"))

    assert "applied after this form was opened" in said(answer)[-1]
    assert row("one").queue is None


@pytest.mark.one_database
def test_a_new_name_under_break_glass_is_the_same_schedule(shop: Project) -> None:
    client = user()
    client.post(operation_url("break-glass", "one"), {"ids": row("one").pk, "reason": "r"})
    client.post(change_url("one"), filled(client, change_url("one"), name="uno"))
    assert "Open for editing</b> by sam" in text(client, change_url("uno"))
    assert shop.apply().code == 0

    assert row("one").task == "t"


@pytest.mark.one_database
def test_before_our_tables_are_made_the_admin_works(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.database.owners._seen", set())
    client = user()
    ours = [ManagedSchedule, BreakGlass]
    with hidden(shop.using, *ours):
        pages = [client.get(TASKS), client.get(TASKS, {"git": "managed"}), client.get(change_url("one"))]
        saved = client.post(change_url("one"), filled(client, change_url("one"), queue="other"))

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert (saved.status_code, row("one").queue) == (302, "other")


@pytest.mark.one_database
def test_with_the_tables_of_the_version_before_managed_rows_are_locked(shop: Project) -> None:
    with hidden(shop.using, BreakGlass):
        answer = user().post(change_url("one"), stock_form("one", task="evil"))
        applied = shop.apply()

    assert "Git manages it" in said(answer)[0]
    assert (row("one").task, applied.code) == ("t", 0)


@contextmanager
def hidden(using: str, *models: Any) -> Iterator[None]:
    names = [model._meta.db_table for model in models]
    with connections[using].cursor() as cursor:
        for name in names:
            cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_hidden")
        try:
            yield
        finally:
            for name in names:
                cursor.execute(f"ALTER TABLE {name}_hidden RENAME TO {name}")
