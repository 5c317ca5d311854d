"""What an import writes: the spelling, the defaults, the groups, and the families."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schedsync.core.observed import Managed, Problem, Row, Typed
from schedsync.core.schedule import Spec, canonical_json
from schedsync.core.timing import Clocked, Interval, crontab, solar
from schedsync.errors import WrongUsage
from schedsync.files.formatting.canonical import canonical_text
from schedsync.importers.draft import Draft, LeftOut
from schedsync.importers.fold import folded
from schedsync.importers.grouping import Grouping
from schedsync.importers.layout import file_text
from schedsync.importers.read_back import problems, unreadable
from schedsync.importers.rows import Tables, candidates
from schedsync.importers.spelling import fields_of
from schedsync.usecases.import_ import ImportForm, write_drafts
from tests.conftest import NOW

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = Interval(900 * 10**6)


def daily(text: str, zone: str = "Europe/Berlin") -> Any:
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    return crontab(dict(zip(names, text.split(), strict=True)), zone)


def draft(name: str, spec: Spec) -> Draft:
    return Draft(name, fields_of(spec, BERLIN), {name: spec})


def text_of(drafts: list[Draft], by: Any = "app", left_out: tuple[LeftOut, ...] = ()) -> str:
    text = file_text(drafts, Grouping(drafts, by), left_out)
    assert list(problems({"a.yaml": text}, drafts)) == []
    assert canonical_text(text) == text
    return text


@pytest.mark.parametrize(
    ("timing", "fields"),
    [
        (QUARTER, {"every": "15m"}),
        (Interval(86400 * 10**6), {"every": "1d"}),
        (daily("*/15 2 * * 1-5"), {"crontab": "*/15 2 * * mon-fri", "timezone": "Europe/Berlin"}),
        (daily("0 0 * * 0,6", "UTC"), {"crontab": "0 0 * * sat,sun"}),
        (daily("0 0 * * */2", "UTC"), {"crontab": "0 0 * * */2"}),
        (solar("sunset", "52.520000", "13"), {"solar": {"event": "sunset", "latitude": 52.52, "longitude": 13}}),
        (Clocked(datetime(2026, 12, 24, 17, tzinfo=timezone.utc)), {"at": "2026-12-24T18:00:00+01:00"}),
    ],
)
def test_a_timing_has_its_shortest_spelling(timing: Any, fields: dict[str, Any]) -> None:
    assert fields_of(Spec("t", timing), BERLIN) == {"task": "t", **fields}


def test_an_instant_whose_offset_has_seconds_is_in_utc() -> None:
    spec = Spec("t", Clocked(datetime(1971, 6, 1, tzinfo=timezone.utc)))

    assert fields_of(spec, ZoneInfo("Africa/Monrovia"))["at"] == "1971-06-01T00:00:00Z"


def test_values_that_most_schedules_share_are_defaults() -> None:
    spec = Spec("shop.tasks.a", daily("0 2 * * *"), queue="reports", priority=5)
    drafts = [draft(f"s{number}", replace(spec, kwargs=canonical_json({"n": number}))) for number in range(4)]
    drafts += [draft("other", Spec("shop.tasks.b", daily("0 3 * * *", "UTC"), priority=1))]

    assert (
        text_of(drafts[:1] + drafts[-1:] + drafts[1:4])
        == """\
version: 1

defaults:
  # Takes over the rows that exist. Remove this line once it is applied.
  adopt: true
  timezone: Europe/Berlin
  queue: reports
  priority: 5

schedules:
  other:
    task: shop.tasks.b
    crontab: "0 3 * * *"
    timezone: UTC
    queue: null
    priority: 1

  s0:
    task: shop.tasks.a
    crontab: "0 2 * * *"
    kwargs: {n: 0}

  s1:
    task: shop.tasks.a
    crontab: "0 2 * * *"
    kwargs: {n: 1}

  s2:
    task: shop.tasks.a
    crontab: "0 2 * * *"
    kwargs: {n: 2}

  s3:
    task: shop.tasks.a
    crontab: "0 2 * * *"
    kwargs: {n: 3}
