"""The three questions of `schedsync init`, their good answers, and what is wrong with an answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, TypeVar, cast

import click

from schedsync.commands.output import say
from schedsync.core.adoption import is_glob
from schedsync.core.names import set_name_problem
from schedsync.core.setup import Choices, Ci, Found
from schedsync.errors import WrongUsage
from schedsync.render.terminal.setup import CI_NAMES
from schedsync.render.words import printable

T = TypeVar("T")
ENVIRONMENT: Final = "production"
#: The bounds of the configuration.
_LONGEST_ENVIRONMENT: Final = 64
_MOST_ENVIRONMENTS: Final = 100


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What the command line says; None, empty or False for what was not given."""

    yes: bool
    set_name: str | None
    environments: tuple[str, ...]
    ci: str | None
    no_ci: bool

    def check(self) -> None:
        """Raise WrongUsage for options that contradict, and where there is no terminal for the questions."""
        if self.no_ci and self.ci not in (None, "none"):
            raise WrongUsage(f"`--no-ci` contradicts `--ci {self.ci}`", hint="give only one of them")
        is_answered = self.set_name is not None and self.environments and (self.ci or self.no_ci)
        if not (self.yes or is_answered or (sys.stdin.isatty() and sys.stdout.isatty())):
            raise WrongUsage("there is no terminal to ask on", hint="give `--yes`")


@dataclass(frozen=True, slots=True)
class Rules:
    """What answers must obey.

    ``sets`` are the sets that manage rows already. ``allowed`` are the patterns of sets in Django's settings, None for
    any. ``environment`` is the one that this process names, or that the database belongs to, or None.
    """

    sets: Collection[str]
    allowed: tuple[str, ...] | None
    environment: str | None

    def check_set(self, name: str) -> str:
        """Return the name of a new set; raises UsageError where it cannot have this name."""
        if problem := set_name_problem(name):
            raise click.UsageError(f"the name of a set {problem}")
        if name != name.strip() or name == "default":
            raise click.UsageError("a set has a name of its own, other than `default`")
        if name in self.sets:
            raise click.UsageError(f"set `{printable(name)}` manages rows of this database already")
        if not self._allows(name):
            raise click.UsageError(f"SCHEDSYNC_ALLOWED_SETS allows only {', '.join(self.allowed or ()) or 'none'}")
        return name

    def _allows(self, name: str) -> bool:
        return self.allowed is None or any(fnmatchcase(name, pattern) for pattern in self.allowed)

    def proposed_set(self, found: Found) -> str:
        """Return the name to propose: the project's, or else one that the Django settings allow."""
        names = [found.project, f"{found.project}-schedules"]
        # A pattern such as `team-*` is no name, but leads to one.
        names += [pattern.replace("*", found.project) for pattern in self.allowed or ()]
        names = [name for name in names if not is_glob(name)]
        return next((name for name in names if name not in self.sets and self._allows(name)), found.project)

    def proposed_environments(self) -> tuple[str, ...]:
        """Return the environments to propose: the one of this process and database, and production."""
        return tuple(dict.fromkeys(name for name in (self.environment, ENVIRONMENT) if name))


def environments_of(text: str) -> tuple[str, ...]:
    """Return the names in a text, separated by commas; raises UsageError where one cannot be used."""
    return checked_environments(name.strip() for name in text.strip(", \t\n").split(","))


def checked_environments(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names, each of them once; raises UsageError where the configuration cannot have them."""
    unique = tuple(dict.fromkeys(names))
    if not all(
        name.isprintable() and name == name.strip() and 0 < len(name) <= _LONGEST_ENVIRONMENT for name in unique
    ):
        raise click.UsageError(
            f"environments have printable names of 1 to {_LONGEST_ENVIRONMENT} characters, without white space at "
            "their ends"
        )
    if len(unique) > _MOST_ENVIRONMENTS:
        raise click.UsageError(f"{len(unique):,} environments are more than {_MOST_ENVIRONMENTS}")
    return unique


def choices(options: InitOptions, found: Found, rules: Rules) -> Choices:
    """Return what was given, answered, or proposed where nobody is asked; raises WrongUsage for what cannot be used."""
    try:
        return Choices(
            _set_name(options, found, rules),
            _environments(options, rules),
            _ci(options, found),
        )
    except click.UsageError as error:
        raise WrongUsage(error.message, hint="give other values as `--set` and `--environment`") from error


def _set_name(options: InitOptions, found: Found, rules: Rules) -> str:
    if options.set_name is not None:
        return rules.check_set(options.set_name)
    proposal = rules.proposed_set(found)
    if options.yes:
        return rules.check_set(proposal)
    return _asked("Name of the set", proposal, rules.check_set)


def _environments(options: InitOptions, rules: Rules) -> tuple[str, ...]:
    proposal = options.environments or rules.proposed_environments()
    if options.environments or options.yes:
        return checked_environments(proposal)
    shown = ", ".join(proposal)

    def answered(text: str) -> tuple[str, ...]:
        # A name that was found may have a comma.
        return checked_environments(proposal) if text == shown else environments_of(text)

    return _asked("Environments", shown, answered)


def _asked(question: str, proposal: str, checked: Callable[[str], T]) -> T:
    """Return the answer to a question; ask again while the answer cannot be used."""
    while True:
        try:
            return checked(click.prompt(question, proposal, err=True))
        except click.UsageError as error:
            say(f"error: {error.message}")


def _ci(options: InitOptions, found: Found) -> Ci | None:
    if options.no_ci or options.ci == "none":
        return None
    kind: Ci | None = cast("Ci | None", options.ci) or found.ci
    if kind is None or options.ci is not None or options.yes:
        return kind
    return kind if click.confirm(f"CI file for {CI_NAMES[kind]}?", default=True, err=True) else None
