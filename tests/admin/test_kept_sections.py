"""The sections that show what the last apply kept, and the next 24 hours; rendered by Django's template engine."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connections
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.admin.page.section import Section, Seen
from schedsync.admin.page.sections import load, preview, timeline
from schedsync.database.clock import DatabaseNow
from schedsync.models import AppliedFiles, OpenRun
from tests.conftest import Project

SHOP = """\
  nightly: {task: t, crontab: "30 2 * * *", queue: reports}
  heartbeat: {task: t, every: 5s}
  "sync-{tenant}":
    task: t
    crontab: "H/15 * * * *"
    for_each: {tenant: [acme, globex]}
    kwargs: {token: "s3cr3t-value"}
  slow: {task: t, crontab: "0 4 * * *", overlap: skip, max_runtime: 1h}
"""
pytestmark = pytest.mark.one_database


@pytest.fixture
def shop(project: Project) -> Project:
    project.schedules(SHOP)
    done = project.apply("--commit", "a" * 40)
    assert done.code == 0, done.err
    return project


def seen(project: Project, **query: str) -> Seen:
    return Seen(project.using, datetime.now(timezone.utc), None, None, query)


def html(section: Section | None) -> str:
    assert section is not None
    text = render_to_string(section.template, {"section": section.context})
    checked(text)
    return text


def checked(text: str) -> None:
    """Assert what a strict CSP and a screen reader need, and that each tag is closed."""
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            assert not {"style", "onclick", "onload"} & {name for name, _ in attrs}
            assert tag not in ("style", "script")
            if tag != "br":
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Reader().feed(text)
    assert opened == []
    for svg in re.findall(r"<svg[^>]*>", text):
        assert 'role="img"' in svg
        assert "aria-label=" in svg


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_before_an_apply_nothing_is_kept(project: Project) -> None:
    assert preview.section(seen(project)) is None
    assert load.section(seen(project)) is None
    assert "No schedule runs in these 24 hours" in html(timeline.section(seen(project)))


def test_the_preview_says_that_the_tables_agree_and_with_what(shop: Project) -> None:
    said = words(html(preview.section(seen(shop))))

    assert "Set default , as its files said at the apply of" in said
    assert "commit aaaaaaaaaaaa" in said
    assert "Nothing: 5 schedules agree with these files." in said


def test_the_preview_lists_the_fields_that_differ_and_the_command(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="nightly").update(queue="<b>other")
    PeriodicTask.objects.using(shop.using).filter(name="sync-acme").delete()
    text = html(preview.section(seen(shop)))
    said = words(text)

    assert "1 create, 1 update ; 3 schedules unchanged" in said
    assert "schedsync apply" in said
    assert "nightly schedules/shop.yaml:3 update queue &lt;b&gt;other reports somebody&#x27;s edit" in said
    assert "sync-acme" in said
    assert "s3cr3t-value" not in text


def test_the_preview_is_bounded(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MOST", 2)
    PeriodicTask.objects.using(shop.using).update(queue="other")
    said = words(html(preview.section(seen(shop))))

    assert "and 3 more: schedsync plan lists all of them." in said
    assert said.count("schedules/shop.yaml:") == 2


def test_documents_that_cannot_be_read_are_said(shop: Project) -> None:
    AppliedFiles.objects.using(shop.using).update(desired=b"?", load=b"?")

    assert "too many for this page, or another version" in html(preview.section(seen(shop)))
    assert "No load was kept at that apply" in html(load.section(seen(shop)))
    assert "sync-acme" in html(timeline.section(seen(shop)))


def test_the_load_is_a_map_and_a_table(shop: Project) -> None:
    text = html(load.section(seen(shop)))
    said = words(text)

    assert "12 a minute, steadily: heartbeat" in said
    assert text.count("<svg") == 1
    assert text.count("<tr>") == 1 + 8
    assert "1 in the worst minute" in text


def test_the_query_chooses_the_set(shop: Project) -> None:
    shop.write('set = "billing"\n', "billing/schedsync.toml")
    shop.schedules("  bill: {task: t, every: 2h}\n", "billing/schedules/a.yaml")
    done = shop.command("apply", "billing/schedules", "--database", shop.using, "--yes", "--settle", "0")
    assert done.code == 0, done.err

    assert "Set billing ," in words(html(load.section(seen(shop))))
    assert "Set default ," in words(html(load.section(seen(shop, set="default"))))
    assert "Set billing ," in words(html(load.section(seen(shop, set="<script>"))))
    assert '<a href="?only=load&amp;set=default">default</a>' in html(load.section(seen(shop)))


def test_the_timeline_is_a_picture_and_a_list_of_what_the_tables_say(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="nightly").update(enabled=False)
    text = html(timeline.section(seen(shop)))
    said = words(text)

    assert text.count("<svg") == 1
    assert "sync-{tenant} ×2 8 an hour" in said
    assert "heartbeat 12 a minute" in said
    assert "1 schedule does not run in this time" in said
    assert "--against" not in said


def test_a_run_that_has_not_ended_is_in_the_timeline(shop: Project) -> None:
    slow = PeriodicTask.objects.using(shop.using).get(name="slow")
    values = {"row_id": slow.pk, "sent_at": DatabaseNow(), "started_at": DatabaseNow(), "worker": "w"}
    OpenRun.objects.using(shop.using).create(task_id="t1", **values)

    assert "slow 04:00, runs since" in words(html(timeline.section(seen(shop))))


def test_a_run_that_ended_unseen_is_not_in_the_timeline(shop: Project) -> None:
    slow = PeriodicTask.objects.using(shop.using).get(name="slow")
    began = datetime.now(timezone.utc) - timedelta(hours=2)
    OpenRun.objects.using(shop.using).create(task_id="t1", row_id=slow.pk, sent_at=began, started_at=began, worker="w")

    assert "runs since" not in html(timeline.section(seen(shop)))


def test_too_many_schedules_are_not_compared_on_a_page(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.usecases.preview.MOST_ON_A_PAGE", 4)
    monkeypatch.setattr("schedsync.usecases.timeline_now.MOST_ON_A_PAGE", 4)

    assert "too many for this page" in html(preview.section(seen(shop)))
    assert "too many schedules for this page" in html(timeline.section(seen(shop)))


@pytest.mark.parametrize("each", [preview, load, timeline])
def test_a_section_asks_a_constant_number_of_queries(shop: Project, each: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connections[shop.using]) as captured:
            html(each.section(seen(shop)))
        return len(captured)

    few = queries()
    shop.schedules(SHOP + "".join(f"  more-{number}: {{task: t, every: 1h}}\n" for number in range(40)))
    assert shop.apply().code == 0

    assert queries() == few
