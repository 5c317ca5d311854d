"""The values that all formats show of changes: timings, next runs, owners and places. Each format styles them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, NamedTuple

from schedsync.calendar.words import moment, zone_name
from schedsync.core.change import Change
from schedsync.core.location import Location
from schedsync.core.names import first_names
from schedsync.core.schedule import Spec
from schedsync.core.timing import Timing, timing_from, zone_of
from schedsync.planning.removal import is_removal
from schedsync.render.timing_words import timing_words
from schedsync.render.words import printable

SEPARATOR, _NO_BREAK = " · ", "\u00a0"
#: Within it a weekday alone tells the date.
_WEEK = timedelta(days=6)


class Place(NamedTuple):
    """Where a schedule is defined; ``is_gone`` if only the files before the change have it there."""

    location: Location
    is_gone: bool


def timings(before: Any, after: Any) -> tuple[str | None, str | None] | None:
    """Return two timings in words, with a zone that both have once; None if words cannot tell them apart.

    They are given in their canonical form, None where there is none.
    """
    try:
        both = [None if form is None else timing_from(form) for form in (before, after)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    zones = {zone_name(timing) for timing in both if timing is not None}
    with_utc = len(zones) > 1
    old, new = (None if each is None else printable(timing_words(each, with_utc=with_utc)) for each in both)
    if old == new:
        return None
    if old is not None and new is not None and len(zones) == 1:
        old = old.removesuffix(f" {zones.pop()}")
    return old, new


def specs(change: Change) -> tuple[Spec | None, Spec | None]:
    """Return a schedule before and after a change."""
    return change.row.spec if change.row is not None else None, change.after


def deciding(change: Change) -> Hashable:
    """Return what decides when a schedule runs, before and after a change."""
    values = (
        spec and (spec.timing, spec.enabled, spec.start_at, spec.expires_at, spec.one_off) for spec in specs(change)
    )
    return *values, change.edit_may_fire, change.rearm


def run_alike(changes: Iterable[Change]) -> bool:
    """Say whether the next runs of one schedule are those of all of them, in each environment."""
    return len(set(map(deciding, changes))) <= 1


def next_runs(change: Change, now: datetime) -> tuple[tuple[datetime, ...], tuple[datetime, ...]]:
    """Return the next runs before and after a change that is applied at ``now``."""
    # Loaded here: it computes by Celery, which takes half a second.
    from schedsync.planning.consequences import runs_around

    return runs_around(change, now)


def runs_text(runs: Sequence[datetime], timing: Timing, now: datetime | None) -> str:
    """Write instants as the clocks of a timing's zone show them, with the zone."""
    # A line breaks between two instants, not within one.
    parts = (part.replace(" ", _NO_BREAK) for part in instants(runs, zone_of(timing), now))
    return f"{SEPARATOR.join(parts)} {zone_name(timing)}"


def instants(runs: Sequence[datetime], zone: tzinfo, now: datetime | None, *, with_dates: bool = False) -> list[str]:
    """Write instants as the clocks of a zone show them; an instant of the same day as the one before has no date.

    ``with_dates`` writes the whole date also where a weekday is enough.
    """
    return [moment(run, zone, now) for run in runs[:1]] + [
        _later(run, before, runs[0], zone, now, with_dates=with_dates) for before, run in pairwise(runs)
    ]


def _later(
    run: datetime, before: datetime, first: datetime, zone: tzinfo, now: datetime | None, *, with_dates: bool
) -> str:
    text = moment(run, zone, now)
    date, _, clock = text.rpartition(" ")
    if run.astimezone(zone).date() == before.astimezone(zone).date():
        return clock
    return f"{date[:3]} {clock}" if run - first < _WEEK and not with_dates else text


def owners(changes: Iterable[Change]) -> list[str | None]:
    """Return the owners of schedules, None first where some have none; nothing where nobody owns any."""
    found = {change.people.owner or None for change in changes}
    names = sorted(owner for owner in found if owner)
    return [*([None] if None in found else []), *names] if names else []


def owners_text(changes: Iterable[Change], shown: int) -> str:
    """Write the first owners, and how many more there are; empty where nobody owns any schedule."""
    return printable(first_names([owner or "none" for owner in owners(changes)], shown))


def places(changes: Iterable[Change]) -> list[Place]:
    """Return where schedules are defined, each line once: the schedules of one definition are at one line."""
    return list({(place.location.path, place.location.line): place for place in _places(changes)}.values())


def _places(changes: Iterable[Change]) -> Iterator[Place]:
    for change in changes:
        if change.location:
            yield Place(change.location, is_removal(change) and not change.announced)


def places_text(changes: Iterable[Change], shown: int) -> str:
    """Write the first places, and how many more there are; of a deleted schedule where it was."""
    found = places(changes)
    is_gone = bool(found) and all(place.is_gone for place in found)
    prefix = "was " if is_gone else ""
    lines = [f"{'was ' if place.is_gone and not is_gone else ''}{line_of(place.location)}" for place in found]
    return printable(f"{prefix}{first_names(lines, shown)}")


def line_of(place: Location | None) -> str:
    """Write a place without its column; empty where it is not known."""
    return f"{place.path}:{place.line}" if place else ""
