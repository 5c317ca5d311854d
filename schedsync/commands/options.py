"""The options that verbs share. Each group of options becomes one typed value, under one heading of ``--help``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from schedsync.commands.help import GENERAL, LIFT, OUTPUT, WHERE, Option, Verb
from schedsync.commands.logs import log_format
from schedsync.commands.output import report, say
from schedsync.commands.parameters import CommitId, Report, Seconds, SnapshotPlace, WholeNumber
from schedsync.core.adoption import Adoption
from schedsync.core.refusal import Limits
from schedsync.database.collector import gc_paused
from schedsync.errors import Locked, SchedsyncError

if TYPE_CHECKING:
    from schedsync.config import Config

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]
T = TypeVar("T")


def verb(short_help: str) -> Callable[[Function], Verb]:
    """Return the decorator that makes a function a verb; it belongs above the decorators of the options.

    An error becomes text, or JSON if the verb was asked for JSON, and an exit code.
    """

    def make(function: Function) -> Verb:
        @functools.wraps(function)
        def wrapped(**values: Any) -> Any:
            try:
                with gc_paused():
                    return function(**values)
            except SchedsyncError as error:
                if isinstance(error, Locked) and "lock_timeout" in values:
                    error.hint = "try again when it is done, or wait for it with `--lock-timeout 60s`"
                report(error, values.get("format_", "text"))
                return error.exit_code

        command = click.command(cls=Verb, short_help=short_help)(wrapped)
        command.params.append(log_format())
        return command

    return make


def option(*names: str, heading: str = GENERAL, **attributes: Any) -> Decorator:
    """Return the decorator that adds one option."""
    return click.option(*names, cls=Option, heading=heading, **attributes)


def gather(name: str, group: type[Any], *options: Decorator, without: Collection[str] = ()) -> Decorator:
    """Return the decorator that adds options and passes their values to the verb as one value of the type ``group``.

    An option and its field have the same name. A field without an option is a KeyError at each call, unless it is in
    ``without``: a renamed option cannot silently become its default.
    """
    names = [field.name for field in fields(group) if field.name not in without]

    def add(function: Function) -> Function:
        @functools.wraps(function)
        def gathered(**values: Any) -> Any:
            values[name] = group(**{field: values.pop(field) for field in names})
            return function(**values)

        return _decorated(gathered, options)

    return add


def _decorated(function: Function, decorators: Sequence[Decorator]) -> Function:
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def renamed(old: str, new: str, heading: str = GENERAL, **attributes: Any) -> Decorator:
    """Return the decorator that keeps the old name of an option for one release, hidden and with a warning.

    It belongs above the decorator of the new option. If both names are given, the new one counts.
    """
    old_name, new_name = (flag.removeprefix("--").replace("-", "_") for flag in (old, new))

    def add(function: Function) -> Function:
        @functools.wraps(function)
        def translated(**values: Any) -> Any:
            value = values.pop(old_name)
            if is_typed(old_name):
                say(f"warning: `{old}` is deprecated, the next release removes it; use `{new}`")
                if not is_typed(new_name):
                    values[new_name] = value
            return function(**values)

        return option(old, hidden=True, heading=heading, **attributes)(translated)

    return add


def is_typed(name: str) -> bool:
    """Say whether an option or argument of the running verb is on the command line, not from a default."""
    return click.get_current_context().get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Which files a verb reads, and for which environment; None for what the configuration says.

    With ``all_sets`` those of each set below ``path``; ``directory`` is then the one whose turn it is.
    """

    path: str | None
    environment: str | None
    all_sets: bool = False
    directory: Path | None = None

    def config(self) -> Config:
        """Return the configuration of the set; raises InvalidConfiguration."""
        from schedsync.config import read_config

        return read_config(self.path, directory=self.directory)

    def of(self, directory: Path) -> FileOptions:
        """Return the same for one set."""
        return FileOptions(None, self.environment, directory=directory)


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """Django's settings module, a directory to import it from, and the alias in DATABASES.

    Without an alias, Django's routers say where Beat's tasks are written.
    """

    settings: str | None
    pythonpath: str | None
    database: str | None


@dataclass(frozen=True, slots=True)
class LiftedRules:
    """The safety rules that this call lifts."""

    adopt: tuple[str, ...] = ()
    adopt_all: bool = False
    adopt_from: tuple[str, ...] = ()
    allow_stops: int | None = None
    allow_empty: bool = False
    allow_older: bool = False
    allow_dual_writer: bool = False
    allow_move: bool = False
    allow_dirty: bool = False
    allow_freeze: bool = False

    @property
    def adoption(self) -> Adoption:
        """The rows that this call takes over."""
        return Adoption(self.adopt, self.adopt_all, self.adopt_from)

    @property
    def limits(self) -> Limits:
        """The limits of this call, without those of the configuration."""
        return Limits(
            allow_stops=self.allow_stops,
            allow_empty=self.allow_empty,
            allow_older=self.allow_older,
            allow_dual_writer=self.allow_dual_writer,
            allow_move=self.allow_move,
            allow_dirty=self.allow_dirty,
            allow_freeze=self.allow_freeze,
        )


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)

_where = functools.partial(option, heading=WHERE)
_lift = functools.partial(option, heading=LIFT)
_output = functools.partial(option, heading=OUTPUT)

