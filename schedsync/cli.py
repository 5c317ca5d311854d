"""The command line: all verbs, and the exit code of what click raises."""

from __future__ import annotations

import os
import re
import sys
from collections import UserDict
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from schedsync import __version__
from schedsync.commands.logs import (
    FORMATS,
    VARIABLE,
    choose,
    choose_early,
    is_json,
    json_line,
    log_format_of_one_call,
)
from schedsync.commands.output import say, say_error
from schedsync.core.finding import did_you_mean
from schedsync.core.masked_errors import masked_error
from schedsync.errors import WrongUsage

INTERRUPTED = 130
#: Longer lines are hard to read, however wide the terminal is.
_WIDEST = 120

#: The headings of ``--help``, and their verbs in the order in which a new user needs them.
GROUPS: Mapping[str, Sequence[str]] = {
    "Start": ("init", "import", "doctor"),
    "Change": ("validate", "fmt", "review", "forecast", "plan", "apply", "rollback"),
    "Look": ("status", "list", "why", "history", "drift", "accept"),
    "Act": ("pause", "resume", "run"),
    "Serve": ("agent", "snapshot"),
    "Reference": ("schema", "rules"),
    "Rare": ("ledger",),
}
#: How newer versions of click ask for help where a group is called without a verb.
_ONLY_HELP: tuple[type[Exception], ...] = tuple(filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)]))
#: An option or an argument in a message of click's.
_PARAMETER = re.compile(r"'(--?[a-z-]{1,40}|[A-Z]{1,40})'")
_NO_COMMAND = re.compile(r"No such command '([^']*)'")
_FIRST_STEPS = (
    ("doctor", "find what would stop Beat"),
    ("init", "set this project up, with the schedules that it has"),
    ("validate", "check the files below schedules/"),
    ("plan", "show what an apply would change; writes nothing"),
)

#: Verbs whose names are words of Python.
_TAKEN = frozenset({"import", "list"})

EXIT_CODES = """\b
Exit codes:
  0    done, or nothing to do
  1    errors were found, or a failure that wrote nothing
  2    there are changes, drift or overdue schedules
  3    refused by a safety rule
  4    the plan is stale
  5    another apply holds the lock
  6    committed, but not confirmed afterwards
  64   wrong usage
  69   the database is not available
  130  interrupted"""


class _Imported(UserDict[str, click.Command]):
    """The verbs by name. Each is imported when it is first asked for: all of them take longer than most verbs run."""

    def __init__(self) -> None:
        super().__init__({name: click.Command(name) for verbs in GROUPS.values() for name in verbs})

    def __getitem__(self, name: str) -> click.Command:
        if name not in self:
            raise KeyError(name)
        function = f"{name}_" if name in _TAKEN else name
        command: click.Command = getattr(import_module(f"schedsync.commands.{function}"), function)
        return command


class _Verbs(click.Group):
    """Lists the verbs by groups, after the first steps."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(commands=_Imported(), **attributes)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the first word; `export` is `import`, of the database if no source follows."""
        if args[0] == "export":
            sources = getattr(self.commands["import"], "commands", ())
            source = [] if args[1:2] and args[1] in sources else ["database"]
            args = ["import", *source, *args[1:]]
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first steps, a section for each group of verbs, and the options."""
        with formatter.section("Begin with"):
            steps = [(f"{ctx.command_path} {name}", purpose) for name, purpose in _FIRST_STEPS]
            formatter.write_dl(steps, col_max=50)
        width = max(map(len, self.commands))
        for heading, verbs in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), str(self.commands[name].short_help)) for name in verbs])
        click.Command.format_options(self, ctx, formatter)


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST},
    epilog=EXIT_CODES,
)
@click.option("--settings", metavar="MODULE", help="Django's settings, for every verb; also DJANGO_SETTINGS_MODULE.")
@click.option("--pythonpath", metavar="DIRECTORY", help="A directory to import the settings from.")
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    callback=choose,
    is_eager=True,
    expose_value=False,
    metavar="FORMAT",
    envvar=VARIABLE,
    help="How to write the lines on stderr: text or json; also SCHEDSYNC_LOG_FORMAT.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, settings: str | None, pythonpath: str | None) -> None:
    """Celery Beat's schedules, kept in Git.

    YAML files say which periodic tasks should exist. schedsync compares them with the django-celery-beat tables, shows
    the difference and applies it in one transaction. A running Beat loads it without a restart.
    """
    defaults = {key: value for key, value in {"settings": settings, "pythonpath": pythonpath}.items() if value}
    verb = ctx.invoked_subcommand
    ctx.default_map = {verb: _default_map(main.commands[verb], defaults)} if verb else {}


def _default_map(command: click.Command, defaults: Mapping[str, str]) -> dict[str, Any]:
    """Return the defaults of a verb, or for each verb of a group."""
    if isinstance(command, click.Group):
        return {name: _default_map(each, defaults) for name, each in command.commands.items()}
    return dict(defaults)


def _show(error: click.ClickException) -> None:
    """Write what click found wrong, as all errors are written."""
    if isinstance(error, _ONLY_HELP):
        say(error.format_message())
        return
    message, hint = _in_our_words(error)
    say_error(message, hint)


def _in_our_words(error: click.ClickException) -> tuple[str, str]:
    """Return the message and the hint of an error of click's."""
    context = getattr(error, "ctx", None)
    hint = f"`{context.command_path} --help` shows what it takes" if context else ""
    if isinstance(error, click.NoSuchOption):
        near = did_you_mean(error.option_name, error.possibilities or ())
        return f"no such option `{error.option_name}`", near or hint
    text = _PARAMETER.sub(r"`\1`", error.format_message().rstrip("."))
    if context and (match := _NO_COMMAND.match(text)):
        return f"no such verb `{match[1]}`", did_you_mean(match[1], getattr(context.command, "commands", ())) or hint
    return f"{text[:1].lower()}{text[1:]}", hint


def run(arguments: Sequence[str], prog: str = "schedsync") -> int:
    """Run one command line; returns its exit code."""
    with log_format_of_one_call():
        choose_early(arguments)
        return _run(arguments, prog)


def _run(arguments: Sequence[str], prog: str) -> int:
    try:
        result = main.main(args=list(arguments), prog_name=prog, standalone_mode=False)
    except click.UsageError as error:
        _show(error)
        return WrongUsage.exit_code
    except click.ClickException as error:
        _show(error)
        return 1
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe; without this, Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        say_error(f"cannot write: {error.strerror or error}", None)
        return 1
    except Exception as error:
        # A bug in schedsync is a traceback, also as JSON.
        if not is_json():
            raise
        hidden = masked_error(error)
        click.echo(json_line(f"error: {hidden!r}", hidden), err=True)
        return 1
    return result if isinstance(result, int) else 0
