"""Sends ticks of the past, under the ids that Beat gives them; a run that was killed goes on where it stopped.

How far it has come is written after each message. A process that is killed in between sends that one message again,
under the same id, when it goes on.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from schedsync.beat.by_hand import HandMessage, HandSender, Runnable
from schedsync.calendar.clock_times import ClockTime, span_of
from schedsync.core.hand_run import MOST_LOOKED_AT, MOST_TICKS, PastRequest, PastRun, PastTick
from schedsync.core.names import first_names, shortened
from schedsync.core.refusal import Refusal
from schedsync.core.selector import Selector
from schedsync.core.task_id import task_id
from schedsync.core.timing import moment, zone_of
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.hand_runs import Progress, another_goes_on, begin, go_on, progress_of
from schedsync.errors import Refused, SchedsyncError, WrongUsage
from schedsync.usecases.run_checks import NAMED, NOT_SENT, Chosen, choose_schedules, disabled_of, require_no_pause
from schedsync.usecases.sent_before import missing_of

#: In seconds: how often to look whether something is paused by now.
LOOKS_EVERY = 1.0
#: Waits for a number of seconds; returns whether the user wants to stop.
Wait = Callable[[float], bool]


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


@dataclass(frozen=True, slots=True)
class PastOptions:
    """How to send: ``wait`` waits and says whether to stop, ``note`` gets the step that runs now."""

    environment: str | None = None
    allow_paused: bool = False
    dry_run: bool = False
    wait: Wait = _sleep
    note: Callable[[str], None] = lambda _step: None


@dataclass(frozen=True, slots=True)
class TypedPast:
    """Which ticks of the past to send, as a user types it: see :class:`PastRequest`."""

    selector: Selector
    since: ClockTime
    until: ClockTime
    missing: bool = False
    most: int = MOST_TICKS
    rate: str = ""
    gap: timedelta = timedelta(0)
    again: bool = False

    @property
    def needs_zone(self) -> bool:
        """Whether it means the time of a zone."""
        return self.since.at is None or self.until.at is None

    def request(self, zone: ZoneInfo, now: datetime) -> PastRequest:
        """Return the request, with its times in a zone; of a time that comes twice it is the first."""
        since, until = span_of(self.since, zone, now).start, span_of(self.until, zone, now).start
        return PastRequest(self.selector, since, until, self.missing, self.most, self.rate, self.gap, self.again)


def run_past(using: str, typed: TypedPast, options: PastOptions) -> tuple[PastRun, SchedsyncError | None]:
    """Send the ticks of a request, the oldest first; returns what became of them, and the error that stopped it.

    Raises Refused while a schedule is paused, or where there are more ticks than ``most``; WrongUsage where the time is
    not over yet; and what :func:`choose_schedules` raises. Nothing was sent then.
    """
    with database_errors(using):
        app, chosen = choose_schedules(using, typed.selector, options.environment)
        request = _request(typed, chosen)
        if not options.allow_paused and not options.dry_run:
            require_no_pause(using, chosen.runnable.keys())
        options.note("working out the ticks")
        disabled = disabled_of(using, chosen)
        left_out = disabled if request.missing else ()
        ticks = _ticks([chosen.runnable[name] for name in chosen.runnable.keys() - {*left_out}], request)
        last = progress_of(using, request)
        if last is not None and last.done and last.sent and not request.again:
            return PastRun(request, (), last.sent, run=str(last.run)), None
        progress = None if last is None or last.done else last
        whole = PastRun(request, ticks, notes=(*_notes(request, disabled), *_open(chosen)))
        plan = _planned(using, app, chosen, whole, progress, options.note)
        if options.dry_run:
            return plan, None
        progress = progress or begin(using, request, chosen.set, chosen.runnable.keys(), who(), now(), last)
        return _Sending(using, app, chosen, replace(plan, run=str(progress.run)), progress, options).send()


def _request(typed: TypedPast, chosen: Chosen) -> PastRequest:
    """Return the request with its instants; a time without an offset is one of the schedules' zone."""
    timings = [runnable.loaded.timing for runnable in chosen.runnable.values()]
    zones = {zone_of(timing) for timing in timings}
    if typed.needs_zone and len(zones) > 1:
        names = first_names(sorted({zone.key for zone in zones}), 3)
        hint = "write the times with their offset, such as `2026-11-27T02:00+01:00`"
        raise WrongUsage(f"the schedules are in several zones: {names}", hint=hint)
    at = now()
    request = typed.request(min(zones, key=str), at)
    if request.until <= request.since:
        span = f"`--to` ({moment(request.until)} UTC) is not after `--from` ({moment(request.since)} UTC)"
        raise WrongUsage(span, hint="a time alone, such as `02:00`, is the last such time")
    if request.until > at:
        raise WrongUsage(f"`--to` is in the future: {moment(request.until)} UTC", hint="Beat sends those ticks")
    return request