path_argument = click.argument("path", required=False, metavar="[PATH]")
environment_option = _where(
    "-e", "--environment", envvar="SCHEDSYNC_ENVIRONMENT", metavar="NAME",
    help="The environment, for example production; also SCHEDSYNC_ENVIRONMENT.",
)  # fmt: skip
commit_option = _where(
    "--commit", type=CommitId(), envvar="SCHEDSYNC_COMMIT", metavar="SHA",
    help="The commit that the files come from, where there is no `.git`; also SCHEDSYNC_COMMIT.",
)  # fmt: skip
#: For verbs that take the directory as PATH.
file_options = gather("files", FileOptions, path_argument, environment_option, without=("all_sets", "directory"))
database_options = gather(
    "database",
    DatabaseOptions,
    _where("--settings", metavar="MODULE", help="The module of Django's settings; also DJANGO_SETTINGS_MODULE."),
    _where("--pythonpath", metavar="DIRECTORY", help="A directory to import the settings from."),
    _where(
        "--database",
        metavar="ALIAS",
        help="The alias in DATABASES. Default: the one to which routers write PeriodicTask.",
    ),
)
snapshot_option = _where(
    "--against", type=SnapshotPlace(exists=True), metavar="FILE|URL",
    help="A snapshot, made by `schedsync snapshot`: a file, or the address where it is published.",
)  # fmt: skip
verbose_option = _output(
    "-v",
    "--verbose",
    is_flag=True,
    help="List all names where equal changes are shown as one, and adoptions that change no field.",
)
all_findings_option = _output(
    "-v", "--verbose", is_flag=True, help="List all schedules and places where equal findings are shown as one."
)
out_option = _output("--out", type=new_file, metavar="FILE", help="Write the data to a file.")
settle_option = option("--settle", type=Seconds(), default="6s", metavar="DURATION", hidden=True)


def lock_timeout(default: str) -> Decorator:
    """Return the option that says how long to wait for the lock; ``default`` is a duration."""
    return option(
        "--lock-timeout", type=Seconds(), default=default, show_default=True, metavar="DURATION",
        help="How long to wait if another apply holds the lock.",
    )  # fmt: skip


lock_timeout_option = lock_timeout("0")

_COUNT = WholeNumber()
_LIFTING = {
    "adopt": _lift(
        "--adopt", multiple=True, metavar="NAME|GLOB",
        help="Take over rows with these names that nobody manages; can be given several times.",
    ),
    "adopt_all": _lift(
        "--adopt-all", is_flag=True, help="Take over each row that nobody manages and that the files name."
    ),
    "adopt_from": _lift(
        "--adopt-from", multiple=True, metavar="SET",
        help="Take over the rows that this other set manages and that the files name; can be given several times.",
    ),
    "allow_stops": _lift("--allow-stops", type=_COUNT, metavar="N", help="Allow up to N schedules to stop."),
    "allow_empty": _lift(
        "--allow-empty", is_flag=True, help="Allow files without any schedule to delete all schedules of the set."
    ),
    "allow_older": _lift(
        "--allow-older", is_flag=True, help="Allow a commit that does not descend from the commit applied last."
    ),
    "allow_dual_writer": _lift(
        "--allow-dual-writer", is_flag=True, help="Allow names that are also defined in CELERY_BEAT_SCHEDULE."
    ),
    "allow_move": _lift(
        "--allow-move", is_flag=True, help="Allow the set to come from another repository, path or environment."
    ),
    "allow_dirty": _lift(
        "--allow-dirty", is_flag=True, help="Allow files that differ from the commit of the checkout."
    ),
    "allow_freeze": _lift("--allow-freeze", is_flag=True, help="Apply during a `[[freeze]]`; it is recorded."),
}  # fmt: skip


def lifting_options(*without: str) -> Decorator:
    """Return the decorator that adds the options that lift a safety rule for one call, except those named."""
    options = [decorate for name, decorate in _LIFTING.items() if name not in without]
    old_names = (
        renamed("--max-stops", "--allow-stops", LIFT, type=_COUNT),
        renamed("--move-set", "--allow-move", LIFT, is_flag=True),
    )

    def add(function: Function) -> Function:
        return _decorated(gather("lifted", LiftedRules, *options, without=without)(function), old_names)

    return add


def format_option(*formats: str) -> Decorator:
    """Return the decorator that adds ``--format``, with text and the given formats."""
    choice = click.Choice(["text", *formats])
    help_ = f"How to write the data on stdout: {', '.join(['text (the default)', *formats[:-1]])} or {formats[-1]}."
    return _output("--format", "format_", type=choice, default="text", metavar="FORMAT", help=help_)


#: The first whose format a verb has is the example in its help.
_REPORTS = ("markdown=report.md", "sarif=report.sarif", "html=report.html")


def report_option(formats: Collection[str]) -> Decorator:
    """Return the decorator that adds ``--report``, which writes the data of the same run in further formats."""
    example = next((example for example in _REPORTS if example.partition("=")[0] in formats), "json=report.json")
    help_ = f"Write the data to a file too, for example {example}; can be given several times."
    return _output("--report", "reports", multiple=True, type=Report(formats), metavar="FORMAT=FILE", help=help_)
