"""The sources that a forecast compares the files with: settings, a crontab, a snapshot, a Git revision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from schedsync.calendar.run_comparison import NotCompared
from schedsync.calendar.window import Window
from schedsync.calendar.zones import clock_changes
from schedsync.config import DEFAULT_PATH
from schedsync.core.finding import has_errors
from schedsync.core.location import Location
from schedsync.core.names import first_names
from schedsync.core.observed import Row
from schedsync.core.schedule import Desired, Schedule, Spec
from schedsync.core.timing import moment
from schedsync.errors import Failed, WrongUsage
from schedsync.files.schedule_set import resolve_set
from schedsync.git.repository import open_repository
from schedsync.importers.crontab_drafts import dates_text, double_dates
from schedsync.importers.crontab_file import BOTH_DAYS, SPLIT, CronLine, CrontabFile, read_crontab
from schedsync.importers.not_taken import NotTaken
from schedsync.planning.match import Matcher
from schedsync.planning.pair import Pair, is_completed, is_held, spec_after
from schedsync.planning.rolled_back import keep
from schedsync.planning.snapshot import Snapshot, check_set
from schedsync.review.side import read_revision
from schedsync.usecases.target import Target

#: An assumption lists this many names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Source:
    """What to compare the files with: its title, its schedules by the name of the schedule in the files.

    ``files`` are the files' schedules as an apply would leave them, where the source knows the rows. ``last_runs`` are
    the instants that intervals count from. Without ``has_messages`` only the runs can be compared.
    """

    title: str
    schedules: Mapping[str, Schedule]
    files: Mapping[str, Schedule]
    not_compared: tuple[NotCompared, ...] = ()
    assumptions: tuple[str, ...] = ()
    last_runs: Mapping[str, datetime] = field(default_factory=dict)
    has_messages: bool = True
    is_masked: bool = False


def settings_source(desired: Desired) -> Source:
    """Return the schedules of the Celery app's settings; Django must be set up."""
    from schedsync.usecases.celery_settings import beat_schedule

    read = beat_schedule()
    return Source(
        title="CELERY_BEAT_SCHEDULE",
        schedules=_renamed({schedule.name: schedule for schedule in read.schedules}, desired),
        files=desired.schedules,
        not_compared=_not_compared(read.not_taken, None),
        assumptions=(_BY_NAME,),
    )


_BY_NAME = "schedules are matched by name, or by `renamed_from`"


def _renamed(schedules: Mapping[str, Schedule], desired: Desired) -> dict[str, Schedule]:
    """Return the schedules of a source by their names in the files, where ``renamed_from`` gives them another."""
    names = {
        schedule.renamed_from: schedule.name
        for schedule in desired.schedules.values()
        if schedule.renamed_from is not None and schedule.name not in schedules
    }
    return {names.get(name, name): schedule for name, schedule in schedules.items()}


def _not_compared(items: tuple[NotTaken, ...], path: str | None) -> tuple[NotCompared, ...]:
    return tuple(
        NotCompared(item.name, item.reason, item.hint, f"{path}:{item.line}" if path and item.line else None)
        for item in items
    )


def crontab_source(path: Path, zone: str, system: bool | None, desired: Desired, window: Window) -> Source:
    """Return the lines of a crontab; ``zone`` is the time zone of lines without ``CRON_TZ``."""
    read = read_crontab(path, zone, system=system, split_days=True)
    known = _commands(desired)
    schedules: dict[str, Schedule] = {}
    not_compared = list(_not_compared(read.not_taken, str(path)))
    for parts in _by_line(read):
        if len(parts) > 1:
            not_compared += _of_both_days(parts, path, desired, window)
            parts = [part for part in parts if part.name in desired.schedules]
        for line in parts:
            name = line.name if line.name in desired.schedules else known.get(_plain(line.command), line.name)
            name = line.name if name in schedules else name
            schedules[name] = Schedule(name, Spec("", line.timing), Location(str(path), line.line, 1))
    return Source(
        title=str(path),
        schedules=schedules,
        files=desired.schedules,
        not_compared=tuple(not_compared),
        assumptions=tuple(_of_crontab(read, zone, window)),
        has_messages=False,
    )


def _by_line(read: CrontabFile) -> list[list[CronLine]]:
    """Return what each line became: two parts where cron runs it on days of the month and on days of the week."""
    lines: dict[int, list[CronLine]] = {}
    for line in read.lines:
        lines.setdefault(line.line, []).append(line)
    return list(lines.values())


def _of_both_days(parts: list[CronLine], path: Path, desired: Desired, window: Window) -> Iterator[NotCompared]:
    """Yield why a line with two parts cannot be compared: the files lack a part, or have two runs where cron has one.

    A day more at each end covers all time zones.
    """
    name, place = parts[0].name, f"{path}:{parts[0].line}"
    if any(part.name not in desired.schedules for part in parts):
        yield NotCompared(name, BOTH_DAYS, SPLIT, place)
        return
    days = (window.end - window.since).days + 3
    if dates := double_dates(parts, window.since.date() - timedelta(days=1), days):
        yield NotCompared(name, f"cron runs it once, and the files run it twice, on {dates_text(dates)}", None, place)


