"""The rules of other packages: the entry points of the group ``schedsync.rules`` in the installed packages.

A package that cannot be used stops nothing: it is named in a finding, and its rules are left out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from schedsync.core.finding import PACKAGE_CODE, SEVERITIES, Finding
from schedsync.lint.guard import RuleError, bounded, is_line, is_text
from schedsync.lint.rule import Rule

GROUP = "schedsync.rules"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
_TEXTS = ("why", "remedy", "bad", "good")
_FLAGS = ("opt_in", "needs_application")
#: The names of directories into which packages are installed.
_INSTALLED = ("site-packages", "dist-packages")
#: In seconds: an import takes no longer.
_LOADING = 30


@dataclass(frozen=True, slots=True)
class PackageRules:
    """The rules of other packages by code, and findings about those that cannot be used."""

    rules: Mapping[str, Rule]
    problems: tuple[Finding, ...] = ()


_NONE = PackageRules({})


def package_rules() -> PackageRules:
    """Return the rules of the packages on the module path; they are loaded once for a path.

    What is below the working directory is left out, but for an environment's own directory: it may be a checkout of
    code that nobody has reviewed.
    """
    try:
        here = Path.cwd()
    except OSError:
        here = None
    return _of_path(tuple(sys.path), here)


@lru_cache(maxsize=4)
def _of_path(path: tuple[str, ...], here: Path | None) -> PackageRules:
    directories = [Path(entry) for entry in path]
    chosen = [each for each in directories if each.name in _INSTALLED or not _is_below(each, here)]
    folders = [folder for directory in chosen for folder in _metadata_folders(directory)]
    return _loaded(folders) if folders else _NONE


def _is_below(directory: Path, here: Path | None) -> bool:
    return here is not None and directory.resolve().is_relative_to(here)


def _metadata_folders(directory: Path) -> Iterator[Path]:
    """Yield the metadata of the packages in a directory that have entry points of the group.

    ``importlib.metadata`` would be imported, and would read each package, where hardly anyone has such rules.
    """
    try:
        folders = [each for each in directory.iterdir() if each.suffix in (".dist-info", ".egg-info")]
        for folder in sorted(folders):
            entry_points = folder / "entry_points.txt"
            if entry_points.is_file() and GROUP.encode() in entry_points.read_bytes():
                yield folder
    except OSError:
        return


def _loaded(folders: list[Path]) -> PackageRules:
    """Load the rules of packages; of two packages of one name, those of the first on the path."""
    rules: dict[str, Rule] = {}
    problems: list[Finding] = []
    names: dict[str, Path] = {}
    for folder in folders:
        # The folder is named after the package and its version.
        names.setdefault(_SEPARATORS.sub("-", folder.stem.partition("-")[0]).lower(), folder)
    for name, folder in sorted(names.items()):
        package = f"{name} {folder.stem.split('-')[1]}" if "-" in folder.stem else name
        try:
            rules |= _checked(bounded(partial(_rules_in, folder, package), _LOADING), rules)
        except RuleError as error:
            message = f"the rules of {package} cannot be used: {error}"
            problems.append(Finding("SS190", message, None, f"correct or uninstall {package}"))
    return PackageRules(rules, tuple(problems))


def _rules_in(folder: Path, package: str) -> list[Rule]:
    from importlib.metadata import Distribution

    rules: list[Rule] = []
    for entry_point in Distribution.at(folder).entry_points.select(group=GROUP):
        value = entry_point.load()
        for rule in value if isinstance(value, (list, tuple)) else (value,):
            if problem := _problem(rule):
                raise RuleError(problem)
            rules.append(replace(rule, package=package))
    return sorted(rules, key=lambda rule: rule.code)


def _checked(rules: Iterable[Rule], others: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return the rules of a package by code; raises RuleError where two rules have one code."""
    checked: dict[str, Rule] = {}
    for rule in rules:
        if other := others.get(rule.code):
            raise RuleError(f"{other.package} has a rule `{rule.code}` too")
        if rule.code in checked:
            raise RuleError(f"it has two rules `{rule.code}`")
        checked[rule.code] = rule
    return checked


def _problem(rule: Any) -> str | None:
    """Return what is wrong with a rule, None where nothing is."""
    if not isinstance(rule, Rule):
        return f"a `{type(rule).__name__}` is no `Rule`, and no list of them"
    if not isinstance(rule.code, str) or not PACKAGE_CODE.match(rule.code):
        return f"the code {rule.code!r:.60} is not two to ten capital letters, other than `SS…`, and one to four digits"
    for wrong, key in (
        (not isinstance(rule.name, str) or not _NAME.match(rule.name), "name"),
        (not is_line(rule.summary), "summary"),
        (rule.severity not in SEVERITIES, "severity"),
        (rule.each is None and rule.whole is None, "each"),
        *((not is_text(getattr(rule, key)), key) for key in _TEXTS),
        *((not isinstance(getattr(rule, key), bool), key) for key in _FLAGS),
        *((not (getattr(rule, key) is None or callable(getattr(rule, key))), key) for key in ("each", "whole")),
    ):
        if wrong:
            return f"`{rule.code}` has no valid `{key}`"
    return None
