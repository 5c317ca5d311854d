"""Configuration that belongs with the files: schedsync.toml, or [tool.schedsync] in pyproject.toml.

It is found upward from the path of the files, never from the working directory, so that the same files mean the
same wherever a command is started.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from schedsync.core.finding import CODES, did_you_mean
from schedsync.core.refusal import MAX_STOP_PERCENT, MAX_STOPS, Limits
from schedsync.errors import InvalidConfiguration, WrongUsage
from schedsync.lint.rule import MAX_STARTS, Options

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "schedsync.toml"
PROJECT = "pyproject.toml"
#: What the name of a file of schedules ends in.
SUFFIXES = (".yaml", ".yml")
DEFAULT_PATH = "schedules"
LONGEST_SET = 100
LONGEST_ENVIRONMENT = 64
MOST_ENVIRONMENTS = 100
#: A configuration has no more bytes.
LARGEST = 2**20
_LONGEST_PATTERN = 1_000
#: Each multiplies what a pattern has to try.
_MOST_STARS = 2


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
    lint: Options = field(default_factory=Options)
    within: Path | None = None

    def limited(self, limits: Limits) -> Limits:
        """Return limits with what the files' configuration says about them."""
        return replace(limits, max_stops=self.max_stops, max_stop_percent=self.max_stop_percent)

    def chosen(self, environment: str | None) -> str | None:
        """Return the environment if it is declared; raises WrongUsage where it is not."""
        if environment is None or environment in self.environments:
            return environment
        declared = f"declared: {', '.join(self.environments)}" if self.environments else None
        hint = did_you_mean(environment, self.environments) or declared or f"declare `environments` in {FILE}"
        raise WrongUsage(f"unknown environment `{environment}`", hint=hint)


def load_config(path: str | None, top: Path | None = None) -> Config:
    """Return the configuration for a PATH argument, or for the default path where there is none.

    It is not looked for above ``top``.
    """
    start = Path(path or DEFAULT_PATH)
    found = _find(start.absolute(), top)
    if found is None:
        return Config(paths=(start,))
    file, table = found
    base = _shown(file.parent)
    config = read_config(file, table, base, lambda pattern: _matches(file, base, pattern))
    if path is None:
        return replace(config, within=file.parent)
    return replace(config, paths=(start,), root=_root(start, config.paths))


def _root(start: Path, paths: tuple[Path, ...]) -> Path | None:
    """Return the configured path that holds a file: what the file refers to lies below it, as for the whole set."""
    here = start.absolute()
    return next((path for path in paths if here.is_relative_to(path.absolute())), None)


def _find(start: Path, top: Path | None) -> tuple[Path, Mapping[str, Any]] | None:
    for directory in (start, *start.parents):
        if top is not None and not directory.is_relative_to(top):
            return None
        for file in (directory / FILE, directory / PROJECT):
            if _is_file(file) and (table := table_of(file, _text(file))) is not None:
                return file, table
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _text(file: Path) -> str:
    if file.is_symlink() and not file.resolve().is_relative_to(file.parent.resolve()):
        raise InvalidConfiguration(str(file), "a symbolic link that leaves its directory")
    try:
        if file.stat().st_size > LARGEST:
            raise InvalidConfiguration(str(file), "too large for a configuration")
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(str(file), f"cannot be read: {error}") from error


def table_of(file: Path, text: str) -> Mapping[str, Any] | None:
    """Return our table of a configuration file's text; None where a pyproject.toml has none."""
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


_KEYS = ("paths", "set", "environments", "safety", "lint", "repository_url")
_SAFETY_KEYS = ("max_stops", "max_stop_percent")
_LINT_KEYS = ("select", "extend_select", "ignore", "severity", "max_starts", "queues")
_SEVERITIES = ("error", "warning", "info")