def _commands(desired: Desired) -> dict[str, str]:
    """Return the names of schedules by each text in their arguments; a text of several schedules tells nothing."""
    names: dict[str, str | None] = {}
    for schedule in desired.schedules.values():
        texts = {
            _plain(text) for part in (schedule.spec.args, schedule.spec.kwargs) for text in _texts(json.loads(part))
        }
        for text in texts:
            names[text] = None if text in names else schedule.name
    return {text: name for text, name in names.items() if name is not None}


def _texts(value: Any) -> Iterator[str]:
    """Yield each text in a JSON value; a list of texts is also a command with its arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield " ".join(value)
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def _plain(command: str) -> str:
    return " ".join(command.split())


def _of_crontab(read: CrontabFile, zone: str, window: Window) -> Iterator[str]:
    yield "lines are matched with schedules by name, else by the command in a schedule's arguments"
    yield "what a command does is not compared with what a task does"
    if not read.has_zone:
        yield f"lines without CRON_TZ run in {zone} (--crontab-timezone)"
    if read.tz_line is not None:
        yield f"TZ in line {read.tz_line:,} is for the commands: it does not move the times of cron"
    zones = sorted({line.timing.timezone for line in read.lines})
    days = (window.end - window.since).days + 1
    changing = [name for name in zones if clock_changes(ZoneInfo(name), window.since.date(), days)]
    if changing:
        yield f"when the clocks change in {first_names(changing, _NAMED)}, cron runs as Celery does"


def snapshot_source(snapshot: Snapshot, set_name: str, desired: Desired, now: datetime) -> Source:
    """Return the rows of a snapshot that this set manages or names, and the files as an apply would leave them.

    Raises WrongUsage if the snapshot is of another set.
    """
    check_set(snapshot, set_name)
    kept = keep(desired, snapshot.observed)
    desired = kept.desired
    matcher = Matcher(desired, snapshot.observed, now)
    pairs = [matcher.pair(schedule) for schedule in desired.schedules.values()]
    rows = {pair.schedule.name: pair.row for pair in pairs if pair.row is not None}
    paired = {row.id for row in rows.values()}
    unwanted = [row for _, row in matcher.unwanted(()) if row.id not in paired and row.name not in desired.kept_rows]
    rows |= {row.name: row for row in unwanted}
    return Source(
        title=f"the snapshot of {moment(snapshot.created_at)} UTC",
        schedules={name: _schedule_of(name, row.spec) for name, row in rows.items() if row.spec is not None},
        files={pair.schedule.name: replace(pair.schedule, spec=_after(pair)) for pair in pairs},
        not_compared=tuple(NotCompared(name, _problem(row)) for name, row in rows.items() if row.spec is None),
        assumptions=(
            *_of_snapshot(snapshot, pairs, {row.id for row in rows.values()}),
            *_of_rollbacks([mark.name for mark in kept.lasting]),
        ),
        last_runs={name: last for name, row in rows.items() if (last := row.last_run_at or row.date_changed)},
        is_masked=True,
    )


def _schedule_of(name: str, spec: Spec) -> Schedule:
    return Schedule(name, spec, Location(name, 1, 1))


def _after(pair: Pair) -> Spec:
    """Return what a row holds after an apply: a pause, a human's stop and a one-off that has run stay stopped."""
    spec = spec_after(pair)
    return replace(spec, enabled=False) if is_completed(pair) else spec


def _problem(row: Row) -> str:
    return next((problem.message for problem in row.problems), "its row cannot be read")


def _of_snapshot(snapshot: Snapshot, pairs: list[Pair], compared: set[int]) -> Iterator[str]:
    yield f"{_BY_NAME}; rows that the files name are adopted"
    if stopped := [pair.schedule.name for pair in pairs if pair.paused or is_held(pair)]:
        yield f"paused or stopped by a human, they stay stopped: {first_names(stopped, _NAMED)}"
    others = [row.name for row in snapshot.observed.rows.values() if row.id not in compared]
    if others:
        yield f"rows that the set neither manages nor names go on as they are: {first_names(others, _NAMED)}"


def _of_rollbacks(names: list[str]) -> Iterator[str]:
    if names:
        yield f"rolled back, they stay so: {first_names(names, _NAMED)}"


def revision_source(revision: str, path: str | None, target: Target, desired: Desired) -> Source:
    """Return the schedules of the same PATH in a Git revision.

    Raises WrongUsage if there is no such revision, or no files in it; Failed if its files have errors.
    """
    with open_repository(Path(path or DEFAULT_PATH)) as repository:
        commit = repository.commit(revision)
        side = read_revision(repository, commit, path, progress=target.progress)
    if not side.there:
        raise WrongUsage(f"there are no files at `{side.path}` in `{revision}`", hint="choose another revision")
    environment = side.config.chosen(target.environment)
    if environment is None and side.reading.by_environment:
        raise WrongUsage(f"the files of `{revision}` differ by environment", hint="give `--environment`")
    earlier, findings = resolve_set(side.reading, environment)
    if has_errors(findings):
        broken = first_names(sorted(side.broken(environment)), _NAMED)
        raise Failed(f"the files of `{revision}` have errors: {broken}", hint=f"see `schedsync review {revision}`")
    return Source(
        title=f"{revision} at {commit[:12]}",
        schedules=_renamed(earlier.schedules, desired),
        files=desired.schedules,
        assumptions=(_BY_NAME,),
    )
