"""``schedsync import settings``: the entries of CELERY_BEAT_SCHEDULE, and the patch that deletes them there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

import click

from schedsync.commands.django import load_project, set_up
from schedsync.commands.help import OUTPUT, WHERE
from schedsync.commands.imported import (
    MOST_NAMES,
    Again,
    FormOptions,
    deliver,
    files_text,
    form_options,
    quoted,
    tell_left_out,
    tell_next,
    tell_secrets,
)
from schedsync.commands.new_files import check_new
from schedsync.commands.options import DatabaseOptions, database_options, option, verb
from schedsync.commands.output import say
from schedsync.commands.terminal import progress_line
from schedsync.core.names import and_more
from schedsync.render.words import counted, printable

if TYPE_CHECKING:
    from schedsync.usecases.import_settings import SettingsImport
    from schedsync.usecases.settings_patch import SettingsPatch

PATCH: Final = Path("schedsync-settings.patch")
_MOST_FILES: Final = 5


@verb("Write the entries of CELERY_BEAT_SCHEDULE as YAML, and the patch that deletes them.")
@click.argument("patterns", nargs=-1, metavar="[NAME|GLOB]...")
@database_options
@option("--no-database", heading=WHERE, is_flag=True, help="Do not look for rows of the same names.")
@form_options
@option(
    "--patch", heading=OUTPUT, type=click.Path(dir_okay=False, path_type=Path), default=PATCH, show_default=True,
    metavar="FILE", help="Where to write the patch for the settings; no file that exists is touched.",
)  # fmt: skip
def settings(
    patterns: tuple[str, ...], database: DatabaseOptions, no_database: bool, form: FormOptions, patch: Path
) -> int:
    """Write the YAML of the entries in CELERY_BEAT_SCHEDULE, also of those that `add_periodic_task` adds.

    NAME or GLOB choose entries, such as 'sync-*'; without any, all are meant. What the settings say counts, as at each
    start of Beat; if an entry is a row too, its row only says what the settings do not: whether it is disabled, for
    example. The database is only read.

    As long as an entry is in the settings, Beat overwrites its row at each start. A patch deletes the entries from the
    literal dictionaries in the project's modules; entries that are made in another way are named.
    """
    using = None
    if no_database:
        load_project(database.settings, database.pythonpath)
    else:
        using = set_up(database)
    from schedsync.usecases.import_settings import import_settings

    with progress_line() as progress:
        result = import_settings(using, patterns, form.form(), progress)
    deliver(result.imported, form.out, new_patch(patch, result.patch.text))
    _tell(result, form.out)
    _tell_patch(result, patch)
    again = Again.from_options(database)
    apply_patch = git_apply(result.patch, patch)
    steps = [again.compare(form.out, patterns), *([apply_patch] if apply_patch else [])]
    tell_next(result.imported, again, form.out, steps)
    return 0


def new_patch(file: Path, text: str) -> dict[Path, str]:
    """Return the patch to write; none where there is nothing to delete, or where the file is the same already."""
    try:
        is_same = file.read_bytes() == text.encode()
    except OSError:
        is_same = False
    if not text or is_same:
        return {}
    check_new([file], "give another name to `--patch`, or move the file away")
    return {file: text}


def _tell(result: SettingsImport, out: Path | None) -> None:
    """Say on stderr what was taken, what was not, and which rows differ."""
    imported = result.imported
    total = imported.taken + len(imported.left_out)
    if not total:
        say("CELERY_BEAT_SCHEDULE has no entries")
        return
    entries = f"{imported.taken:,} of {counted(total, 'entry', 'entries')} of CELERY_BEAT_SCHEDULE"
    say(f"took {entries}{files_text(imported, out)}")
    tell_left_out(imported)
    tell_secrets(imported)
    for line in row_lines(result):
        say(line)


def row_lines(result: SettingsImport) -> Iterator[str]:
    """Yield the lines that name the entries that are rows too, and how their rows differ."""
    if result.rows:
        yield f"rows too, taken as the settings say: {quoted(list(result.rows))}"
    differing = {name: fields for name, fields in result.rows.items() if fields}
    for name, fields in list(differing.items())[:MOST_NAMES]:
        yield f"  `{printable(name)}`: its row has another {', '.join(fields)}; the next apply changes it"
    if more := and_more(len(differing), MOST_NAMES):
        yield f" {more}"
    if result.stopped:
        yield f"disabled, because the row is: {quoted(result.stopped)}"


def _tell_patch(result: SettingsImport, file: Path) -> None:
    """Say on stderr what the patch deletes, and what it does not delete."""
    patch = result.patch
    if patch.text:
        say(f"wrote {file}, which {patch_text(patch)}")
    for line in by_hand_lines(patch):
        say(line)


def patch_text(patch: SettingsPatch) -> str:
    """Return how many entries a patch deletes, and from which files."""
    files = [f"{printable(path)} ({count:,})" for path, count in patch.deleted.items()]
    names = ", ".join(files[:_MOST_FILES]) + and_more(len(files), _MOST_FILES)
    return f"deletes {counted(sum(patch.deleted.values()), 'entry', 'entries')} from {names}"


def by_hand_lines(patch: SettingsPatch) -> Iterator[str]:
    """Yield the lines that name the entries that the patch does not delete, with their places."""
    if patch.by_hand:
        yield "to delete by hand, or an apply is refused:"
        for name, places in list(patch.by_hand.items())[:MOST_NAMES]:
            known = ", ".join(map(printable, places[:_MOST_FILES])) + and_more(len(places), _MOST_FILES)
            yield f"  `{printable(name)}`: {known or 'no literal dictionary of the project has it'}"
        if more := and_more(len(patch.by_hand), MOST_NAMES):
            yield f" {more}"


def git_apply(patch: SettingsPatch, file: Path) -> str | None:
    """Return the command that applies a patch and removes its file; None if it is empty."""
    if not patch.text:
        return None
    if patch.root is None:
        return f"git apply {quote(str(file))} && rm {quote(str(file))}"
    return f"git -C {quote(str(patch.root))} apply {quote(str(file.resolve()))} && rm {quote(str(file))}"
