"""A load as a document, and back: as much as people are shown."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from schedsync.calendar.crowds import crowds
from schedsync.calendar.kept_load import KeptLoad, load_document, load_from
from schedsync.calendar.load import load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.core.timing import Interval
from schedsync.render.load import maps
from schedsync.render.load.sentences import load_sentence, unplaced_text
from tests.calendar.test_crowds import NOW, several
from tests.calendar.test_slots import cron, schedule


def kept() -> KeptLoad:
    schedules = [
        *several(4, "nightly", cron("0 2 * * *")),
        schedule("heartbeat", Interval(5 * 10**6)),
        schedule("push", Interval(1800 * 10**6)),
        schedule("placed", Interval(3600 * 10**6)),
    ]
    load = load_of(schedules, week_of(NOW, {"placed": NOW - timedelta(minutes=5)}), slots)
    return KeptLoad(load, crowds(load, slots))


def test_people_read_the_same_of_it() -> None:
    before = kept()
    after = load_from(json.loads(json.dumps(load_document(before))))

    assert maps.week(after.load) == maps.week(before.load)
    assert load_sentence(after.load) == load_sentence(before.load)
    assert unplaced_text(after.load) == unplaced_text(before.load)
    assert maps.steady_text(after.load) == maps.steady_text(before.load)
    assert list(after.crowds) == list(before.crowds)


@pytest.mark.parametrize(
    "damage",
    [
        {"starts": []},
        {"starts": [0] * 20_000},
        {"starts": [True]},
        {"starts": [-1]},
        {"start": "yesterday"},
        {"steady": [1]},
        {"crowds": [[["x"], 1, [], True]]},
    ],
)
def test_a_document_of_another_form_is_not_read(damage: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        load_from(load_document(kept()) | damage)
