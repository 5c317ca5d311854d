"""``schedsync init``: set a project up, with the schedules that it has today."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from schedsync.commands.django import set_up
from schedsync.commands.import_settings import PATCH, new_patch
from schedsync.commands.init_questions import InitOptions, Rules, choices
from schedsync.commands.init_report import Report, report_text
from schedsync.commands.new_files import check_new, write_new
from schedsync.commands.options import DatabaseOptions, database_options, gather, option, verb
from schedsync.commands.output import show
from schedsync.commands.program import program
from schedsync.commands.terminal import progress_line
from schedsync.config import FILE, SUFFIXES, read_config
from schedsync.core.setup import Choices, Found, Layout
from schedsync.errors import WrongUsage
from schedsync.render import setup_files
from schedsync.render.terminal.setup import found_text

if TYPE_CHECKING:
    from schedsync.usecases.import_both import BothImport, Existing

_ONE_FILE = "schedules.yaml"
_MOVE = "if this project is set up already, `import database` and `import settings` add schedules; or move it away"


@verb("Set this project up: configuration, schedules, CI file.")
@database_options
@gather(
    "options",
    InitOptions,
    option("-y", "--yes", is_flag=True, help="Do not ask, take what is proposed; required without a terminal."),
    option("--set", "set_name", metavar="NAME", help="The name of the set; proposed is the project's name."),
    option(
        "-e", "--environment", "environments", multiple=True, metavar="NAME",
        help="An environment in which the schedules run; can be given several times. Proposed is `production`.",
    ),
    option(
        "--ci", type=click.Choice(["github", "gitlab", "none"]),
        help="Which CI to write a file for. Proposed is the kind that the repository uses.",
    ),
    option("--no-ci", is_flag=True, help="Write no file for CI."),
)  # fmt: skip
def init(database: DatabaseOptions, options: InitOptions) -> int:
    """Write the configuration, the schedules that Beat runs today, and files for CI, pre-commit and the editor.

    The schedules come from CELERY_BEAT_SCHEDULE and from the rows that nobody manages; the settings count for names
    that are in both. A patch deletes the entries from the settings. The database is only read, and no file that exists
    is touched. Then 30 days are compared: exits 2 if a run of the files differs from those of today.

    Run it where you run `manage.py`: the configuration and the schedules are written into the working directory, the
    other files into the root of the Git repository.
    """
    options.check()
    from schedsync.usecases.project_layout import layout_here

    layout, again = layout_here(), program(database)
    _refuse_second(layout)
    report = _init(set_up(database), options, layout, again, database.database)
    show(lambda paint: report_text(report, paint))
    return 2 if report.comparison is not None and report.comparison.differs else 0


def _init(using: str, options: InitOptions, layout: Layout, again: str, alias: str | None) -> Report:
    """Look, ask, write, and compare; Django must be set up."""
    from schedsync.usecases.import_both import compare_written, import_both, read_existing
    from schedsync.usecases.project_facts import find_project

    with progress_line() as progress:
        existing = read_existing(using, progress)
        found, rules = find_project(using, existing), _rules(using, existing)
        progress.clear()
        show(lambda paint: found_text(found, paint))
        chosen = choices(options, found, rules)
        result = import_both(existing, progress)
        files, skipped = _files(chosen, layout, found, result)
        write_new(files)
        comparison = compare_written(existing, result, progress) if result.schedules else None
    return Report(
        found, chosen, layout, result, files, skipped, existing.sets, comparison, again, rules.environment, alias
    )


def _refuse_second(layout: Layout) -> None:
    """Raise WrongUsage where the working directory is set up already, or has files of schedules."""
    here, directory = Path.cwd(), Path(layout.schedules)
    files = (path for path in directory.rglob("*") if path.suffix in SUFFIXES and not path.name.startswith("."))
    check_new([Path(FILE), *sorted(files)], _MOVE)
    if (config := read_config(None, here)).file is not None:
        name = Path(os.path.relpath(config.file, here)).as_posix()
        raise WrongUsage(f"`{name}` configures schedsync already", hint=f"{_MOVE}; nothing was written")


def _rules(using: str, existing: Existing) -> Rules:
    from schedsync.database.controls import controls_in_settings
    from schedsync.database.environment import bound_environment, named_environment

    environment = named_environment() or bound_environment(using)
    return Rules(existing.sets, controls_in_settings().allowed_sets, environment)


def _files(
    chosen: Choices, layout: Layout, found: Found, result: BothImport
) -> tuple[dict[Path, str], list[setup_files.ProjectFile]]:
    """Return the files to write, and those of the repository that are there already."""
    texts = result.of.imported.texts if result.schedules else {_ONE_FILE: setup_files.example(found.project)}
    files = {Path(FILE): setup_files.configuration(chosen, layout)}
    files |= {Path(layout.schedules, name): text for name, text in texts.items()}
    files |= new_patch(PATCH, result.of.patch.text)
    skipped = []
    for each in setup_files.project_files(chosen, layout):
        path = layout.root / each.path
        if os.path.lexists(path):
            skipped.append(each)
        else:
            files[path] = each.text
    return files, skipped
