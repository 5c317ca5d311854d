"""Writes the YAML of the lines of a crontab; needs neither Django nor a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from schedsync.core.schedule import LONGEST_NAME
from schedsync.errors import WrongUsage
from schedsync.files.progress import Progress, silent
from schedsync.importers.crontab_drafts import DoubleRuns, line_candidates
from schedsync.importers.crontab_file import CrontabFile, crontab_text, parse_crontab, read_crontab
from schedsync.usecases.import_ import Imported, ImportForm, write_drafts


@dataclass(frozen=True, slots=True)
class CrontabRequest:
    """Which crontab to import: a file, or the bytes of the standard input.

    ``task`` gets each command as its only argument. ``zone`` is the time zone of lines without `CRON_TZ`. ``system``
    says whether the file has a column for the user; None where its place decides. ``split_days`` makes two schedules of
    a line that cron runs on days of the month and on days of the week.
    """

    source: Path | bytes
    task: str
    zone: str = "UTC"
    system: bool | None = None
    split_days: bool = False


@dataclass(frozen=True, slots=True)
class CrontabImport:
    """The files; what the crontab says besides its lines; the lines that became two schedules."""

    imported: Imported
    read: CrontabFile
    doubles: tuple[DoubleRuns, ...]


def import_crontab(
    request: CrontabRequest, today: date, form: ImportForm | None = None, progress: Progress = silent
) -> CrontabImport:
    """Return the lines of a crontab as files; raises WrongUsage if it cannot be read.

    From ``today`` on, the dates of a year are listed on which a split line runs twice.
    """
    if not 0 < len(request.task) <= LONGEST_NAME:
        raise WrongUsage(f"the name of a task has 1 to {LONGEST_NAME} characters")
    read = _read(request)
    found = line_candidates(read, request.task, today)
    imported = write_drafts(found.drafts, found.left_out, form or ImportForm(adopt=False), progress)
    doubles = [double for double in found.doubles if imported.names.issuperset(double.names)]
    return CrontabImport(imported, read, tuple(doubles))


def _read(request: CrontabRequest) -> CrontabFile:
    if isinstance(request.source, Path):
        return read_crontab(request.source, request.zone, system=request.system, split_days=request.split_days)
    text = crontab_text(request.source, "-")
    return parse_crontab(text, request.zone, system=bool(request.system), split_days=request.split_days)
