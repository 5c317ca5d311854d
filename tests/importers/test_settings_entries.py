"""What the settings say counts; a row of the same name only says what the settings do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest
from celery.schedules import crontab

from schedsync.core.observed import Managed, Problem, Row
from schedsync.core.schedule import Spec
from schedsync.core.timing import Interval
from schedsync.errors import WrongUsage
from schedsync.importers.celery_settings import read_beat_schedule
from schedsync.importers.rows import Tables
from schedsync.importers.settings_entries import EntryCandidates, entry_candidates
from tests.conftest import NOW

QUARTER = Interval(900 * 10**6)
SPEC = Spec("t", QUARTER)


def entries(settings: dict[Any, Any], *rows: Row, managed: tuple[Managed, ...] = (), **words: Any) -> EntryCandidates:
    tables = Tables(rows, managed, NOW, timezone.utc)
    return entry_candidates(read_beat_schedule(settings, timezone.utc), tables, words.get("patterns", ()))


def entry(**more: Any) -> dict[str, Any]:
    return {"task": "t", "schedule": 900, **more}


def spec_with(row: Spec, **more: Any) -> Spec:
    return entries({"a": entry(**more)}, Row(1, "a", row)).drafts[0].spec


def test_settings_win_over_the_row() -> None:
    row = Spec("other", Interval(5), args="[1]", queue="q", expires_after=9)
    result = entries({"a": entry(options={"expires": 240})}, Row(1, "a", row))

    assert result.drafts[0].spec == replace(SPEC, expires_after=240)
    assert result.rows == {"a": ("task", "timing", "args", "queue", "expires_after")}
    assert entries({"a": entry()}, Row(1, "a", SPEC), Row(2, "b", SPEC)).rows == {"a": ()}


def test_the_row_says_what_the_settings_do_not() -> None:
    row = replace(SPEC, enabled=False, one_off=True, description="by jo", start_at=NOW + timedelta(days=1))
    later = NOW + timedelta(days=9)

    assert spec_with(row) == row
    assert spec_with(row, enabled=True, one_off=False, description="x") == replace(
        row, enabled=True, one_off=False, description="x"
    )
    assert spec_with(replace(SPEC, expires_at=later)) == replace(SPEC, expires_at=later)
    assert spec_with(replace(SPEC, expires_at=later), options={"expires": 60}) == replace(SPEC, expires_after=60)
    assert entries({"a": entry(), "b": entry(enabled=False)}, Row(1, "a", row), Row(2, "b", row)).stopped == ["a"]


def test_keys_keep_the_order_of_the_settings() -> None:
    options = {"headers": {"z": 1, "y": 2}}
    read = entries({"a": entry(args=({"b": 1, "a": (2,)},), kwargs={"tenant": "x", "full": True}, options=options)})
    fields = read.drafts[0].fields

    assert [list(fields["args"][0]), list(fields["kwargs"]), list(fields["headers"])] == [
        ["b", "a"],
        ["tenant", "full"],
        ["z", "y"],
    ]


def test_entries_are_left_out_with_a_reason() -> None:
    settings = {
        "good": entry(),
        "Good": entry(),
        "bad": {"task": "t"},
        "celery.backend_cleanup": entry(),
        "theirs": entry(),
        "Theirs": entry(),
        "past": entry(options={"expires": NOW}),
        "done": entry(),
        "broken": entry(),
        7: entry(),
        "7": entry(),
    }
    done = Row(1, "done", replace(SPEC, one_off=True), total_run_count=1)
    broken = Row(2, "broken", None, problems=(Problem("SS320", "no schedules"),))
    result = entries(settings, done, broken, managed=(Managed("theirs", "billing", 2, ""),))

    assert [draft.name for draft in result.drafts] == ["7", "Good"]
    assert {each.name: each.reason for each in result.left_out} == {
        "7": "two keys have this name",
        "good": "its name differs only in case from `Good`",
        "bad": "its schedule is of type NoneType, whose code says when it runs",
        "celery.backend_cleanup": "Beat has a row of this name itself: leave it in the settings",
        "theirs": "set `billing` manages it already: compare both, then delete the entry",
        "Theirs": "its name differs only in case from `theirs`",
        "past": "completed, its time has passed",
        "broken": "its row is broken, no schedules: mend or delete the row first",
        "done": "completed, a one-off that has run",
    }


def test_names_and_globs_choose_entries() -> None:
    settings = {"sync-a": entry(), "b": entry(schedule=crontab()), "bad": {}}

    assert [draft.name for draft in entries(settings, patterns=("sync-*",)).drafts] == ["sync-a"]
    assert entries(settings, patterns=("sync-*",)).left_out == []
    with pytest.raises(WrongUsage, match="no entry has the name `x`"):
        entries(settings, patterns=("b", "x"))
