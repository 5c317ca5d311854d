"""Write data to stdout or to files, and everything else to stderr."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from schedsync.commands.logs import is_json, json_line
from schedsync.commands.terminal import is_terminal, wrapped
from schedsync.errors import Failed, InvalidSet, Refused, SchedsyncError, WrongUsage
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import printable

T = TypeVar("T")


def say(message: str) -> None:
    """Write a message for people to stderr; as JSON if the lines there are to be JSON."""
    click.echo(json_line(message) if is_json() else wrapped(message, sys.stderr), err=True)


def say_error(message: str, hint: str | None, **fields: Any) -> None:
    """Write an error and its remedy to stderr; ``fields`` are added to a line of JSON."""
    if is_json():
        click.echo(json_line(f"error: {message}", hint=hint or None, **fields), err=True)
        return
    say(f"error: {printable(message)}")
    if hint:
        say(f"  hint: {printable(hint)}")


#: The styles that are no colours.
_STYLES: Mapping[str, dict[str, Any]] = {"bold": {"bold": True}, "dim": {"dim": True}}


def paint(stream: Any) -> Paint:
    """Return the function that colours text for a stream; it does nothing without a terminal, or with NO_COLOR."""
    if os.environ.get("NO_COLOR") or not is_terminal(stream):
        return plain
    return lambda words, style: click.style(words, **_STYLES.get(style, {"fg": style}))


def show(render: Callable[[Paint], str], out: Path | None = None) -> None:
    """Write text for people, with colour where there is a terminal: to stdout, or without colour to a file."""
    if out is not None:
        write(render(plain), out)
    elif data := render(paint(sys.stdout)).rstrip("\n"):
        click.echo(wrapped(data, sys.stdout))


def write(data: str, out: Path | None) -> None:
    """Write data to a file, or to stdout without one."""
    if out is not None:
        write_file(f"{data}\n" if data and not data.endswith("\n") else data, out)
        say(f"wrote {out}")
    elif data:
        click.echo(data.rstrip("\n"))


def write_file(data: str, file: Path) -> None:
    """Write a file as a whole or not at all: the data goes into a file beside it, which is then renamed.

    Only a file that cannot be replaced, such as one that is mounted alone, is written in place.
    Raises WrongUsage where the place is wrong, Failed where the disk is full or broken.
    """
    try:
        if _is_stream(file):
            file.write_text(data, encoding="utf-8")
        else:
            _replace_or_fill(Path(os.path.realpath(file)), data)
    except OSError as error:
        kind = WrongUsage if isinstance(error, _WRONG_PLACE) else Failed
        raise kind(f"cannot write `{printable(str(file))}`: {error.strerror}") from error


_WRONG_PLACE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


def _is_stream(file: Path) -> bool:
    """Say whether a path is a pipe, a device or our own stdout or stderr: they keep what was written before."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return False
    streams = [os.fstat(number) for number in (1, 2) if _is_open(number)]
    return not stat.S_ISREG(status.st_mode) or any(os.path.samestat(status, stream) for stream in streams)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _replace_or_fill(file: Path, data: str) -> None:
    try:
        _replace(file, data)
    except OSError as error:
        if error.errno not in _CANNOT_REPLACE or not os.access(file, os.W_OK):
            raise
        file.write_text(data, encoding="utf-8")


#: The directory takes no other file, or the file is a mount of its own.
_CANNOT_REPLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


def _replace(file: Path, data: str) -> None:
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else None
    if mode is not None and not os.access(file, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    beside = file.with_name(f".schedsync-{secrets.token_hex(8)}")
    try:
        with beside.open("x", encoding="utf-8") as stream:
            stream.write(data)
        if mode is not None:
            beside.chmod(mode)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_reports(renderings: Mapping[str, Callable[[T], str]], value: T, reports: Iterable[tuple[str, Path]]) -> None:
    """Write a value to files; ``reports`` are pairs of a format and a file."""
    for format_, file in reports:
        write(renderings[format_](value), file)


def report(error: SchedsyncError, format_: str) -> None:
    """Write an error: to stdout if the format is JSON, else to stderr for people."""
    if format_ == "json":
        click.echo(failure_json(error))
        return
    if is_json():
        codes = {"failure_reason": error.failure_reason, "exit_code": error.exit_code}
        say_error(error.message, error.hint, **codes, **_data(error))
        return
    if isinstance(error, InvalidSet):
        from schedsync.render.terminal.findings import findings

        say(findings(error.findings, paint(sys.stderr)))
    if isinstance(error, Refused):
        from schedsync.render.terminal.plan_sections import refusals

        say("\n".join(refusals(error.refusals, paint(sys.stderr), effect=error.effect)))
        return
    say_error(error.message, error.hint)


def failure_json(error: SchedsyncError) -> str:
    """Return an error as JSON."""
    from schedsync.render.programs import json_

    return json_.failure(error.failure_reason, error.message, error.hint, **_data(error))


def _data(error: SchedsyncError) -> dict[str, Any]:
    from schedsync.planning.converter import finding_document, refusal_document

    if isinstance(error, InvalidSet):
        return {"findings": [finding_document(finding) for finding in error.findings]}
    if isinstance(error, Refused):
        return {"refusals": [refusal_document(refusal) for refusal in error.refusals]}
    return {}
