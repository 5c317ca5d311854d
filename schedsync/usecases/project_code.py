"""Runs code of the user's project, and turns an exception in it into one line that names its place."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schedsync.core.secrets import masked
from schedsync.errors import SchedsyncError, WrongUsage

_PACKAGES = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_PYTHON = sysconfig.get_path("stdlib")
#: Packages that import the project's modules; an error is never theirs.
_IMPORTERS = tuple(str(Path(package, name)) for package in _PACKAGES for name in ("django/", "celery/", "kombu/"))
_OWN = str(Path(__file__).parents[1])


@contextmanager
def project_code(failure: str, hint: str) -> Iterator[None]:
    """Run code of the project; raises WrongUsage with the place where it raises any exception, or exits."""
    try:
        yield
    except SchedsyncError:
        raise
    except (Exception, SystemExit) as error:
        raise WrongUsage(f"{failure}: {_with_place(error)}", hint=hint) from error


def _with_place(error: BaseException) -> str:
    place = _place(error)
    return f"{place}: {_one_line(error)}" if place else _one_line(error)


def _one_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    first = text.strip().partition("\n")[0]
    return f"{type(error).__name__}: {masked(first)}" if first else type(error).__name__


def _place(error: BaseException) -> str | None:
    """Return file and line: of the syntax error, else of the innermost frame in the project, else in a package."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_importer(frame.filename)]
    chosen = [frame for frame in frames if not frame.filename.startswith(_PACKAGES)] or frames
    return f"{_shown(chosen[-1].filename)}:{chosen[-1].lineno}" if chosen else None


def _is_importer(file: str) -> bool:
    is_python = file.startswith(_PYTHON) and not file.startswith(_PACKAGES)
    return is_python or file.startswith(("<", _OWN, *_IMPORTERS))


def is_of_project(file: str) -> bool:
    """Say whether a module's file is the project's own: no package that is installed, and not Python's or ours."""
    return not file.startswith((*_PACKAGES, _PYTHON, f"{_OWN}/"))


def _shown(file: str) -> str:
    """Return a path relative to the working directory, or to the entry of ``sys.path`` that it is in."""
    path = Path(file)
    for directory in (Path.cwd(), *map(Path, sys.path)):
        if path.is_relative_to(directory):
            return path.relative_to(directory).as_posix()
    return file
