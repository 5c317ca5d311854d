"""``schedsync forecast --compare``: list the runs that differ between the files and a source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from schedsync.commands.django import load_project, target_without_database
from schedsync.commands.documents import load_snapshot
from schedsync.commands.help import WHERE
from schedsync.commands.options import FileOptions, gather, option
from schedsync.commands.output import show, write
from schedsync.commands.parameters import Seconds, Source, SourceName, Zone
from schedsync.commands.terminal import progress_line
from schedsync.core.published import Place
from schedsync.core.sources import Sources, no_sources
from schedsync.errors import WrongUsage

if TYPE_CHECKING:
    from schedsync.calendar.run_comparison import RunComparison
    from schedsync.core.schedule import Desired
    from schedsync.planning.snapshot import Snapshot
    from schedsync.usecases import compare_sources
    from schedsync.usecases.run_comparison import CompareRequest
    from schedsync.usecases.target import Target

#: In seconds.
_DEFAULT = 30 * 86400.0
_LONGEST = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What to compare the files with, and for how long; None for what was not given."""

    compare: SourceName | None
    for_: float | None
    crontab_timezone: str | None
    settings: str | None
    pythonpath: str | None

    @property
    def length(self) -> timedelta:
        """The length of the window; raises WrongUsage for more than a year or less than a minute."""
        seconds = _DEFAULT if self.for_ is None else self.for_
        if not 60 <= seconds <= _LONGEST:
            raise WrongUsage("`--for` is out of range: at least one minute, at most 366 days")
        return timedelta(seconds=seconds)

    def check_unused(self) -> None:
        """Raise WrongUsage for an option that has an effect only with ``--compare``."""
        for flag, value in {"--for": self.for_, "--crontab-timezone": self.crontab_timezone}.items():
            if value is not None:
                raise WrongUsage(f"`{flag}` needs `--compare`")


compare_options = gather(
    "comparison",
    CompareOptions,
    option(
        "--compare",
        type=Source(),
        metavar="SOURCE",
        help="List the runs that differ from those of `settings`, `crontab:FILE`, a snapshot, or a Git revision.",
    ),
    option("--for", "for_", type=Seconds(positive=True), metavar="DURATION", help="How long to compare; default: 30d."),
    option(
        "--crontab-timezone",
        type=Zone(),
        metavar="ZONE",
        help="The time zone of a crontab's lines without CRON_TZ; default: UTC.",
    ),
    option("--settings", heading=WHERE, metavar="MODULE", help="Django's settings, for `--compare settings`."),
    option("--pythonpath", heading=WHERE, metavar="DIRECTORY", help="A directory to import the settings from."),
)


def compare_files(
    files: FileOptions,
    patterns: tuple[str, ...],
    start: datetime,
    options: CompareOptions,
    against: Place | None,
    format_: str,
) -> RunComparison:
    """Compare the runs of the files below PATH with those of the source."""
    source = options.compare or SourceName("settings")
    _check(source, options, against, format_)
    from schedsync.calendar.run_comparison import MOST_INSTANTS
    from schedsync.calendar.run_sets import LAST
    from schedsync.usecases.run_comparison import CompareRequest, compare, window_of
    from schedsync.usecases.target import desired_of

    try:
        window = window_of(start, options.length)
    except OverflowError:
        raise WrongUsage("the calendar ends before that instant") from None
    if source.kind == "settings":
        load_project(options.settings, options.pythonpath)
    known = load_snapshot(against) if against else None
    request = CompareRequest(window, patterns, MOST_INSTANTS if format_ == "json" else LAST, known)
    with progress_line() as progress:
        target = target_without_database(files, progress=progress)
        _, desired, _ = desired_of(target, _values(source, known))
        other = _source(source, options, files.path, target, desired, request)
        progress("comparing the runs")
        return compare(other, request)


def _values(source: SourceName, known: Snapshot | None) -> Sources:
    """Return the values of a ``for_each`` that come from the application, as far as they are known here."""
    if known is not None:
        return known.source
    if source.kind != "settings":
        return no_sources
    from schedsync.usecases.sources import sources_in_settings

    return sources_in_settings()


def _check(source: SourceName, options: CompareOptions, against: Place | None, format_: str) -> None:
    """Raise WrongUsage for an option that cannot have an effect."""
    if format_ not in ("text", "json"):
        raise WrongUsage(f"`--compare` has no format `{format_}`", hint="choose `text` or `json`")
    if options.crontab_timezone is not None and "crontab" not in source.kind:
        raise WrongUsage("`--crontab-timezone` needs `--compare crontab:FILE`")
    if against is not None and source.kind == "snapshot":
        raise WrongUsage("`--against` has no effect here: the last runs are those of the snapshot to compare with")


def _source(
    source: SourceName,
    options: CompareOptions,
    path: str | None,
    target: Target,
    desired: Desired,
    request: CompareRequest,
) -> compare_sources.Source:
    from schedsync.usecases import compare_sources

    if source.kind == "settings":
        return compare_sources.settings_source(desired)
    if source.kind == "snapshot":
        snapshot: Snapshot = load_snapshot(Path(source.value))
        return compare_sources.snapshot_source(snapshot, target.config.set, desired, request.window.since)
    if source.kind == "revision":
        return compare_sources.revision_source(source.value, path, target, desired)
    zone = options.crontab_timezone or "UTC"
    system = True if source.kind == "system-crontab" else None
    return compare_sources.crontab_source(Path(source.value), zone, system, desired, request.window)


def show_comparison(value: RunComparison, format_: str, out: Path | None) -> int:
    """Write a comparison; returns 2 if anything differs, else 0."""
    from schedsync.render.terminal import run_comparison as render

    if format_ == "json":
        write(render.json_(value), out)
    else:
        show(lambda paint: render.text(value, paint), out)
    return 2 if value.differs else 0
