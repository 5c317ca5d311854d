"""The text of the history: lines of a table, blocks of a name, and what a reader must know of what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from schedsync.core.change import FieldChange
from schedsync.core.history import ADMIN, History, HistoryChange, HistoryEntry, Life, Wanted
from schedsync.planning.history import changes_of
from schedsync.render.terminal.history import MOST_CHANGES, history_text

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
RUN = "1a2b3c4d-0000-0000-0000-000000000000"
ENTRY = HistoryEntry(NOW, "apply", "maria", RUN, "shop", commit="8b434ce2d3a1ffff", counts={"update": 2, "create": 1})


def lines(*entries: HistoryEntry, wanted: Wanted | None = None, width: int | None = None, **values: Any) -> list[str]:
    return history_text(History(NOW, wanted or Wanted(), entries, **values), width=width).splitlines()


def of_name(*documents: Any, **values: Any) -> list[str]:
    changes, _ = changes_of(list(documents))
    entry = replace(ENTRY, commit=None, changes=changes, **values)
    return lines(entry, wanted=Wanted(names=("report",)))


def test_a_table_fits_the_terminal_or_has_two_lines_for_each_call() -> None:
    entry = replace(ENTRY, reason="r" * 100, pull_request="#12")

    assert lines(entry) == [
        "when, UTC         run       what                         set   who    from  reason",
        f"Mon 23 Nov 10:00  1a2b3c4d  apply: 2 updated, 1 created  shop  maria  #12   {'r' * 60}…",
    ]
    assert lines(entry, width=80) == [
        "When (UTC), run, what, set, who, from, reason",
        "Mon 23 Nov 10:00  1a2b3c4d  apply: 2 updated, 1 created",
        f"    shop · maria · #12 · {'r' * 60}…",
    ]
    assert lines(ENTRY)[1].split()[-1] == "8b434ce2d3a1"


def test_what_is_missing_is_said() -> None:
    lives = (Life("report"), Life("old", NOW - timedelta(days=1)))

    assert lines(lives=lives, unread_before=NOW, is_cut=True) == [
        "No record",
        "Its name was `old` until Sun 22 Nov 10:00 UTC",
        "0 entries, and older ones: see them with `--limit` or `--until`",
        "Records before Mon 23 Nov 10:00 UTC were not searched; each apply makes more of them searchable",
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {
                "kind": "run",
                "name": "report",
                "task": "t",
                "task_id": "5f3e",
                "args": [1],
                "kwargs": {"token": "s3cret"},
            },
            ["sent by hand", "task     t", "task id  5f3e", "args     [1]", 'kwargs   {"token": "***"}'],
        ),
        ({"kind": "run", "name": "report", "args": [], "kwargs": {}, "sent": 0}, ["sent by hand", "sent  0"]),
        (
            {
                "kind": "run_past",
                "selector": "r*",
                "from": "2026-11-01T07:00:00Z",
                "to": "2026-11-01T08:00:00Z",
                "missing": False,
                "sent": 3,
                "last": None,
                "done": True,
            },
            [
                "ticks of the past sent",
                "selector  r*",
                "from      Sun 1 Nov 07:00 UTC",
                "to        Sun 1 Nov 08:00 UTC",
                "sent      3",
                "done      yes",
            ],
        ),
        (
            {"kind": "move", "name": "report", "before": "a", "after": "b"},
            ["moved to another set", "set  a → b"],
        ),
        (
            {"kind": "bind", "before": None, "after": "production"},
            ["database bound to an environment", "environment  none → production"],
        ),
        (
            {
                "kind": "update",
                "name": "report",
                "fields": [
                    {"field": "enabled", "before": True, "after": False},
                    {"field": "queue", "before": None, "after": "q\n"},
                ],
                "people": {"disabled_reason": "slow"},
                "apply": None,
            },
            ["updated and disabled", "enabled   yes → no", "queue     none → q\\u000a", "disabled  slow"],
        ),
        (
            {
                "kind": "pause",
                "name": "report",
                "reason": "r",
                "who": "maria",
                "until": None,
                "selector": "report",
                "replaces": {"who": "jo", "since": "2026-11-01T07:00:00Z", "until": None, "reason": "before"},
            },
            ["paused", "replaces  the pause by jo since Sun 1 Nov 07:00 UTC: before"],
        ),
        ({"kind": "of_later", "name": "report", "odd": {"a": 1}}, ["of later", 'odd  {"a": 1}']),
        (
            {"kind": "break_glass_ended", "name": "report", "opened_by": "jo", "reason": "INC-1"},
            ["no longer open for editing", "opened by  jo", "reason     INC-1"],
        ),
        ({"kind": "resume", "name": "report", "ends": 7, "how": 8}, ["resumed", "ended  7", "how    8"]),
        (
            {"kind": "adopt", "name": "report", "location": 3, "from": "2026-99-99"},
            ["adopted", "defined  3", "from     2026-99-99"],
        ),
    ],
)
def test_each_kind_says_what_it_did(document: dict[str, Any], expected: list[str]) -> None:
    found = of_name(document, reason="r" if document["kind"] == "pause" else None)

    assert found[0] == f"Mon 23 Nov 10:00 UTC  {expected[0]} by maria   apply 1a2b3c4d"
    assert [line.strip() for line in found[1:] if line != "    reason    r"] == expected[1:]


def test_many_changes_are_cut_and_the_text_says_where_all_are() -> None:
    changes = tuple(HistoryChange("create", f"s{number}") for number in range(MOST_CHANGES + 2))
    entry = replace(ENTRY, changes=changes, problem="1 of its changes cannot be read")

    assert lines(entry, wanted=Wanted(verbose=True))[-2:] == [
        "    and 2 more changes (`--format json` has all)",
        "    1 of its changes cannot be read",
    ]


def test_an_edit_in_the_admin_is_marked() -> None:
    change = HistoryChange("deleted", "report")
    entry = HistoryEntry(NOW, ADMIN, "ben\x1b", changes=(change,))

    assert lines(entry, wanted=Wanted(names=("report",))) == [
        "Mon 23 Nov 10:00 UTC  deleted by ben\\u001b in Django's admin, behind Git's back"
    ]


def test_documents_of_another_shape_are_counted() -> None:
    changes, unread = changes_of([1, None, {"name": "a"}, {"kind": "x"}, {"kind": "x", "fields": 3}])

    assert (changes, unread) == ((HistoryChange("x"),), 4)
    assert changes_of({"kind": "x"}) == ((), 1)
    found, _ = changes_of([{"kind": "x", "fields": [{"field": "queue", "after": "q"}]}])
    assert found == (HistoryChange("x", fields=(FieldChange("queue", None, "q"),)),)
