"""The page of all schedules in Django's admin: what it shows, whom it lets in, and what its forms do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.database.clock import DatabaseNow
from schedsync.models import ApplyFailure, Beat, BeatReport, FullPause, Pause, SyncRun
from schedsync.usecases.break_glass import open_for_editing
from tests.admin.visitors import EVERYTHING, PAGE, PAUSE, RUN, VIEW, named, told, visitor
from tests.conftest import DATABASES, NOW, Project

pytestmark = pytest.mark.one_database

SHOP = """\
  nightly-report: {task: t, crontab: '30 2 * * *', owner: team-data, queue: reports}
  heartbeat: {task: t, every: 1m}
  sync-acme: {task: t, crontab: '0 * * * *'}
"""
PAUSE_ALL = {"action": "pause_all", "minutes": "30", "reason": "INC-42"}


@pytest.fixture
def shop(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SCHEDSYNC_ACTOR", "jo")
    project.schedules(SHOP)
    assert project.apply().code == 0
    return project


def titles(answer: Any) -> list[str]:
    return [section.title for section in answer.context["sections"]]


def test_a_new_user_sees_who_changed_what_and_what_is_stopped(shop: Project) -> None:
    pause = ["pause", "nightly-report", "--for", "2h", "--reason", "INC-41", "--settle", "0"]
    assert shop.command(*pause, "--database", shop.using).code == 0
    answer = visitor(shop.using, VIEW).get(PAGE)
    page = answer.content.decode()

    assert answer.status_code == 200
    assert titles(answer) == [
        "State", "Beats", "Stopped now", "Overdue and failing", "Last changes", "The next 24 hours", "Sets",
        "What an apply would change", "Drift", "Load of a week", "All schedules",
    ]  # fmt: skip
    stopped, changed = answer.context["sections"][0].context["glance"]
    assert stopped == ("Stopped", "1 paused", "stopped")
    assert changed.text.endswith(" by jo, Mon 23 Nov 10:00 UTC")
    for text in ("UNKNOWN", "no Beat of schedsync&#x27;s own is running", "INC-41", "apply: 3 created", ">jo<"):
        assert text in page
    assert "Pause everything" not in page
    assert "no-cache" in answer["Cache-Control"]


def test_a_freeze_and_what_is_open_for_editing_are_on_it(shop: Project) -> None:
    freeze = '[[freeze]]\ncrontab = "0 10 * * mon"\nduration = "5h"\nreason = "<b>move"\n'
    shop.write(freeze, "schedsync.toml")
    assert shop.apply().code == 0
    open_for_editing(shop.using, "heartbeat", "INC-43 <i>")
    client = visitor(shop.using, VIEW)
    page, one = (client.get(path, follow=True).content.decode() for path in (PAGE, named("heartbeat")))
    listed = shop.command("list", "heartbeat", "--database", shop.using).out

    assert page.count("no apply of default until Mon 23 Nov 15:00 UTC: &lt;b&gt;move") == 2
    assert "<code>schedsync apply --allow-freeze</code>" in page
    assert "Nothing is stopped" not in page
    assert "Open for editing in the admin" in page
    assert "INC-43 &lt;i&gt;" in page
    assert "INC-43 &lt;i&gt;; an apply ends it" in one
    assert "(open for editing)" in listed
    text = shop.command("status", "--database", shop.using).out
    assert "\nOpened   heartbeat by jo since Mon 23 Nov 10:00 UTC: INC-43 <i>\n" in text


def test_a_large_database_draws_and_compares_when_it_is_asked(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.admin.page.section.MOST_AT_ONCE", 2)
    client = visitor(shop.using, VIEW)
    whole, drawn, compared, searched = (
        client.get(PAGE + query) for query in ("", "?only=timeline", "?only=preview", "?q=beat")
    )

    assert len(titles(whole)) == 11
    page = whole.content.decode()
    assert 'href="?only=timeline#timeline"' in page
    assert 'href="?only=preview#preview"' in page
    assert "<svg" in drawn.content.decode()
    assert "agree with these files" in compared.content.decode()
    assert [titles(answer) for answer in (drawn, compared, searched)] == [
        ["The next 24 hours"], ["What an apply would change"], ["All schedules"],
    ]  # fmt: skip
    assert "The whole page" in searched.content.decode()
    assert titles(client.get(f"{PAGE}?only=nonsense")) == titles(whole)


def test_without_rows_it_says_where_to_begin(using: str) -> None:
    page = visitor(using, VIEW).get(PAGE).content.decode()

    assert "Nothing was applied to this database yet" in page
    assert "Nothing is stopped." in page
    assert "0 schedules" in page


@pytest.mark.parametrize("path", ["", "schedule/1/", "schedule/nightly-report/", "schedule/?name=x"])
def test_each_page_needs_the_permission_to_view(using: str, path: str) -> None:
    anonymous = Client().get(PAGE + path)
    staff = visitor(using, PAUSE, RUN).get(PAGE + path)

    assert (anonymous.status_code, anonymous["Location"].partition("?")[0]) == (302, "/admin/login/")
    assert staff.status_code == 403


def test_the_index_of_the_admin_links_to_the_page_for_those_who_may_see_it(using: str) -> None:
    pages = [visitor(using, *may, name=str(may)).get("/admin/").content.decode() for may in ((VIEW,), (PAUSE,))]

    assert [f'href="{PAGE}"' in page for page in pages] == [True, False]


def test_a_look_changes_nothing(shop: Project) -> None:
    client = visitor(shop.using, *EVERYTHING)
    before = list(PeriodicTask.objects.using(shop.using).values()), SyncRun.objects.using(shop.using).count()
    for path in ("", "?action=pause_all&minutes=30&reason=x", "schedule/?name=heartbeat&action=pause"):
        assert client.get(PAGE + path, follow=True).status_code == 200

    assert (list(PeriodicTask.objects.using(shop.using).values()), SyncRun.objects.using(shop.using).count()) == before
    assert not FullPause.objects.using(shop.using).exists()


def test_everything_is_paused_and_resumed_in_the_name_of_the_user(shop: Project) -> None:
    client = visitor(shop.using, *EVERYTHING)
    paused = client.post(PAGE, PAUSE_ALL, follow=True)
    resumed = client.post(PAGE, {"action": "resume_all"}, follow=True)
    stale = client.post(PAGE, {"action": "resume_all"}, follow=True)

    assert paused.redirect_chain == [(PAGE, 302)]
    assert told(paused)[0].startswith("Everything is paused by ann until 10:30 UTC: INC-42\n")
    assert "Resume everything" in paused.content.decode()
    assert told(resumed) == ["Everything runs again; what fell due meanwhile is not sent"]
    assert told(stale) == ["Everything runs already: the pause has ended meanwhile"]
    runs = SyncRun.objects.using(shop.using).order_by("at", "verb").values_list("verb", "who", "reason")
    assert sorted(runs) == [("apply", "jo", None), ("pause_all", "ann", "INC-42"), ("resume_all", "ann", None)]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({**PAUSE_ALL, "reason": " "}, "Reason: This field is required."),
        ({**PAUSE_ALL, "reason": "x" * 501}, "Reason: Ensure this value has at most 500 characters (it has 501)."),
        ({**PAUSE_ALL, "minutes": "0"}, "For how long: Select a valid choice. 0 is not one of the available choices."),
        ({"action": "apply"}, "This form is not known; nothing was changed"),
    ],
)
def test_a_form_that_is_not_right_changes_nothing(shop: Project, form: dict[str, str], says: str) -> None:
    assert told(visitor(shop.using, *EVERYTHING).post(PAGE, form, follow=True)) == [says]
    assert not FullPause.objects.using(shop.using).exists()


def test_a_form_needs_its_own_permission_and_the_token(shop: Project) -> None:
    only_sees = visitor(shop.using, VIEW, RUN).post(PAGE, PAUSE_ALL)
    only_pauses = visitor(shop.using, PAUSE, name="bob").post(PAGE, PAUSE_ALL)
    forged = visitor(shop.using, *EVERYTHING, name="eve", csrf=True).post(PAGE, PAUSE_ALL)

    assert [answer.status_code for answer in (only_sees, only_pauses, forged)] == [403, 403, 403]
    assert not FullPause.objects.using(shop.using).exists()


@pytest.mark.one_database(*DATABASES)
def test_a_search_has_an_address_of_its_own(shop: Project) -> None:
    client = visitor(shop.using, VIEW)
    pause = ["pause", "heartbeat", "--for", "2h", "--reason", "x", "--settle", "0", "--database", shop.using]
    assert shop.command(*pause).code == 0
    PeriodicTask.objects.using(shop.using).filter(name="sync-acme").update(
        queue="theirs", date_changed=NOW + timedelta(seconds=1)
    )
    other = PeriodicTask.objects.using(shop.using).get(name="sync-acme").crontab
    PeriodicTask.objects.using(shop.using).create(name="by-hand", task="t", crontab=other)
    PeriodicTask.objects.using(shop.using).create(name="celery.backend_cleanup", task="t", crontab=other)

    def found(query: str) -> list[str]:
        sections = client.get(f"{PAGE}?{query}").context["sections"]
        return [row["name"] for row in sections[-1].context["rows"]]

    assert found("") == ["by-hand", "heartbeat", "nightly-report", "sync-acme"]
    assert found("q=NIGHTLY") == ["nightly-report"]
    assert found("q=sync-*") == ["sync-acme"]
    assert found("state=paused") == ["heartbeat"]
    assert found("state=drifted&q=s") == ["sync-acme"]
    assert found("state=unmanaged") == ["by-hand"]
    assert found("state=nonsense&p=99&p=x") == ["by-hand", "heartbeat", "nightly-report", "sync-acme"]
    assert found("set=default") == ["heartbeat", "nightly-report", "sync-acme"]
    assert found("queue=reports") == ["nightly-report"]
    assert found("queue=theirs&set=default") == ["sync-acme"]
    assert found("p=2&q=acme") == found("p=-1&q=acme") == ["sync-acme"]
    assert len(found("q=%00")) == 4


def test_a_paused_schedule_is_on_the_page_with_who_and_why(shop: Project) -> None:
    Pause.objects.using(shop.using).create(name="heartbeat", reason="<b>why</b>", who="jo", since=NOW)
    page = visitor(shop.using, VIEW).get(PAGE).content.decode()

    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert "<b>why" not in page


def test_the_number_of_queries_does_not_grow(project: Project, clock: Any) -> None:
    counts = []
    client = visitor(project.using, *EVERYTHING)
    paths = ["", "?q=job&queue=q", "?state=ok&p=2", named("job-1")[len(PAGE) :]]
    for size in (10, 1000):
        project.schedules("".join(f"  job-{number}: {{task: t, every: 1m, queue: q}}\n" for number in range(size)))
        assert project.apply().code == 0
        pause = ["pause", *(f"job-{number}" for number in range(0, size, 2)), "--reason", "x", "--settle", "0"]
        assert project.command(*pause, "--database", project.using).code == 0
        edited = [f"job-{number}" for number in range(1, size, 10)]
        PeriodicTask.objects.using(project.using).filter(name__in=edited).update(
            queue="theirs", date_changed=NOW + timedelta(seconds=1)
        )
        with CaptureQueriesContext(connections[project.using]) as queries:
            for path in paths:
                assert client.get(PAGE + path, follow=True).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_ticks_of_the_pause_are_sent_where_the_user_wants_that(shop: Project) -> None:
    client = visitor(shop.using, *EVERYTHING)
    client.post(PAGE, PAUSE_ALL, follow=True)
    resumed = client.post(PAGE, {"action": "resume_all", "catch_up": "on"}, follow=True)

    assert told(resumed)[-1] == "Everything runs again; what fell due meanwhile counts as missed"


@override_settings(ROOT_URLCONF="tests.admin.two_sites")
def test_each_site_has_pages_of_its_own(shop: Project) -> None:
    client = visitor(shop.using, *EVERYTHING)
    index = client.get("/ops/").content.decode()
    page = client.get("/ops/schedsync/").content.decode()
    one = client.get("/ops/schedsync/schedule/?name=heartbeat", follow=True)
    acted = client.post("/ops/schedsync/", PAUSE_ALL)

    assert 'href="/ops/schedsync/"' in index
    assert 'href="/ops/schedsync/schedule/?name=heartbeat"' in page
    assert one.redirect_chain[0][0].startswith("/ops/schedsync/schedule/")
    assert acted["Location"] == "/ops/schedsync/"
    assert 'href="/admin/schedsync/' not in index + page + one.content.decode()


def beat(using: str, number: int, **columns: Any) -> None:
    """Write a live Beat, and what it reports of its clock."""
    ahead, now = columns.pop("clock_ahead", 0.0), DatabaseNow()
    made = Beat.objects.using(using).create(
        host=f"beat-{number}", pid=7, election="database", started_at=now, seen_at=now, **columns
    )
    BeatReport.objects.using(using).create(beat=made.pk, name=f"beat-{number}:7", clock_ahead=ahead)


def test_it_says_which_beat_leads_and_whose_clock_is_wrong(shop: Project) -> None:
    beat(shop.using, 0, leads=True, leads_since=NOW, epoch=3)
    beat(shop.using, 1, clock_ahead=-4.0, trouble="stock Beat runs too")
    answer = visitor(shop.using, VIEW).get(PAGE)
    beats = next(section for section in answer.context["sections"] if section.key == "beats").context["beats"]

    assert [(each["name"], each["leads"], each["clock"]) for each in beats] == [
        ("beat-0:7", True, "agrees"), ("beat-1:7", False, "4.0 s behind"),
    ]  # fmt: skip
    assert beats[1]["trouble"] == "stock Beat runs too"
    assert "a clock differs" in answer.content.decode()


def test_it_says_that_nobody_leads_and_that_none_lives(shop: Project) -> None:
    client = visitor(shop.using, VIEW)
    beat(shop.using, 0)
    nobody = client.get(PAGE).content.decode()
    Beat.objects.using(shop.using).all().delete()
    BeatReport.objects.using(shop.using).update(ended_at=NOW)
    none = client.get(PAGE).content.decode()

    assert "Nobody leads, so no task is sent" in nobody
    assert "No Beat is live; beat-0:7 ended Mon 23 Nov" in none


def test_a_set_whose_last_apply_failed_says_so(shop: Project) -> None:
    ApplyFailure.objects.using(shop.using).create(set="default", at=NOW, reason="refused", who="jo")

    assert "last apply failed: refused" in visitor(shop.using, VIEW).get(PAGE).content.decode()
