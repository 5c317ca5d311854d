"""Refusals of the safety rules, and the limits that decide about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from schedsync.core.allowance import Allowance
from schedsync.core.controls import NO_CONTROLS, Controls
from schedsync.core.freeze import Freeze
from schedsync.core.location import Location

MAX_STOPS = 100
MAX_STOP_PERCENT = 30


@dataclass(frozen=True, slots=True)
class Refusal:
    """A plan that a safety rule refuses; ``override`` is the flag or the edit that lifts the refusal.

    ``stops`` is the number of stops, where they are refused; ``schedule`` is the name of the schedule, where a control
    refuses one.
    """

    code: str
    message: str
    override: str
    stops: int | None = None
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the configuration, and the flags of this call; ``allow_stops`` is the flag's number.

    ``allowances``, ``controls`` and ``freezes`` are those of the configuration, whose place is ``place``. ``grace`` is
    for how long a schedule stays disabled before it is deleted; None deletes it at once.
    """

    max_stops: int = MAX_STOPS
    max_stop_percent: int = MAX_STOP_PERCENT
    allow_stops: int | None = None
    allow_empty: bool = False
    allow_dual_writer: bool = False
    allow_older: bool = False
    allow_move: bool = False
    allow_dirty: bool = False
    allow_freeze: bool = False
    allowances: tuple[Allowance, ...] = ()
    controls: Controls = NO_CONTROLS
    freezes: tuple[Freeze, ...] = ()
    place: Location | None = None
    grace: timedelta | None = None
