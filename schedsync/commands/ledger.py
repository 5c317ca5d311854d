"""``schedsync ledger``: rare work on schedsync's own tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from schedsync.commands.django import set_up
from schedsync.commands.help import VerbGroup
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    format_option,
    gather,
    is_typed,
    lock_timeout_option,
    option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.core.names import set_name_problem
from schedsync.errors import WrongUsage
from schedsync.render.terminal import ledger as texts
from schedsync.render.terminal.binding import bound_text, intent_text

if TYPE_CHECKING:
    from schedsync.database.transaction import WaitOptions

_yes_option = option("-y", "--yes", is_flag=True, help="Do not ask; required without a terminal.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call says beside the schedules that it is about: the environment, and how to go on."""

    environment: str | None
    yes: bool
    lock_timeout: float


@dataclass(frozen=True, slots=True)
class Selector:
    """The schedules of one call: names and globs, of one set or of all."""

    patterns: tuple[str, ...]
    everything: bool
    set_name: str | None


_answer_options = gather("answer", Answer, _yes_option, lock_timeout_option, environment_option)
_selector_options = gather(
    "selector",
    Selector,
    click.argument("patterns", nargs=-1, metavar="[NAME|GLOB]..."),
    option("--all", "everything", is_flag=True, help="Choose the schedules of all sets in this database."),
    option("--set", "set_name", metavar="SET", help="Choose only schedules of this set; without names, all of them."),
)


@click.group(cls=VerbGroup, short_help="Change which set manages a schedule, and the database's environment.")
def ledger() -> None:
    """Change what schedsync's own tables say: which set manages which schedules, and whose the database is."""


@verb("Give a set another name.")
@click.argument("old")
@click.argument("new")
@_answer_options
@database_options
@format_option("json")
def rename(old: str, new: str, answer: Answer, database: DatabaseOptions, format_: str) -> int:
    """Give the set OLD the name NEW, which no other set may have. No row and no run changes.

    Write the new name into schedsync.toml before the next apply. The last apply of the set counts for the new name too.
    """
    _check_name(new)
    using = set_up(database)
    from schedsync.usecases import ledger as usecase

    chosen = usecase.choose(using, (), None)
    if old == new and old in chosen.sets:
        return _show(texts.same_name_text(old), texts.ledger_json("rename", (), old=old, new=new), format_)
    usecase.check_allowed(using, [old, new], answer.environment)
    usecase.check_rename(chosen.sets, old, new)
    if not _agreed(texts.rename_intent(old, new, chosen.sets[old]), "Rename it?", answer):
        return 1
    count = usecase.rename(using, old, new, _wait(answer), answer.environment)
    entries = [entry for entry in chosen.entries if entry.set == old]
    done = texts.ledger_json("rename", entries, old=old, new=new)
    return _show(texts.renamed_text(old, new, count), done, format_)


@verb("Let another set manage schedules.")
@_selector_options
@option("--to", required=True, metavar="SET", help="The set that manages them from now on; a new name makes a new set.")
@_answer_options
@database_options
@format_option("json")
def move(selector: Selector, to: str, answer: Answer, database: DatabaseOptions, format_: str) -> int:
    """Move schedules to another set: those with these names, all of `--set`, or `--all`. No row and no run changes.

    Move their definitions to the files of that set, too, before either set is applied: a set deletes the rows that it
    manages and does not define. Once both are moved, the plans of both sets are empty.
    """
    _check_name(to)
    _check(selector)
    using = set_up(database)
    from schedsync.usecases import ledger as usecase

    chosen = usecase.choose(using, selector.patterns, selector.set_name)
    moving = [entry for entry in chosen.entries if entry.set != to]
    if not moving:
        text = texts.unmoved_text(to) if chosen.entries else texts.nothing_managed_text()
        return _show(text, texts.ledger_json("move", (), to=to), format_)
    usecase.check_allowed(using, [to, *chosen.set_of.values()], answer.environment)
    if not _agreed(texts.move_intent(moving, to, chosen.sets), "Move them?", answer):
        return 1
    usecase.move(using, chosen, to, _wait(answer), answer.environment)
    return _show(texts.moved_text(len(moving), to), texts.ledger_json("move", moving, to=to), format_)


