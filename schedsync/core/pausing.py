"""What a call of ``pause`` or ``resume`` did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from schedsync.core.observed import Paused
from schedsync.core.selector import Selector
from schedsync.core.standing import Standing
from schedsync.core.watch import Settled


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses that were written, by name.

    ``replaced`` are the pauses that these schedules had before. ``kept`` are pauses of others that last longer, and
    stay as they are. ``gone`` are names of schedules without a row. ``standing`` is the pause of schedules that come
    later; None where the selector names each schedule. ``monitors`` is what was done at the services that watch them.
    """

    selector: Selector
    pauses: tuple[Paused, ...]
    replaced: tuple[Paused, ...] = ()
    gone: tuple[str, ...] = ()
    standing: Standing | None = None
    kept: tuple[Paused, ...] = ()
    monitors: Settled | None = None


@dataclass(slots=True)
class Resumed:
    """What became of the schedules: names by what they do now.

    ``running`` run again. ``stopped`` are no longer paused, but do not run: Git has disabled or dropped them, or they
    are completed. ``held`` were disabled by a human before the pause, or are not paused at all, and stay as they are.
    ``untouched`` are neither paused nor held. ``ended`` are standing pauses that are over, ``lasting`` those that go on
    for schedules that come later. ``monitors`` is what was done at the services that watch them.
    """

    selector: Selector = field(default_factory=Selector)
    running: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    ended: tuple[Standing, ...] = ()
    lasting: tuple[Standing, ...] = ()
    monitors: Settled | None = None

    def lists(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each list of names with its word."""
        for word in ("running", "stopped", "held", "untouched"):
            yield word, getattr(self, word)


@dataclass(frozen=True, slots=True)
class PauseOrder:
    """The schedules to pause, the reason, and the time of the end; ``until`` None lasts until ``resume``."""

    selector: Selector
    reason: str
    until: datetime | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class ResumeOrder:
    """The schedules to resume, and whether the ticks that fell due meanwhile count as missed."""

    selector: Selector
    catch_up: bool = False
    environment: str | None = None