def _planned(
    using: str, app: Any, chosen: Chosen, whole: PastRun, progress: Progress | None, note: Callable[[str], None]
) -> PastRun:
    """Return the ticks that are left: without those that an earlier call has sent, or that are known to be sent."""
    request, left = whole.request, whole.ticks
    if progress is not None:
        left = [tick for tick in left if progress.is_behind(tick)]
        whole = replace(whole, before=progress.sent, run=str(progress.run))
    if not request.missing:
        return replace(whole, ticks=left)
    missing = missing_of(using, app, request, left, chosen, note)
    _check_number(request, len(missing.ticks), request.most)
    return replace(whole, ticks=missing.ticks, known=len(left) - len(missing.ticks), unknown=missing.unknown)


def _notes(request: PastRequest, disabled: Sequence[str]) -> tuple[str, ...]:
    """Say which schedules are disabled: Beat did not send them, so that none of their ticks is missing."""
    if not disabled:
        return ()
    those = "1 schedule is disabled" if len(disabled) == 1 else f"{len(disabled):,} schedules are disabled"
    out = " and left out" if request.missing else ""
    return (f"{those}{out}: {first_names([shortened(name) for name in disabled], NAMED)}",)


def _open(chosen: Chosen) -> tuple[str, ...]:
    """Say of which schedules the last run has not ended: with `overlap: skip` Beat would not send them now."""
    count, names = len(chosen.open_runs), sorted(chosen.open_runs)
    if not count:
        return ()
    those = "the last run of 1 schedule has" if count == 1 else f"the last runs of {count:,} schedules have"
    return (f"{those} not ended: {first_names([shortened(name) for name in names], NAMED)}",)


def _ticks(runnable: Iterable[Runnable], request: PastRequest) -> list[PastTick]:
    """Return the ticks in the order in which they are sent; raises Refused where there are too many."""
    by_schedule = [_ticks_of(schedule, request) for schedule in runnable]
    # How many of them are missing is not known yet.
    most = max(request.most, MOST_LOOKED_AT) if request.missing else request.most
    ticks = list(islice(heapq.merge(*by_schedule), most + 1))
    _check_number(request, len(ticks), most)
    return ticks


def _check_number(request: PastRequest, count: int, most: int) -> None:
    if count > most:
        known = "is more than 1 tick" if most == 1 else f"are more than {most:,} ticks"
        message = f"there {known} from {moment(request.since)} UTC on"
        hint = "give a shorter time, select fewer schedules, or allow more by `--max N`"
        raise Refused([Refusal("too_many_ticks", message, hint)], NOT_SENT)


def _ticks_of(runnable: Runnable, request: PastRequest) -> Iterator[PastTick]:
    loaded = runnable.loaded
    for tick in runnable.grid.ticks(request.since, request.until):
        yield PastTick(tick, loaded.name, task_id(loaded.name, tick))


class _Sending:
    """Sends the ticks one after the other, and writes after each how far it has come."""

    def __init__(
        self, using: str, app: Any, chosen: Chosen, plan: PastRun, progress: Progress, options: PastOptions
    ) -> None:
        self._using, self._chosen, self._plan, self._options = using, chosen, plan, options
        self._progress, self._actor = progress, who()
        self._sender = HandSender(app)
        self._sent = 0
        self._looks_at = 0.0

    def send(self) -> tuple[PastRun, SchedsyncError | None]:
        """Send until nothing is left, the user stops it, or an error does."""
        stopped = ""
        error: SchedsyncError | None = None
        try:
            with database_errors(self._using):
                stopped = self._send_all()
        except Refused as refused:
            stopped, error = refused.refusals[0].message, refused
        except SchedsyncError as failure:
            stopped, error = failure.message, failure
        finally:
            self._sender.close()
        return replace(self._plan, sent=self._sent, stopped=stopped), error

    def _send_all(self) -> str:
        gap, due = self._plan.request.gap.total_seconds(), time.monotonic()
        for number, tick in enumerate(self._plan.ticks, 1):
            if self._options.wait(max(due - time.monotonic(), 0.0)):
                return "interrupted"
            due = max(due, time.monotonic() - gap) + gap
            self._options.note(f"sending {number:,} of {len(self._plan.ticks):,}, of {moment(tick.tick)} UTC")
            self._look_for_pause()
            self._send(tick)
        self._write(replace(self._progress, done=True))
        return ""

    def _look_for_pause(self) -> None:
        """Raise Refused if something was paused since the last look, which is made every second."""
        if not self._options.allow_paused and time.monotonic() >= self._looks_at:
            require_no_pause(self._using, self._chosen.runnable.keys())
            self._looks_at = time.monotonic() + LOOKS_EVERY

    def _send(self, tick: PastTick) -> None:
        runnable = self._chosen.runnable[tick.name]
        self._sender.send(HandMessage(runnable.loaded, tick.tick, runnable.payload, by=self._actor))
        self._sent += 1
        self._write(replace(self._progress, sent=self._progress.sent + 1, last=(tick.tick, tick.name)))

    def _write(self, after: Progress) -> None:
        if not go_on(self._using, self._plan.request, self._progress, after):
            raise another_goes_on()
        self._progress = after
