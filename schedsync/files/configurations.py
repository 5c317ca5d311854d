"""The configurations of several sets in one repository: which directories have one, and which files belong to which."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from schedsync.config import FILE, MAX_CONFIG_BYTES, PROJECT, Config, absolute, read_config, table_of
from schedsync.errors import Failed, InvalidConfiguration, WrongUsage

#: Directories that hold the packages of others. Hidden directories are passed over too.
_PACKAGES = ("node_modules", "site-packages")
#: A line that begins our table, in a pyproject.toml that may have an error elsewhere.
_OUR_TABLE = re.compile(
    rb"(?m)^[ \t]*(?:\[+[ \t]*tool[ \t]*\.[ \t]*schedsync[ \t]*[.\]]|\[tool\][^\[]*^[ \t]*schedsync[ \t]*=)"
)


def is_configuration(path: str, read: Callable[[], bytes]) -> bool:
    """Say whether a file, by its path and its bytes, configures a set; a pyproject.toml may have no table for it.

    One that has the table and cannot be used configures a set too, so that its error is reported.
    """
    name = path.rpartition("/")[2]
    if name == FILE:
        return True
    if name != PROJECT or b"schedsync" not in (data := read()):
        return False
    try:
        return table_of(Path(path), data.decode("utf-8", "replace")) is not None
    except InvalidConfiguration:
        # A template that only names us configures nothing.
        return _OUR_TABLE.search(data) is not None


def reader(file: Path) -> Callable[[], bytes]:
    """Return a function that reads as much of a file as a configuration may have; nothing of one that is unreadable."""

    def read() -> bytes:
        try:
            with file.open("rb") as stream:
                return stream.read(MAX_CONFIG_BYTES)
        except OSError:
            return b""

    return read


def sets_below(start: Path) -> list[Path]:
    """Return the directories at or below a directory that have a configuration, in order.

    Links are not followed, and other repositories are not entered. Raises WrongUsage if there is none, and Failed if a
    directory cannot be read: a set in it would be passed over.
    """
    if not start.is_dir():
        raise WrongUsage(f"no directory `{start}`", hint="with `--all` give a directory, or none for this one")
    found = sorted(_configured(start))
    if not found:
        hint = f"write a {FILE} for each set, or leave `--all` out"
        raise WrongUsage(f"there is no {FILE} in or below `{start}`", hint=hint)
    return found


def configuration_in(directory: Path) -> Path:
    """Return the file with the configuration of a set's directory; FILE also if there is none any more."""
    file, project = directory / FILE, directory / PROJECT
    return project if project.is_file() and not file.is_file() else file


def _configured(start: Path) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(start, onerror=_cannot_read):
        here = Path(directory)
        if any(is_configuration(name, partial(_bytes, here / name)) for name in names if name in (FILE, PROJECT)):
            yield here
        subdirectories[:] = [
            name for name in subdirectories if not (is_passed_over(name) or _is_of_others(here / name))
        ]


def _bytes(file: Path) -> bytes:
    """Return the bytes of a configuration; raises Failed if we may not read it."""
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_CONFIG_BYTES)
    except PermissionError as error:
        raise _unreadable(error) from error
    except OSError:
        return b""


def _cannot_read(error: OSError) -> None:
    raise _unreadable(error) from error


def _unreadable(error: OSError) -> Failed:
    hint = "let this user read it, or give a directory without it; hidden directories are passed over"
    return Failed(f"cannot read `{error.filename}`, which may have a set: {error.strerror}", hint=hint)


def is_passed_over(name: str) -> bool:
    """Say whether no set is looked for in directories of this name."""
    return name.startswith(".") or name in _PACKAGES


def _is_of_others(directory: Path) -> bool:
    # Unlike Path.exists, this raises nothing for a directory that cannot be read.
    return os.path.exists(directory / ".git") or os.path.exists(directory / "pyvenv.cfg")  # noqa: PTH110


def sets_of(files: Iterable[str]) -> dict[Path, Config | InvalidConfiguration]:
    """Return the configuration of each set that one of the files belongs to, by the set's directory.

    If a configuration cannot be used, its error is returned: nobody knows which files belong to it. Raises WrongUsage
    for a directory.
    """
    found: dict[Path, Config | InvalidConfiguration] = {}
    near: dict[Path, Config | InvalidConfiguration] = {}
    for file in files:
        # What a link leads to belongs to the set that has the link.
        path = absolute(Path(file))
        if path.is_dir():
            hint = "give files; `--all` instead of `--changed` checks each set below a directory"
            raise WrongUsage(f"`{file}` is a directory", hint=hint)
        if path.parent not in near:
            near[path.parent] = _config_above(path.parent)
        config = near[path.parent]
        if isinstance(config, InvalidConfiguration):
            found[Path(config.path).parent] = config
        elif any(
            path.is_relative_to(absolute(base)) for base in (*([config.file] if config.file else []), *config.paths)
        ):
            found[config.file.parent if config.file else Path()] = config
    return found


def _config_above(directory: Path) -> Config | InvalidConfiguration:
    try:
        config = read_config(None, directory=directory)
        return config if config.file is not None else read_config(None)
    except InvalidConfiguration as error:
        return error


def check_one_set(path: str, own: Path | None, read: Callable[[], bytes]) -> None:
    """Raise WrongUsage if a file below the files of a set configures another set; ``own`` is the set's own one."""
    if own is not None and Path(path).resolve() == own.resolve():
        return
    if is_configuration(path, read):
        hint = "give the directory of one set as PATH, or `--all` for each set"
        raise WrongUsage(f"`{path}` configures another set", hint=hint)
