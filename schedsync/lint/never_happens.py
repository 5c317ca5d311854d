"""SS224: a place at which the sun never does that, or which nobody means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Solar
from schedsync.lint.rule import Context, Found, Rule

#: Further from the poles each event happens on some days of a year, though it may be absent for months.
_NEAR_A_POLE = 89
#: South of this latitude nobody lives but in research stations.
_ANTARCTICA = -60
#: North of this latitude there is no mainland of Europe and no Alaska.
_HIGH_ARCTIC = 71.5
#: Svalbard and Franz Josef Land: latitudes, then longitudes.
_ISLANDS = (((74, 81), (9, 34)), ((79, 82), (42, 66)))
#: Where most people live, as latitudes; the longitude becomes the latitude when the two are exchanged.
_INHABITED = (-56, 62)


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if not isinstance(timing, Solar):
        return
    latitude, longitude = float(timing.latitude), float(timing.longitude)
    if abs(latitude) > _NEAR_A_POLE and _never_happens(timing, context.now):
        message = f"`{timing.event}` does not happen at latitude {latitude:g}, at least for a year"
        yield Found(schedule, message, "solar", "check the latitude")
    elif _looks_swapped(latitude, longitude):
        where = "in Antarctica" if latitude < 0 else "in the high Arctic"
        message = f"latitude {latitude:g}, longitude {longitude:g} is {where}; the two look swapped"
        yield Found(schedule, message, "solar", f"write `latitude: {longitude:g}, longitude: {latitude:g}`")


def _never_happens(timing: Solar, now: datetime) -> bool:
    # Celery takes long to import, and hardly any set has a place at a pole.
    from schedsync.calendar.stock_beat import sun_slot

    return sun_slot(timing, now) is None


def _looks_swapped(latitude: float, longitude: float) -> bool:
    """Say whether hardly anyone lives there, but many do where the two are exchanged: in America, or in Asia."""
    if not _INHABITED[0] <= longitude <= _INHABITED[1]:
        return False
    if -_NEAR_A_POLE <= latitude < _ANTARCTICA:
        return True
    on_an_island = any(low <= latitude <= high and west <= longitude <= east for (low, high), (west, east) in _ISLANDS)
    return _HIGH_ARCTIC < latitude <= _NEAR_A_POLE and longitude >= 0 and not on_an_island


RULE = Rule(
    code="SS224",
    name="never-happens",
    summary="a sun event that never happens at that place, or coordinates that look swapped",
    severity="warning",
    why="At the poles the sun neither rises nor sets within a day, so such a schedule does not run. A latitude of a "
    "place where hardly anyone lives, with a longitude that fits a latitude, usually means that the two are swapped: "
    "the schedule then runs at the hours of another continent. Events that are absent for some weeks of a year are "
    "not flagged.",
    remedy="Correct the coordinates. If the place is meant, say so with an ignore comment.",
    bad="""
lights-on:
  task: shop.tasks.lights
  solar:
    event: sunset
    latitude: -74.006
    longitude: 40.7128
""",
    good="""
lights-on:
  task: shop.tasks.lights
  solar:
    event: sunset
    latitude: 40.7128
    longitude: -74.006
""",
    each=_each,
)
