"""What `schedsync init` says in the end: the files, what is not in them, the comparison, and the next steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from textwrap import indent
from typing import TYPE_CHECKING, Final

from schedsync.commands.import_settings import PATCH, by_hand_lines, git_apply, patch_text, row_lines
from schedsync.commands.imported import left_out_lines, secret_lines
from schedsync.commands.init_questions import ENVIRONMENT
from schedsync.core.setup import Choices, Found, Layout
from schedsync.render.setup_files import EDITOR, ProjectFile
from schedsync.render.terminal.paint import Paint
from schedsync.render.words import counted, printable

if TYPE_CHECKING:
    from schedsync.calendar.run_comparison import RunComparison
    from schedsync.usecases.import_both import BothImport


#: In characters.
_LONGEST: Final = 75


@dataclass(frozen=True, slots=True)
class Report:
    """What was done.

    ``skipped`` are the files that were there already, ``program`` are the words before a verb, ``environment`` is the
    one of this process and database, or None, and ``database`` is the alias that was given, or None.
    """

    found: Found
    choices: Choices
    layout: Layout
    result: BothImport
    files: Mapping[Path, str]
    skipped: list[ProjectFile]
    sets: Mapping[str, int]
    comparison: RunComparison | None
    program: str
    environment: str | None
    database: str | None


def report_text(report: Report, paint: Paint) -> str:
    """Return the whole report."""
    imported = report.result.of.imported
    blocks = [
        _written(report, paint),
        _skipped(report),
        _managed(report),
        left_out_lines(imported),
        row_lines(report.result.of),
        secret_lines(imported),
        by_hand_lines(report.result.of.patch),
        _compared(report, paint),
        ["", paint("Next", "bold"), *_next(report)],
    ]
    return "\n".join(line for block in blocks for line in block)


def _written(report: Report, paint: Paint) -> Iterator[str]:
    for path in report.files:
        yield f"  {paint('+', 'green')} {printable(path.as_posix())}{_note(report, path)}"


def _note(report: Report, path: Path) -> str:
    """Return what is in a file, where its name does not say it."""
    if path == PATCH:
        return f"  {patch_text(report.result.of.patch)}"
    if path.parent != Path(report.layout.schedules):
        return ""
    count = report.result.of.imported.counts.get(path.name)
    return f" ({count:,})" if count else "  an example in comments: there are no schedules yet"


def _skipped(report: Report) -> Iterator[str]:
    for each in report.skipped:
        path = report.layout.root / each.path
        if each.is_in(_text(path)):
            yield f"`{printable(path.as_posix())}` exists already and is left as it is"
        else:
            yield f"`{printable(path.as_posix())}` exists already; add to it:"
            yield indent(each.addition.rstrip(), "    ")
    if report.choices.ci is None and report.found.ci is None:
        yield "no CI was found: to review pull requests, let it run `schedsync validate` and `schedsync review`"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _managed(report: Report) -> Iterator[str]:
    for name, count in report.sets.items():
        yield f"set `{printable(name)}` manages {counted(count, 'row')} already, which stay with it"


def _compared(report: Report, paint: Paint) -> Iterator[str]:
    value = report.comparison
    if value is not None:
        # Imports Celery, which `--help` must not wait for.
        from schedsync.render.terminal.run_comparison import text, verdict

        yield text(value, paint) if value.differs else verdict(value)


def _next(report: Report) -> Iterator[str]:
    """Yield the numbered steps, with commands that work from the working directory, each in a line of its own."""
    for number, (first, *others) in enumerate(_steps(report), 1):
        yield f"  {number}. {first}"
        yield from (f"     {line}" for line in others)


def _steps(report: Report) -> Iterator[list[str]]:
    patch, environments = report.result.of.patch, report.choices.environments
    target = ENVIRONMENT if ENVIRONMENT in environments else environments[-1]
    alias = f" --database {quote(report.database)}" if report.database else ""
    if command := git_apply(patch, PATCH):
        yield [command]
    if patch.by_hand:
        yield [f"delete {counted(len(patch.by_hand), 'entry', 'entries')} from the settings by hand, as said above"]
    yield [f"{report.program} plan{_flags(report)}{alias}"]
    yield _commit(report) if report.found.has_git else ["keep the files in Git: there is no repository yet"]
    yield ["in the release step, after `migrate`:", f"{report.program} apply -e {quote(target)} --yes{alias}"]


def _flags(report: Report) -> str:
    """Return the flags of a plan before the commit, which is refused in an environment."""
    if report.environment is None:
        return ""
    return f" -e {quote(report.environment)}{' --allow-dirty' if report.found.has_git else ''}"


def _commit(report: Report) -> list[str]:
    """Return the commands that commit the files; the settings of an editor are often ignored, so they are not named."""
    schedules = Path(report.layout.schedules)
    others = {PATCH, report.layout.root / EDITOR}
    paths = [path for path in report.files if path.parent != schedules and path not in others]
    names = [quote(path.as_posix()) for path in [*paths, schedules, *_settings(report)]]
    lines = ["git switch -c schedules", *_git_add(names), 'git commit -m "Keep schedules in Git"']
    if report.found.has_remote:
        return ["commit, and open a pull request:", *lines, "git push -u origin schedules"]
    return ["commit:", *lines]


def _git_add(names: Iterable[str]) -> Iterator[str]:
    """Yield commands that are short enough to be copied from a terminal, which breaks long lines."""
    line = "git add"
    for name in names:
        if len(line) + len(name) > _LONGEST and line != "git add":
            yield line
            line = "git add"
        line += f" {name}"
    yield line


def _settings(report: Report) -> list[Path]:
    """Return the modules that the user changes: by the patch, or by hand where the place is known."""
    patch = report.result.of.patch
    by_hand = {place.partition(":")[0] for places in patch.by_hand.values() for place in places}
    return [report.layout.root / path for path in sorted(patch.deleted.keys() | by_hand)]