@verb("Stop managing schedules; their rows stay as they are.")
@_selector_options
@_answer_options
@database_options
@format_option("json")
def release(selector: Selector, answer: Answer, database: DatabaseOptions, format_: str) -> int:
    """Stop managing schedules: those with these names, all of `--set`, or `--all`. Their rows stay.

    A pause ends with it, and its row stays disabled. Values that only schedsync's own Beat reads are lost. If the files
    keep the definition, `apply` is refused until the row is adopted again, which `adopt` in the files does.
    """
    _check(selector)
    using = set_up(database)
    from schedsync.usecases import ledger as usecase

    chosen = usecase.choose(using, selector.patterns, selector.set_name)
    if not chosen.entries:
        return _show(texts.nothing_managed_text(), texts.ledger_json("release", ()), format_)
    usecase.check_allowed(using, chosen.set_of.values(), answer.environment)
    intent = texts.release_intent(chosen.entries, chosen.paused, chosen.for_our_beat)
    if not _agreed(intent, "Release them?", answer):
        return 1
    usecase.release(using, chosen, _wait(answer), answer.environment)
    done = texts.ledger_json("release", chosen.entries, pauses_ended=list(chosen.paused))
    return _show(texts.released_text(len(chosen.entries)), done, format_)


def _check_name(name: str) -> None:
    if problem := set_name_problem(name):
        raise WrongUsage(f"the name of a set {problem}, not {name!r}")


def _check(selector: Selector) -> None:
    """Raise WrongUsage unless the selector says which schedules are meant, in one way."""
    if selector.everything and (selector.patterns or selector.set_name is not None):
        raise WrongUsage("`--all` means all schedules of all sets", hint="give names, `--set SET`, or `--all`")
    if not (selector.everything or selector.patterns or selector.set_name is not None):
        raise WrongUsage("no schedule is named", hint="give names, a glob in quotes such as 'sync-*', or `--all`")


def _agreed(intent: Sequence[str], question: str, answer: Answer) -> bool:
    """Say what a call will do, and ask; raises WrongUsage where nobody can be asked."""
    if not answer.yes:
        _require_terminal()
    say("\n".join(intent))
    if answer.yes or click.confirm(f"\n{question}", default=False, err=True):
        return True
    say("nothing was written")
    return False


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongUsage("there is no terminal to ask on", hint="give `--yes`")


def _wait(answer: Answer) -> WaitOptions:
    from schedsync.database.transaction import WaitOptions

    return WaitOptions(lock=answer.lock_timeout)


def _show(text: str, document: str, format_: str) -> int:
    if format_ == "json":
        click.echo(document)
    else:
        show(lambda _paint: text)
    return 0


@verb("Say which environment the database belongs to.")
@environment_option
@option("--none", is_flag=True, help="Bind it to no environment: each Beat may send, with any name.")
@_yes_option
@lock_timeout_option
@database_options
def bind(environment: str | None, none: bool, yes: bool, lock_timeout: float, database: DatabaseOptions) -> int:
    """Bind the database to the environment NAME, for example after a restore into another environment.

    A Beat that names another environment by SCHEDSYNC_ENVIRONMENT, or none, then sends nothing, and an apply that names
    another one is refused. Before it asks, the command shows which Beats these are.
    """
    using = set_up(database)
    from schedsync.database.environment import named_environment

    chosen = _chosen(None if none and not is_typed("environment") else environment or named_environment(), none=none)
    if not yes:
        _require_terminal()
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import binding

    before = binding.view(using)
    if before.environment == chosen and not before.has_moved:
        show(lambda _paint: bound_text(chosen))
        return 0
    intent = intent_text(before.environment, chosen, before.enabled, before.strangers(chosen))
    say("\n".join(intent))
    if not yes and not click.confirm("\nBind it?", default=False, err=True):
        say("not bound")
        return 1
    binding.bind_database(using, chosen, WaitOptions(lock=lock_timeout))
    show(lambda _paint: bound_text(chosen))
    return 0


def _chosen(environment: str | None, *, none: bool) -> str | None:
    """Return the environment to bind to; raises WrongUsage where the options contradict each other, or name none."""
    if none and environment is not None:
        raise WrongUsage("an environment was given, and that there is none", hint="give only one")
    if not none and environment is None:
        raise WrongUsage("no environment is named", hint="give `-e NAME`, or `--none`")
    return environment


for _verb in (rename, move, release, bind):
    ledger.add_command(_verb)