"""
    )


def test_a_default_expiry_does_not_touch_a_schedule_that_ends() -> None:
    drafts = [draft(f"s{number}", Spec("t", QUARTER, expires_after=60)) for number in range(3)]
    drafts += [draft("end", Spec("t", QUARTER, expires_at=datetime(2035, 1, 1, tzinfo=timezone.utc)))]
    text = text_of(drafts)

    assert "  task: t\n  expires_after: 1m\n" in text
    assert "null" not in text


def test_what_is_left_out_is_a_comment_that_nothing_breaks() -> None:
    left_out = (LeftOut("a\nschedules: {}", "broken"), LeftOut("b", "broken"), LeftOut("c", "completed"))

    assert text_of([draft("one", Spec("t", QUARTER))], left_out=left_out).endswith("""
# Left out:
# - `a\\u000aschedules: {}`, `b`: broken
# - `c`: completed
""")


def test_the_groups_are_the_parts_in_which_the_tasks_differ() -> None:
    def files(*tasks: str) -> list[str]:
        drafts = [draft(f"s{number}", Spec(task, QUARTER)) for number, task in enumerate(tasks)]
        return list(Grouping(drafts, "app").files(drafts))

    assert files("billing.tasks.a", "shop.tasks.b") == ["billing.yaml", "shop.yaml"]
    assert files("apps.billing.tasks.a", "apps.shop.tasks.b") == ["billing.yaml", "shop.yaml"]
    assert files("shop.tasks.a", "shop.tasks.b") == ["shop.yaml"]
    assert files("shop.tasks.a", "b", "../../etc.x", "Shop.c") == ["other.yaml", "shop.yaml"]


def test_queues_make_files_and_headings() -> None:
    drafts = [draft(f"s{number}", Spec("t", QUARTER, queue=["a", None][number % 2])) for number in range(8)]
    text = text_of(drafts, "queue")

    assert list(Grouping(drafts, "queue").files(drafts)) == ["a.yaml", "no-queue.yaml"]
    assert [line for line in text.splitlines() if line.startswith("  # ") and "row" not in line] == [
        "  # a",
        "  # no queue",
    ]


def family(values: list[Any], **options: Any) -> list[Draft]:
    def kwargs(value: Any) -> str:
        return canonical_json({"tenant": value, "to": f"{value}/in"})

    return [draft(f"sync-{value}-x", Spec("t", QUARTER, kwargs=kwargs(value), **options)) for value in values]


def test_a_family_that_differs_in_one_value_is_one_definition() -> None:
    other = draft("sync-old-x", Spec("t", QUARTER, kwargs='{"tenant":"new","to":"old/in"}'))
    drafts = folded([*family(["globex", "acme", "inter-net"], description="{hi} all"), other])

    assert [each.name for each in drafts] == ["sync-{tenant}-x", "sync-old-x"]
    assert drafts[0].fields == {
        "task": "t",
        "for_each": {"tenant": ["acme", "globex", "inter-net"]},
        "every": "15m",
        "kwargs": {"tenant": "{tenant}", "to": "{tenant}/in"},
        "description": "{{hi}} all",
    }
    assert "for_each: {tenant: [acme, globex, inter-net]}\n" in text_of(drafts)


def test_numbers_stay_numbers_in_a_family() -> None:
    drafts = folded([draft(f"shard {n}", Spec("t", QUARTER, args=canonical_json([n, "x"]))) for n in (10, 9, 1)])

    assert [(each.name, each.fields["for_each"], each.fields["args"]) for each in drafts] == [
        ("shard {value}", {"value": [1, 9, 10]}, ["{value}", "x"])
    ]
    text_of(drafts)


def test_too_few_or_too_different_schedules_are_no_family() -> None:
    two = family(["a", "b"])
    others = [draft(f"t-{n}", Spec("t", Interval((n + 1) * 10**6), args=f"[{n}]")) for n in range(4)]

    assert sorted(each.name for each in folded([*two, *others])) == sorted(each.name for each in [*two, *others])


def test_what_a_file_cannot_say_is_named_with_the_reason() -> None:
    good = [draft(f"g{number}", Spec("t", QUARTER)) for number in range(3)]
    bad = [draft(" lead", Spec("t", QUARTER)), draft("queue", Spec("t", QUARTER, queue=""))]

    assert [(each.name, each.reason.partition(":")[0]) for each in unreadable([*good, *bad])] == [
        (" lead", "no file can have it"),
        ("queue", "no file can have it"),
    ]


def test_rows_are_left_out_with_a_reason() -> None:
    spec = Spec("t", QUARTER)
    rows = [
        Row(1, "celery.backend_cleanup", spec),
        Row(2, "theirs", spec),
        Row(3, "renamed by hand", spec),
        Row(4, "broken", None, problems=(Problem("SS320", "no schedules"),)),
        Row(5, "done", replace(spec, one_off=True), total_run_count=1),
        Row(6, "past", replace(spec, expires_at=NOW)),
        Row(7, "Dup", spec),
        Row(9, "THEIRS", spec),
        Row(8, "dup", spec),
    ]
    managed = [Managed("theirs", "billing", 2, ""), Managed("old", "billing", 3, "")]
    found = candidates(Tables(rows, managed, NOW, BERLIN, frozenset({"Dup"})), ())

    assert [(each.name, each.notes) for each in found.drafts] == [
        ("Dup", ("Also in CELERY_BEAT_SCHEDULE: remove it there first.",))
    ]
    assert found.managed == {"billing": 1}
    assert {each.name: each.reason for each in found.left_out} == {
        "celery.backend_cleanup": "Beat makes this row itself",
        "THEIRS": "its name differs only in case from `theirs`",
        "renamed by hand": "set `billing` manages it as `old`",
        "broken": "broken, no schedules",
        "done": "completed, a one-off that has run",
        "past": "completed, its time has passed",
        "dup": "its name differs only in case from `Dup`",
    }


def test_names_are_in_the_order_of_people() -> None:
    names = ["sync-10", "Mail", "sync-2", "load", "sync-2b", "news", "7"]
    drafts = [draft(name, Spec("t", QUARTER, args=f'["{name}"]', kwargs='{"x":1}')) for name in names]
    family = [draft(f"{name}-full", Spec("t", QUARTER, args=f'["{name}"]')) for name in ("v10", "v9", "v1")]

    assert re.findall(r"^  \"?(\S+?)\"?:$", text_of(drafts).partition("schedules:")[2], re.MULTILINE) == [
        "7", "load", "Mail", "news", "sync-2", "sync-2b", "sync-10",
    ]  # fmt: skip
    assert folded(family)[0].fields["for_each"] == {"value": ["v1", "v9", "v10"]}


@pytest.mark.parametrize(
    ("text", "typed", "written"),
    [
        ('{"b": {"d": 1, "c": 2}, "a": [3]}', None, {"a": [3], "b": {"c": 2, "d": 1}}),
        ('{"b": {"d": 1, "c": 2}, "a": [3]}', '{ "b":{"d":1,"c":2},\n"a":[3]}\n', {"b": {"d": 1, "c": 2}, "a": [3]}),
        ('{"b": 1, "a": 2}', '{"b": 1, "a": 3}', {"a": 2, "b": 1}),
        ('{"b": 1, "a": 2}', "no JSON", {"a": 2, "b": 1}),
    ],
)
def test_keys_keep_the_order_in_which_they_were_typed(text: str, typed: str | None, written: dict[str, Any]) -> None:
    spec = Spec("t", QUARTER, kwargs=canonical_json(json.loads(text)))
    fields = fields_of(spec, BERLIN, None if typed is None else Typed("t", None, "[]", typed, "{}"))

    assert json.dumps(fields["kwargs"]) == json.dumps(written)


def test_a_broken_row_is_listed_in_the_file_of_its_application() -> None:
    rows = [
        Row(1, "a", Spec("apps.billing.tasks.a", QUARTER)),
        Row(2, "b", Spec("apps.shop.tasks.b", QUARTER)),
        Row(3, "broken", None, problems=(Problem("SS320", "no schedules"),)),
    ]
    typed = {3: Typed("apps.shop.tasks.other", None, "[]", "{}", "{}")}
    found = candidates(Tables(rows, [], NOW, BERLIN, typed=typed), ())
    form = ImportForm(by="app", in_one=False)
    texts = write_drafts(found.drafts, found.left_out, form).texts

    assert [name for name, text in texts.items() if "# - `broken`: broken, no schedules\n" in text] == ["shop.yaml"]


def test_names_and_globs_choose_rows() -> None:
    tables = Tables([Row(1, "sync-a", Spec("t", QUARTER)), Row(2, "b", Spec("t", QUARTER))], [], NOW, BERLIN)

    assert [each.name for each in candidates(tables, ("sync-*",)).drafts] == ["sync-a"]
    with pytest.raises(WrongUsage, match="no row has the name `x`"):
        candidates(tables, ("b", "x"))
