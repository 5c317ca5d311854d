"""Which schedules an apply puts under a standing pause: those that it creates, takes over, renames or enables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from schedsync.core.observed import Observed, Paused
from schedsync.core.schedule import Schedule
from schedsync.core.selector import Candidate, selector_document, selector_from
from schedsync.core.standing import Standing
from schedsync.core.timing import instant, instant_text
from schedsync.planning.converter import instant_document
from schedsync.planning.pair import Pair, is_held


def under_standing(pair: Pair, observed: Observed) -> Pair:
    """Return a pair that comes under a standing pause with that pause, and every other pair as it is."""
    if not observed.standing or pair.pause is not None or not _comes(pair):
        return pair
    after = candidate_of(pair.schedule, observed.set)
    pause = pause_over(after, observed, pair.now)
    if pause is None or (_is_renamed(pair) and pause_over(_before(pair, after), observed, pair.now) is not None):
        return pair
    return replace(pair, pause=replace(pause, was_held=is_held(pair)), joins=True)


def pause_over(candidate: Candidate, observed: Observed, now: datetime) -> Paused | None:
    """Return the standing pause that fits a schedule and lasts longest, as a pause of this schedule; None without."""
    fitting = [pause for pause in observed.standing if not pause.ended(now) and pause.selector.fits(candidate)]
    if not fitting:
        return None
    longest = max(fitting, key=lambda pause: (pause.until is None, pause.until or now))
    return Paused(candidate.name, longest.reason, longest.who, longest.since, longest.until)


def candidate_of(schedule: Schedule, set_name: str | None) -> Candidate:
    """Return a schedule of the files as a selector sees it."""
    people = schedule.people
    return Candidate(schedule.name, set_name, schedule.spec.queue, people.owner, people.labels)


def _before(pair: Pair, after: Candidate) -> Candidate:
    spec, managed = pair.row.spec if pair.row else None, pair.managed
    before = after._replace(name=pair.old_name or after.name)
    if spec is not None:
        before = before._replace(queue=spec.queue)
    if managed is not None:
        before = before._replace(owner=managed.people.owner, labels=managed.people.labels)
    return before


def _comes(pair: Pair) -> bool:
    if pair.managed is None or _is_renamed(pair):
        return True
    return pair.schedule.spec.enabled and not pair.managed.was_enabled


def _is_renamed(pair: Pair) -> bool:
    """Say whether the files rename it; a row that somebody renamed by hand gets its own name back."""
    return pair.old_name is not None and (pair.managed is None or pair.managed.name != pair.schedule.name)


def standing_document(pause: Standing) -> dict[str, Any]:
    """Return a standing pause as JSON values."""
    return {
        "selector": selector_document(pause.selector),
        "reason": pause.reason,
        "who": pause.who,
        "since": instant_text(pause.since),
        "until": instant_document(pause.until),
    }


def standing_from(values: Mapping[str, Any]) -> Standing:
    """Read a standing pause of a snapshot back."""
    selector, until = selector_from(values["selector"]), values["until"] and instant(values["until"])
    return Standing(selector, values["reason"], values["who"], instant(values["since"]), until)
