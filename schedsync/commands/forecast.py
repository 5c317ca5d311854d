"""``schedsync forecast``: show what runs next, and what starts at the same time."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from schedsync.commands.compare import CompareOptions, compare_files, compare_options, show_comparison
from schedsync.commands.django import target_without_database
from schedsync.commands.documents import load_snapshot
from schedsync.commands.help import OUTPUT
from schedsync.commands.options import (
    FileOptions,
    file_options,
    format_option,
    gather,
    option,
    out_option,
    snapshot_option,
    verb,
)
from schedsync.commands.output import show, write
from schedsync.commands.parameters import WholeNumber
from schedsync.commands.terminal import columns, is_terminal, progress_line
from schedsync.config import SUFFIXES, is_pattern
from schedsync.core.origin import Binding
from schedsync.core.published import Place
from schedsync.core.schedule import Desired
from schedsync.core.sources import Sources, no_sources
from schedsync.core.timing import TimingError, duration, instant
from schedsync.errors import WrongUsage
from schedsync.render.page import forecast as forecast_page
from schedsync.render.programs import forecast as render
from schedsync.render.terminal import forecast as forecast_text

if TYPE_CHECKING:
    from schedsync.usecases.forecast import Horizon
    from schedsync.usecases.target import Target

RENDERINGS = {"json": render.json_, "svg": forecast_page.svg}
#: Runs of each schedule, if neither --count nor --until is given: in documents, and in the text of a few schedules.
_SHOWN, _OF_FEW = 5, 10
#: The text lists all runs of at most this many named schedules; more become a table.
_FEW = 3
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


class _Instant(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """An instant with its offset, a date (its first instant in UTC), or a duration."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        """Return the instant or the duration; any other value is wrong usage."""
        if isinstance(value, (datetime, timedelta)):
            return value
        try:
            if value[:1].isdigit() and value[-1:] in "smhd":
                return timedelta(microseconds=duration(value))
            return instant(f"{value}T00:00:00Z" if _DATE.match(value) else value)
        except (TimingError, OverflowError) as error:
            self.fail(f"{error}; such as `2027-03-28`, `2027-03-28T02:30:00+01:00` or `7d`", param, ctx)


@dataclass(frozen=True, slots=True)
class Span:
    """Which runs to show: from when, until when, and how many of each schedule; None if not given."""

    start: datetime | timedelta | None
    until: datetime | timedelta | None
    count: int | None

    def begin_of_comparison(self, now: datetime) -> datetime:
        """Return the start of a comparison, which has a length of its own; raises WrongUsage for other limits."""
        if self.is_given:
            raise WrongUsage("`--compare` takes neither `--until` nor `--count`", hint="give its length as `--for`")
        try:
            return now if self.start is None else _after(self.start, now)
        except OverflowError:
            raise WrongUsage("the calendar ends before that instant") from None

    @property
    def is_given(self) -> bool:
        """Whether the user says how many runs to show."""
        return self.until is not None or self.count is not None

    def horizon(self, now: datetime, count: int = _SHOWN) -> Horizon:
        """Return the span as instants, with a number of runs unless it is given.

        Raises WrongUsage if the span ends before it begins, or beyond the calendar.
        """
        from schedsync.usecases.forecast import Horizon

        try:
            begin = now if self.start is None else _after(self.start, now)
            end = None if self.until is None else _after(self.until, begin)
        except OverflowError:
            raise WrongUsage("the calendar ends before that instant") from None
        if end is not None and end < begin:
            raise WrongUsage("`--until` is earlier than `--from`")
        return Horizon(begin, end, self.count if self.count or end else count, now)


@dataclass(frozen=True, slots=True)
class Request:
    """Which schedules to forecast, and how to write them."""

    files: FileOptions
    patterns: tuple[str, ...]
    span: Span
    against: Place | None
    format_: str
    out: Path | None
    verbose: bool
    maps: bool
    timeline: bool

    @property
    def runs(self) -> int:
        """The number of runs to compute for each schedule, unless the user gives it."""
        if self.format_ != "text":
            return _SHOWN
        return _OF_FEW if self.patterns else forecast_text.NEXT

    def view(self, schedules: int, now: datetime) -> forecast_text.View:
        """Return how the text shows a number of schedules."""
        return forecast_text.View(
            width=columns(sys.stdout) if self.out is None and is_terminal(sys.stdout) else None,
            most=None if self.patterns or self.verbose else forecast_text.SHOWN,
            each_run=self.span.is_given or (bool(self.patterns) and schedules <= _FEW),
            with_maps=self.maps,
            now=now,
        )


def _after(given: datetime | timedelta, base: datetime) -> datetime:
    return base + given if isinstance(given, timedelta) else given


@verb("Show the next runs, and how many start in each minute.")
@file_options
@click.argument("names", nargs=-1, metavar="[NAME|GLOB]...")
@option("--name", metavar="GLOB", help="Show only schedules whose names match, such as `sync-*`; also as an argument.")
@gather(
    "span",
    Span,
    option(
        "--from", "start", type=_Instant(), metavar="INSTANT", help="Show runs from this instant on; by default now."
    ),
    option(
        "--until",
        type=_Instant(),
        metavar="INSTANT",
        help="Show runs up to and including this instant; or for a duration from --from, such as 7d.",
    ),
    option(
        "--count",
        type=WholeNumber(1, 10_000),
        metavar="N",
        help="List N runs of each schedule.",
    ),
)
@compare_options
@snapshot_option
@format_option("json", "html", "svg")
@out_option
@option("-v", "--verbose", heading=OUTPUT, is_flag=True, help="Show all schedules, however many there are.")
@option(
    "--timeline", heading=OUTPUT, is_flag=True, help="Show which schedule runs when in the next 24 hours, by queue."
)
@option("--map", "maps", heading=OUTPUT, is_flag=True, help="Draw a map of the load: which hours and minutes are full.")
def forecast(
    files: FileOptions,
    names: tuple[str, ...],
    name: str | None,
    span: Span,
    comparison: CompareOptions,
    against: Place | None,
    format_: str,
    out: Path | None,
    verbose: bool,
    timeline: bool,
    maps: bool,
) -> int:
    """Show the next runs of the schedules below PATH as Beat would make them, in their own time zones.

    NAME selects schedules; PATH can then be left out, unless there is a file or a directory with the first NAME. Each
    run is listed for up to three named schedules, and with --count or --until.

    Below is the load of one week: how many schedules start in a minute, and which minutes stand out. Intervals are
    counted from the last run if a snapshot knows it, else from --from.

    With --timeline there is one line for each definition instead, with its runs until --until, by default for 24 hours,
    in all formats.

    With --compare, both the files and SOURCE are simulated, and each run that only one of them makes is listed. It is
    safe to switch if none differs. SOURCE is `settings` (CELERY_BEAT_SCHEDULE), `crontab:FILE`, a snapshot such as
    `snapshot.json`, or a Git revision such as `main`. Exits 2 if a run differs, or could not be compared.
    """
    now = datetime.now(timezone.utc)
    files, patterns = _told_apart(files, (*names, *([] if name is None else [name])))
    if maps and (comparison.compare is not None or format_ != "text" or timeline):
        raise WrongUsage("`--map` belongs to the text of a forecast", hint="`--format svg` draws a map as a file")
    if timeline and (comparison.compare is not None or span.count is not None):
        raise WrongUsage("`--timeline` takes neither `--compare` nor `--count`", hint="give its end as `--until`")
    if comparison.compare is not None:
        result = compare_files(files, patterns, span.begin_of_comparison(now), comparison, against, format_)
        return show_comparison(result, format_, out)
    comparison.check_unused()
    return _forecast(Request(files, patterns, span, against, format_, out, verbose, maps, timeline), now)


def _told_apart(files: FileOptions, patterns: tuple[str, ...]) -> tuple[FileOptions, tuple[str, ...]]:
    """Return where the files are, and the patterns of names: the first argument is a name if it is no path."""
    first = files.path
    if first is None or _is_path(first):
        return files, patterns
    return replace(files, path=None), (first, *patterns)


def _is_path(text: str) -> bool:
    # A name can have a slash too.
    looks_like_one = (text.startswith(("/", "./", "../")) or text.endswith(("/", *SUFFIXES))) and not is_pattern(text)
    return looks_like_one or os.path.lexists(text)


def _forecast(request: Request, now: datetime) -> int:
    from schedsync.planning.snapshot import check_set
    from schedsync.usecases.forecast import forecast as make_forecast
    from schedsync.usecases.timeline import end_of, with_timeline

    horizon = request.span.horizon(now, request.runs)
    if request.timeline:
        end_of(horizon.start, horizon.until)
    snapshot = load_snapshot(request.against) if request.against else None
    with progress_line() as progress:
        target = target_without_database(request.files, progress=progress)
        if snapshot is not None:
            check_set(snapshot, target.config.set)
        desired, binding = _files(target, snapshot.source if snapshot else no_sources, request.format_)
        result = make_forecast(desired, horizon, request.patterns, snapshot)
        if request.timeline:
            result = with_timeline(result, desired, request.patterns, snapshot)
    if request.format_ == "html":
        write(forecast_page.html(result, target.config.set, binding, now), request.out)
    elif request.format_ in RENDERINGS:
        write(RENDERINGS[request.format_](result), request.out)
    else:
        view = request.view(len(result.outlooks), now)
        show(lambda paint: forecast_text.text(result, paint, view), request.out)
    return 0


def _files(target: Target, sources: Sources, format_: str) -> tuple[Desired, Binding]:
    """Return the schedules of the files, and for a page where they come from, by Git."""
    from schedsync.git.origin import name_at
    from schedsync.usecases.target import desired_of, files_of

    if format_ != "html":
        return desired_of(target, sources)[1], Binding()
    files, config = files_of(target, sources), target.config
    name = name_at(config.paths[0], config.repository_url)
    return files.desired, replace(files.binding, environment=config.chosen(target.environment), repository=name)
