"""Alarms: which section a change stands in, and the headline that counts them."""

from __future__ import annotations

import pytest

from schedsync.core.change import Change, Consequence, Delete, Update
from schedsync.render.changes.alarms import ALARMING, alarm_of, headline
from schedsync.render.changes.folding import Group


def _group(*codes: str, kind: type[Change] = Update, name: str = "report") -> Group:
    consequences = tuple(Consequence(code, code) for code in codes)
    return Group(((None, kind(name=name, consequences=consequences)),))


@pytest.mark.parametrize(
    ("group", "title"),
    [
        (_group("more_often", "stops"), "Stops"),
        (_group("fires_late"), "Fires at once"),
        (_group("next_run_moves"), None),
        (_group(kind=Delete), "Deleted, did not run"),
        (_group("stops", kind=Delete), "Stops"),
    ],
)
def test_a_group_stands_under_its_most_dangerous_alarm(group: Group, title: str | None) -> None:
    alarm = alarm_of(group)
    assert (alarm and alarm.title) == title


def test_the_headline_counts_schedules_by_their_names() -> None:
    found = [_group("stops"), _group("stops", name="rates"), _group("more_often", name="rates"), _group("frequency")]
    assert headline(found) == "2 stop, 1 runs far more often"
    assert headline([_group("stops"), _group("stops")]) == "1 stops"
    assert headline([_group("frequency")]) == ""


def test_each_alarm_is_among_the_alarming_codes() -> None:
    assert {"stops", "fires_at_once", "fires_late", "never_runs", "more_often", "taken_over"} == ALARMING


def test_a_headline_can_be_a_sentence_of_its_own() -> None:
    assert headline([_group("stops")], whole=True) == "1 schedule stops"
    assert headline([], whole=True) == ""
