"""Configuration that belongs with the files: schedsync.toml, or [tool.schedsync] in pyproject.toml.

It is searched upward from the path of the files, never from the working directory: the same files mean the same
wherever a command is started. Its shape is ``config.v1.schema.json``; this module checks what a schema cannot say.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from schedsync.core.allowance import Allowance, allowance_from, with_text_times
from schedsync.core.controls import NO_CONTROLS, Controls, InvalidControl, controls_from
from schedsync.core.finding import did_you_mean
from schedsync.core.freeze import Freeze, FreezeError, freeze_from
from schedsync.core.location import Location
from schedsync.core.names import set_name_problem
from schedsync.core.refusal import MAX_STOP_PERCENT, MAX_STOPS, Limits
from schedsync.core.removing import grace_from
from schedsync.core.rollout import RolloutRules, rollout_rules
from schedsync.core.timing import UNITS, TimingError, duration
from schedsync.errors import InvalidConfiguration, WrongUsage
from schedsync.lint.rule import MAX_STARTS, Options
from schedsync.schemas.configuration import first_problem
from schedsync.schemas.wording import described

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")
FILE, PROJECT = "schedsync.toml", "pyproject.toml"
#: The name of a file of schedules ends in one of these.
SUFFIXES = (".yaml", ".yml")
DEFAULT_PATH = "schedules"
#: A larger configuration is not read.
MAX_CONFIG_BYTES = 2**20
#: Each `**` of a pattern multiplies the number of paths to try.
_MAX_DOUBLE_STARS = 2


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a set; every field has a default that holds without any file.

    ``file`` is the configuration's own path. ``root`` is the configured path that contains a single given path, or
    None. ``paths`` must not lead out of ``within``, unless that is None.
    """

    file: Path | None = None
    root: Path | None = None
    paths: tuple[Path, ...] = (Path(DEFAULT_PATH),)
    set: str = "default"
    environments: tuple[str, ...] = ()
    max_stops: int = MAX_STOPS
    max_stop_percent: int = MAX_STOP_PERCENT
    allowances: tuple[Allowance, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    grace: timedelta | None = None
    rollout: RolloutRules | None = None
    controls: Controls = NO_CONTROLS
    repository_url: str | None = None
    approvals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lint: Options = field(default_factory=Options)
    within: Path | None = None

    def limited(self, limits: Limits) -> Limits:
        """Return limits with what this configuration sets."""
        return replace(
            limits,
            max_stops=self.max_stops,
            max_stop_percent=self.max_stop_percent,
            allowances=self.allowances,
            controls=self.controls,
            freezes=self.freezes,
            grace=self.grace,
            place=self.place,
        )

    @property
    def place(self) -> Location | None:
        """Where a finding about the configuration is shown."""
        return Location(self.file.as_posix(), 1, 1) if self.file else None

    def chosen(self, environment: str | None) -> str | None:
        """Return the environment if it is declared; raises WrongUsage if it is not."""
        if environment is None or environment in self.environments:
            return environment
        declared = f"declared: {', '.join(self.environments)}" if self.environments else None
        hint = did_you_mean(environment, self.environments) or declared or f"declare `environments` in {FILE}"
        raise WrongUsage(f"unknown environment `{environment}`", hint=hint)


def read_config(path: str | None, top: Path | None = None, directory: Path | None = None) -> Config:
    """Return the configuration for a PATH argument, or for the default path if there is none.

    It is not searched above ``top``. Without PATH, ``directory`` says where to search. Raises InvalidConfiguration.
    """
    start = Path(path) if path else directory or Path(DEFAULT_PATH)
    nearest = _nearest(absolute(start), top)
    if nearest is None:
        return Config(paths=(start,))
    within, file, table = nearest
    base = file.parent
    config = config_of(file, table, base, lambda pattern: _matches(file, base, pattern))
    if not base.is_absolute():
        config = replace(config, paths=tuple(Path(os.path.relpath(each)) for each in config.paths))
    whole = replace(config, within=within)
    return whole if path is None else replace(config, paths=(start,), root=_root(start, config.paths))


def _root(start: Path, paths: tuple[Path, ...]) -> Path | None:
    """Return the configured path that contains a file: the file may refer to everything below it."""
    return next((path for path in paths if absolute(start).is_relative_to(absolute(path))), None)


def absolute(path: Path) -> Path:
    """Return an absolute path without `..`: the parents of `app/..` are not those of `app`."""
    return Path(os.path.normpath(path.absolute()))


def _nearest(start: Path, top: Path | None) -> tuple[Path, Path, Mapping[str, Any]] | None:
    """Return the nearest configuration at or above a directory: its directory, the file as shown, and its table."""
    for directory in (start, *start.parents):
        if top is not None and not directory.is_relative_to(top):
            return None
        shown = _as_shown(directory)
        for file in (shown / FILE, shown / PROJECT):
            if _is_file(file) and (table := table_of(file, _text(file))) is not None:
                return directory, file, table
    return None


def _is_file(path: Path) -> bool:
    with suppress(OSError):
        return path.is_file()
    return False


def _text(file: Path) -> str:
    if file.is_symlink() and not file.resolve().is_relative_to(file.parent.resolve()):
        raise InvalidConfiguration(str(file), "a symbolic link that leaves its directory")
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise InvalidConfiguration(str(file), "too large for a configuration")
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(str(file), f"cannot be read: {error}") from error


def table_of(file: Path, text: str) -> Mapping[str, Any] | None:
    """Return schedsync's table of a configuration file's text; None if a pyproject.toml has none."""
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidConfiguration(str(file), f"not TOML: {error}") from error
    if file.name == FILE:
        return values
    tools = values.get("tool", {})
    table = tools.get("schedsync") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise InvalidConfiguration(str(file), "`tool.schedsync` takes a table")
    return table


def config_of(file: Path, table: Mapping[str, Any], base: Path, matches: Callable[[str], list[Path]]) -> Config:
    """Build the configuration from a file's table; raises InvalidConfiguration.

    Its paths are relative to ``base``. ``matches`` returns the directories and YAML files that match a pattern.
    """
    table = with_text_times(table)
    _check_shape(file, table)
    safety = table.get("safety", {})
    environments = _environments(file, table.get("environments", ()))
    return Config(
        file=file,
        paths=_paths(file, table.get("paths", [DEFAULT_PATH]), base, matches),
        set=_set_name(file, table.get("set", "default")),
        environments=environments,
        # TOML's `5.0` is a whole number to a schema.
        max_stops=int(safety.get("max_stops", MAX_STOPS)),
        max_stop_percent=int(safety.get("max_stop_percent", MAX_STOP_PERCENT)),
        allowances=tuple(_allowance(file, entry) for entry in safety.get("allow", ())),
        freezes=tuple(_freeze(file, entry, environments) for entry in table.get("freeze", ())),
        grace=_timed(file, "prune.grace", grace_from, table.get("prune", {}).get("grace")),
        rollout=_timed(file, "rollout.watch", rollout_rules, table.get("rollout")),
        controls=_controls(file, safety),
        repository_url=table.get("repository_url"),
        approvals={owner: tuple(people) for owner, people in table.get("approvals", {}).items()},
        lint=_lint_options(table.get("lint", {}), Location(file.as_posix(), 1, 1)),
    )


def _allowance(file: Path, entry: Mapping[str, Any]) -> Allowance:
    try:
        return allowance_from(entry)
    except TimingError as error:
        hint = f"{error.hint or 'write it as `2026-12-24T18:00:00+01:00`'}; or a date, which counts to its end in UTC"
        raise InvalidConfiguration(str(file), f"`safety.allow.until`: {error.message}", hint=hint) from error
    except ValueError as error:
        raise InvalidConfiguration(str(file), f"`safety.allow`: {error}") from error


def _freeze(file: Path, entry: Mapping[str, Any], environments: Sequence[str]) -> Freeze:
    try:
        return freeze_from(entry, environments)
    except FreezeError as error:
        raise InvalidConfiguration(str(file), f"`freeze.{error.key}`: {error.message}", hint=error.hint) from error


def _timed(file: Path, key: str, read: Callable[[Any], T], value: Any) -> T | None:
    """Return what a value says, None without one; raises InvalidConfiguration for a time that is out of range."""
    try:
        return None if value is None else read(value)
    except TimingError as error:
        raise InvalidConfiguration(str(file), f"`{key}`: {error.message}", hint=error.hint) from error


def _controls(file: Path, safety: Mapping[str, Any]) -> Controls:
    try:
        return controls_from(safety, in_files=True)
    except InvalidControl as error:
        raise InvalidConfiguration(str(file), f"`safety.{error.key}` {error.problem}") from error


def _lint_options(table: Mapping[str, Any], place: Location) -> Options:
    return Options(
        select=tuple(table["select"]) if "select" in table else None,
        extend_select=tuple(table.get("extend_select", ())),
        ignore=tuple(table.get("ignore", ())),
        severities=table.get("severity", {}),
        max_starts=int(table.get("max_starts", MAX_STARTS)),
        queues=tuple(table.get("queues", ())),
        queue_waits={queue: -(-duration(wait) // UNITS["s"]) for queue, wait in table.get("queue_waits", {}).items()},
        place=place,
    )


def _check_shape(file: Path, table: Mapping[str, Any]) -> None:
    """Raise InvalidConfiguration for the first thing that the schema does not allow."""
    if problem := first_problem(table):
        raise InvalidConfiguration(str(file), problem.message, hint=problem.hint)


def _set_name(file: Path, name: str) -> str:
    if set_name_problem(name):
        raise InvalidConfiguration(str(file), f"`set` takes a name of printable characters, not {described(name)}")
    return name


def _environments(file: Path, names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if not name.isprintable() or name != name.strip():
            message = f"`environments` takes printable names without white space at their ends, not {described(name)}"
            raise InvalidConfiguration(str(file), message)
    return tuple(names)


def _paths(file: Path, patterns: Sequence[str], base: Path, matches: Callable[[str], list[Path]]) -> tuple[Path, ...]:
    result: list[Path] = []
    for pattern in patterns:
        if not pattern.isprintable():
            raise InvalidConfiguration(str(file), f"`paths` takes printable patterns, not {described(pattern)}")
        if pattern.split("/").count("**") > _MAX_DOUBLE_STARS:
            raise InvalidConfiguration(str(file), f"`paths`: `{pattern}` uses `**` more than twice")
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InvalidConfiguration(str(file), f"`paths`: `{pattern}` leads out of this file's directory")
        matching = matches(pattern) if is_pattern(pattern) else [base / pattern]
        if not matching:
            raise InvalidConfiguration(str(file), f"`paths`: no directory and no YAML file matches `{pattern}`")
        result += matching
    return tuple(dict.fromkeys(result))


def is_pattern(text: str) -> bool:
    """Say whether a path contains wild cards."""
    return bool(set(text) & set("*?["))


def _matches(file: Path, base: Path, pattern: str) -> list[Path]:
    try:
        matching = sorted(base.glob(pattern))
    except (ValueError, OSError, NotImplementedError) as error:
        raise InvalidConfiguration(str(file), f"`paths`: `{pattern}` is not a pattern: {error}") from error
    return [path for path in matching if path.name[:1] != "." and (path.is_dir() or path.suffix in SUFFIXES)]


def _as_shown(directory: Path) -> Path:
    """Return a directory as findings show it: relative to the working directory if one contains the other."""
    here = Path.cwd()
    if here.is_relative_to(directory) or directory.is_relative_to(here):
        return Path(os.path.relpath(directory, here))
    return directory
