"""What a safety rule says no to, and what may lift it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_STOPS = 100
MAX_STOP_PERCENT = 30


@dataclass(frozen=True, slots=True)
class Refusal:
    """A safety rule says no; ``override`` is the flag, or the edit, that lifts it."""

    code: str
    message: str
    override: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows, and what this call lifts."""

    max_stops: int = MAX_STOPS
    max_stop_percent: int = MAX_STOP_PERCENT
    allow_stops: int | None = None
    allow_empty: bool = False
    allow_dual_writer: bool = False
    allow_older: bool = False
    allow_move: bool = False
