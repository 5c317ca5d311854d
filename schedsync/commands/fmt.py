"""``schedsync fmt``: bring the files into canonical form."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import click

from schedsync.commands.help import WHERE
from schedsync.commands.options import FileOptions, format_option, gather, option, verb
from schedsync.commands.output import paint, report, say, show, write, write_file
from schedsync.commands.terminal import progress_line
from schedsync.config import Config
from schedsync.core.finding import Finding, has_errors
from schedsync.errors import Failed, InvalidConfiguration, SchedsyncError, WrongUsage
from schedsync.files.configurations import sets_below, sets_of
from schedsync.files.formatting.canonical import Formatted
from schedsync.files.formatting.line_diff import line_diff
from schedsync.files.yaml import MAX_BYTES
from schedsync.render.programs import github, json_
from schedsync.render.terminal.findings import findings as findings_text
from schedsync.render.terminal.paint import Paint
from schedsync.render.words import counted, printable
from schedsync.usecases.fmt import Formatting, format_sets, format_stdin

#: Why files could not be written, by their paths.
Failures = Mapping[str, SchedsyncError]

_NONE: Failures = MappingProxyType({})
_STDIN = "-"
_STYLES: Mapping[str, str] = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class Mode:
    """Which sets the paths name, and whether files are written."""

    all_sets: bool
    changed: bool
    check: bool
    diff: bool

    @property
    def writes(self) -> bool:
        """Whether files are written."""
        return not (self.check or self.diff)


@verb("Bring the files into canonical form; needs no database.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@gather(
    "mode",
    Mode,
    option(
        "--all", "all_sets", heading=WHERE, is_flag=True,
        help="Format each set below PATH that has a schedsync.toml.",
    ),
    option("--changed", is_flag=True, help="Each PATH is a file that changed: format it if it belongs to a set."),
    option("--check", is_flag=True, help="Write nothing; name the files that would change, and exit 1."),
    option("--diff", is_flag=True, help="Write nothing; show what would change, and exit 1."),
)  # fmt: skip
@format_option("json", "github")
def fmt(paths: tuple[str, ...], mode: Mode, format_: str) -> int:
    """Bring the files below each PATH, a directory or one file, into canonical form; comments stay.

    Without PATH the configured paths are formatted, by default `schedules`. With `-` the text comes from stdin, and
    goes to stdout. A file that is not YAML stays as it is, and is named. Exits 1 if a file could not be formatted
    or written, and with --check or --diff if one would change.
    """
    _check_usage(paths, mode, format_)
    if paths == (_STDIN,):
        return _format_stdin(mode, format_)
    with progress_line() as progress:
        result = format_sets(*_sets(paths, mode), progress=progress)
    failures = _write_all(result.changed) if mode.writes else {}
    result = replace(result, changed=tuple(file for file in result.changed if file.path not in failures))
    found = result.findings if mode.writes else result.not_canonical()
    _show(result, found, mode, format_, failures)
    for error in failures.values():
        report(error, "text")
    say(_counts(result, mode, failures))
    return max([int(has_errors(found, strict=False)), *(error.exit_code for error in failures.values())])


def _check_usage(paths: Sequence[str], mode: Mode, format_: str) -> None:
    """Raise WrongUsage for options that contradict each other."""
    if mode.all_sets and (mode.changed or len(paths) > 1):
        raise WrongUsage("`--all` takes one directory, and no files", hint="give one PATH, or leave `--all` out")
    if _STDIN in paths and (len(paths) > 1 or mode.all_sets or mode.changed):
        raise WrongUsage("`-` is the only PATH", hint="give `-` alone to format the text on stdin")
    if mode.diff and format_ != "text":
        raise WrongUsage(f"`--diff` cannot write {format_}", hint="use `--check` instead")
    if mode.writes and paths == (_STDIN,) and format_ != "text":
        raise WrongUsage(f"`-` cannot write {format_}", hint="add `--check`")


def _sets(paths: Sequence[str], mode: Mode) -> tuple[list[Callable[[], Config]], list[Path] | None]:
    """Return functions that read the configurations, and the only files to format, None for all of their sets."""
    if mode.changed:
        return [partial(_usable, config) for config in sets_of(paths).values()], [Path(path) for path in paths]
    if mode.all_sets:
        start = paths[0] if paths else "."
        return [FileOptions(None, None, directory=each).config for each in sets_below(Path(start))], None
    return [FileOptions(path, None).config for path in paths or (None,)], None


def _usable(config: Config | InvalidConfiguration) -> Config:
    if isinstance(config, InvalidConfiguration):
        raise config
    return config


def _format_stdin(mode: Mode, format_: str) -> int:
    result = format_stdin(data := sys.stdin.buffer.read(MAX_BYTES + 1))
    if not mode.writes:
        found = result.not_canonical()
        _show(result, found, mode, format_)
        return int(has_errors(found, strict=False))
    if result.findings:
        say(findings_text(result.findings, paint(sys.stderr)))
        return 1
    text = result.changed[0].after.encode() if result.changed else data
    click.echo(text, nl=False)
    return 0


def _write_all(files: Sequence[Formatted]) -> dict[str, SchedsyncError]:
    """Write all files that can be written; returns the errors of the others by their paths."""
    failures: dict[str, SchedsyncError] = {}
    for file in files:
        try:
            _write(file)
        except SchedsyncError as error:
            failures[file.path] = error
    return failures


def _write(file: Formatted) -> None:
    """Write a file; raises Failed if it is not the file that was read, for example because an editor wrote it."""
    path = file.real or Path(file.path)
    try:
        is_same = path.read_bytes() == file.before.encode()
    except OSError:
        is_same = False
    if not is_same:
        raise Failed(f"`{file.path}` has changed since it was read", hint="run it again")
    write_file(file.after, path)


def _show(result: Formatting, found: Sequence[Finding], mode: Mode, format_: str, failures: Failures = _NONE) -> None:
    if format_ == "json":
        places = [file.place for file in result.changed]
        write(json_.formatting(places, found, result.files, failures, wrote=mode.writes), None)
    elif format_ == "github":
        write(github.findings(found), None)
    else:
        show(lambda paint: "\n".join(_lines(result, found, mode, paint)))


def _lines(result: Formatting, found: Sequence[Finding], mode: Mode, paint: Paint) -> Iterator[str]:
    if mode.diff:
        for file in result.changed:
            yield from _diff(file, paint)
        found = result.findings
    if found:
        yield findings_text(found, paint)
    if mode.writes:
        yield from (f"formatted {printable(file.path)}" for file in result.changed)


def _diff(file: Formatted, paint: Paint) -> Iterator[str]:
    path = printable(file.path)
    for line in (f"--- a/{path}", f"+++ b/{path}", *line_diff(file.before, file.after)):
        yield paint(printable(line), _STYLES[line[0]]) if line[0] in _STYLES else printable(line)


def _counts(result: Formatting, mode: Mode, failures: Failures) -> str:
    """Return the last line: how many files were formatted, or would be, and how many there are."""
    done = "formatted" if mode.writes else "not in canonical form"
    failed = len({finding.location.path for finding in result.findings if finding.location})
    left = f", {counted(failed, 'file')} with errors" if failed else ""
    unwritten = f", {counted(len(failures), 'file')} not written" if failures else ""
    return f"{counted(len(result.changed), 'file')} of {result.files:,} {done}{left}{unwritten}"
