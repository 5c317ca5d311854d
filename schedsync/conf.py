"""Configuration that belongs with the files: schedsync.toml, or [tool.schedsync] in pyproject.toml.

It is found upward from the path of the files, never from the working directory, so that the same files mean the
same wherever a command is started.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schedsync.core.finding import did_you_mean
from schedsync.core.safety import MAX_STOP_PERCENT, MAX_STOPS
from schedsync.errors import InvalidConfiguration, WrongUsage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "schedsync.toml"
#: What the name of a file of schedules ends in.
SUFFIXES = (".yaml", ".yml")
DEFAULT_PATH = "schedules"
LONGEST_SET = 100


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration says; every field has a default that holds without any file."""

    file: Path | None = None
    root: Path | None = None
    paths: tuple[Path, ...] = (Path(DEFAULT_PATH),)
    set: str = "default"
    environments: tuple[str, ...] = ()
    max_stops: int = MAX_STOPS
    max_stop_percent: int = MAX_STOP_PERCENT
    repository_url: str | None = None

    def chosen(self, environment: str | None) -> str | None:
        """Return the environment if it is declared; raises WrongUsage where it is not."""
        if environment is None or environment in self.environments:
            return environment
        declared = f"declared: {', '.join(self.environments)}" if self.environments else None
        hint = did_you_mean(environment, self.environments) or declared or f"declare `environments` in {FILE}"
        raise WrongUsage(f"unknown environment `{environment}`", hint=hint)


def load_config(path: str | None) -> Config:
    """Return the configuration for a PATH argument, or for the default path where there is none."""
    start = Path(path or DEFAULT_PATH)
    found = _find(start.absolute())
    if found is None:
        return Config(paths=(start,))
    file, table = found
    config = _read(file, table)
    return config if path is None else replace(config, paths=(start,), root=_root(start, config.paths))


def _root(start: Path, paths: tuple[Path, ...]) -> Path | None:
    """Return the configured path that holds a file: what the file refers to lies below it, as for the whole set."""
    here = start.absolute()
    return next((path for path in paths if here.is_relative_to(path.absolute())), None)


def _find(start: Path) -> tuple[Path, Mapping[str, Any]] | None:
    for directory in (start, *start.parents):
        file, project = directory / FILE, directory / "pyproject.toml"
        if _is_file(file):
            return file, _toml(file)
        if _is_file(project) and (table := _tool_table(project)) is not None:
            return project, table
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _tool_table(project: Path) -> Mapping[str, Any] | None:
    tools = _toml(project).get("tool", {})
    table = tools.get("schedsync") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise InvalidConfiguration(str(project), "`tool.schedsync` takes a table")
    return table


def _toml(file: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        return values
    except (ValueError, OSError, RecursionError) as error:
        raise InvalidConfiguration(str(file), f"not TOML: {error}") from error


_KEYS = ("paths", "set", "environments", "safety", "repository_url")
_SAFETY_KEYS = ("max_stops", "max_stop_percent")


def _read(file: Path, table: Mapping[str, Any]) -> Config:
    _check_keys(file, table, _KEYS, "")
    safety = _typed(file, table, "safety", dict, {})
    _check_keys(file, safety, _SAFETY_KEYS, "safety.")
    return Config(
        file=file,
        paths=_paths(file, _texts(file, table, "paths", [DEFAULT_PATH])),
        set=_set_name(file, _typed(file, table, "set", str, "default")),
        environments=tuple(_texts(file, table, "environments", [])),
        max_stops=_number(file, safety, "max_stops", MAX_STOPS, 10**9),
        max_stop_percent=_number(file, safety, "max_stop_percent", MAX_STOP_PERCENT, 100),
        repository_url=_typed(file, table, "repository_url", str, None),
    )


def _check_keys(file: Path, table: Mapping[str, Any], known: Sequence[str], prefix: str) -> None:
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known) or f"known: {', '.join(known)}"
            raise InvalidConfiguration(str(file), f"unknown key `{prefix}{key}`", hint=hint)


def _typed(file: Path, table: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = table.get(key, default)
    if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
        raise InvalidConfiguration(str(file), f"`{key}` takes {_KINDS[kind]}, not {value!r}")
    return value


_KINDS = {dict: "a table", str: "text", int: "a whole number", list: "a list of texts"}


def _texts(file: Path, table: Mapping[str, Any], key: str, default: list[str]) -> list[str]:
    values: list[str] = _typed(file, table, key, list, default)
    if not all(isinstance(value, str) and value for value in values) or len(set(values)) != len(values):
        raise InvalidConfiguration(str(file), f"`{key}` takes a list of different texts")
    return values


def _number(file: Path, table: Mapping[str, Any], key: str, default: int, most: int) -> int:
    value: int = _typed(file, table, key, int, default)
    if not 0 <= value <= most:
        raise InvalidConfiguration(str(file), f"`{key}` is not within 0 and {most}")
    return value


def _set_name(file: Path, name: str) -> str:
    if not name.strip() or len(name) > LONGEST_SET or not name.isprintable():
        raise InvalidConfiguration(str(file), f"`set` takes a name of at most {LONGEST_SET} characters")
    return name


def _paths(file: Path, patterns: Sequence[str]) -> tuple[Path, ...]:
    base = _shown(file.parent)
    result: list[Path] = []
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InvalidConfiguration(str(file), f"`paths` stays below this file, `{pattern}` does not")
        result += _matches(file, base, pattern) if set(pattern) & set("*?[") else [base / pattern]
    if not result:
        raise InvalidConfiguration(str(file), "`paths` names nothing")
    return tuple(dict.fromkeys(result))


def _matches(file: Path, base: Path, pattern: str) -> list[Path]:
    try:
        found = sorted(base.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise InvalidConfiguration(str(file), f"`paths`: `{pattern}` is no pattern: {error}") from error
    wanted = [path for path in found if not path.name.startswith(".") and (path.is_dir() or path.suffix in SUFFIXES)]
    if not wanted:
        raise InvalidConfiguration(str(file), f"`paths`: no directory and no YAML file matches `{pattern}`")
    return wanted


def _shown(directory: Path) -> Path:
    """Return a directory as findings shall show it: relative to the working directory where it lies below."""
    try:
        return directory.relative_to(Path.cwd())
    except ValueError:
        return directory