def read_config(file: Path, table: Mapping[str, Any], base: Path, matches: Callable[[str], list[Path]]) -> Config:
    """Build the configuration from a file's table; its paths lie below ``base``, ``matches`` expands a pattern."""
    _check_keys(file, table, _KEYS, "")
    safety = _typed(file, table, "safety", dict, {})
    _check_keys(file, safety, _SAFETY_KEYS, "safety.")
    return Config(
        file=file,
        paths=_paths(file, _texts(file, table, "paths", [DEFAULT_PATH]), base, matches),
        set=_set_name(file, _typed(file, table, "set", str, "default")),
        environments=_environments(file, _texts(file, table, "environments", [])),
        max_stops=_number(file, safety, "max_stops", MAX_STOPS, 10**9),
        max_stop_percent=_number(file, safety, "max_stop_percent", MAX_STOP_PERCENT, 100),
        repository_url=_typed(file, table, "repository_url", str, None),
        lint=_lint(file, _typed(file, table, "lint", dict, {})),
    )


def _lint(file: Path, table: Mapping[str, Any]) -> Options:
    _check_keys(file, table, _LINT_KEYS, "lint.")
    severities = _typed(file, table, "severity", dict, {})
    for code, severity in severities.items():
        _check_codes(file, "severity", [code])
        if severity not in _SEVERITIES:
            known = ", ".join(_SEVERITIES)
            raise InvalidConfiguration(str(file), f"`lint.severity.{code}` takes one of {known}, not {severity!r}")
    chosen = {key: tuple(_texts(file, table, key, [])) for key in ("select", "extend_select", "ignore", "queues")}
    for key in ("select", "extend_select", "ignore"):
        _check_codes(file, key, chosen[key])
    return Options(
        select=chosen["select"] if "select" in table else None,
        extend_select=chosen["extend_select"],
        ignore=chosen["ignore"],
        severities=severities,
        max_starts=_number(file, table, "max_starts", MAX_STARTS, 10**9),
        queues=chosen["queues"],
    )


def _check_codes(file: Path, key: str, codes: Sequence[str]) -> None:
    rules = [code for code in CODES if code.startswith("SS2")]
    for code in codes:
        if not any(rule.startswith(code) for rule in rules):
            hint = did_you_mean(code, rules) or "`schedsync rules` lists them"
            raise InvalidConfiguration(str(file), f"`lint.{key}`: no rule `{code}`", hint=hint)


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


def _environments(file: Path, names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > MOST_ENVIRONMENTS:
        raise InvalidConfiguration(str(file), f"`environments` has at most {MOST_ENVIRONMENTS} names")
    for name in names:
        if len(name) > LONGEST_ENVIRONMENT or not name.isprintable() or name != name.strip():
            message = f"`environments` takes printable names of at most {LONGEST_ENVIRONMENT} characters"
            raise InvalidConfiguration(str(file), message)
    return tuple(names)


def _paths(file: Path, patterns: Sequence[str], base: Path, matches: Callable[[str], list[Path]]) -> tuple[Path, ...]:
    result: list[Path] = []
    for pattern in patterns:
        if len(pattern) > _LONGEST_PATTERN or not pattern.isprintable() or pattern.split("/").count("**") > _MOST_STARS:
            message = f"`paths` takes printable patterns of at most {_LONGEST_PATTERN} characters and two `**`"
            raise InvalidConfiguration(str(file), message)
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InvalidConfiguration(str(file), f"`paths` stays below this file, `{pattern}` does not")
        result += matches(pattern) if is_pattern(pattern) else [base / pattern]
    if not result:
        raise InvalidConfiguration(str(file), "`paths` names nothing")
    return tuple(dict.fromkeys(result))


def is_pattern(text: str) -> bool:
    """Say whether a path holds wild cards."""
    return bool(set(text) & set("*?["))


def _matches(file: Path, base: Path, pattern: str) -> list[Path]:
    try:
        found = sorted(base.glob(pattern))
    except (ValueError, OSError, NotImplementedError) as error:
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
