"""What the verbs share: their options, Django's setup, and how an outcome becomes text and an exit code."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from schedsync.config import Config, read_config
from schedsync.core.collecting import gc_paused
from schedsync.core.refusal import Limits
from schedsync.core.timing import TimingError, duration
from schedsync.errors import InvalidSet, Refused, SchedsyncError, WrongUsage
from schedsync.planning.documents import finding_document, refusal_document
from schedsync.render import json_, text
from schedsync.render.words import printable

if TYPE_CHECKING:
    from schedsync.planning.documents import SavedPlan
    from schedsync.planning.snapshot import Snapshot
    from schedsync.usecases.target import Target

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

path_argument = click.argument("path", required=False, metavar="[PATH]")
environment_option = click.option(
    "-e", "--environment", envvar="SCHEDSYNC_ENVIRONMENT", metavar="NAME",
    help="The environment whose differences apply; also SCHEDSYNC_ENVIRONMENT.",
)  # fmt: skip
_SETTINGS = click.option("--settings", metavar="MODULE", help="Django's settings module; also DJANGO_SETTINGS_MODULE.")
_DATABASE = click.option(
    "--database",
    default="default",
    show_default=True,
    metavar="ALIAS",
    help="The alias in Django's DATABASES.",
)


def format_option(*formats: str) -> Callable[[F], F]:
    """Return the option that chooses how a verb writes its data."""
    choice = click.Choice(["text", *formats])
    return click.option("--format", "format_", type=choice, default="text", show_default=True, help="How to write it.")


def database_options(function: F) -> F:
    """Add the options of a verb that works with the database."""
    return _DATABASE(_SETTINGS(function))


_OVERRIDES = {
    "adopt": click.option(
        "--adopt", multiple=True, metavar="NAME", help="Take over a row that the set does not manage yet."
    ),
    "max_stops": click.option(
        "--max-stops", type=click.IntRange(min=0), metavar="N", help="Let so many schedules stop."
    ),
    "allow_empty": click.option(
        "--allow-empty", is_flag=True, help="Let a set without schedules delete all that it manages."
    ),
    "allow_dual_writer": click.option(
        "--allow-dual-writer", is_flag=True, help="Write names that stand in CELERY_BEAT_SCHEDULE too."
    ),
    "allow_older": click.option("--allow-older", is_flag=True, help="Go back to a commit that was applied before."),
    "move_set": click.option("--move-set", is_flag=True, help="Let the set come from another place or environment."),
}


def override_options(*without: str) -> Callable[[F], F]:
    """Return what adds the options that lift a safety rule for one call, but for some."""

    def add(function: F) -> F:
        for name, option in reversed(_OVERRIDES.items()):
            if name not in without:
                function = option(function)
        return function

    return add


snapshot_option = click.option(
    "--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A snapshot of the application and its database, as `schedsync snapshot` writes it.",
)  # fmt: skip
out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to a file."
)


class _Report(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A format and the file to which it is written, as ``markdown=plan.md``."""

    name = "report"

    def __init__(self, formats: Iterable[str]) -> None:
        self.formats = list(formats)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Read one; fails the command line where it is none."""
        if isinstance(value, tuple):
            return value
        format_, equals, file = str(value).partition("=")
        if not equals or not file or format_ not in self.formats:
            known = ", ".join(self.formats)
            self.fail(f"`{value}` is no FORMAT=FILE; formats: {known}", param, ctx)
        return format_, Path(file)


def report_option(formats: Iterable[str]) -> Callable[[F], F]:
    """Return the option that writes the data of one run in further formats."""
    help_ = "Write it in another format too, such as `markdown=plan.md`; may be given several times."
    return click.option("--report", "reports", multiple=True, type=_Report(formats), metavar="FORMAT=FILE", help=help_)


def write_reports(renderings: Mapping[str, Callable[[T], str]], value: T, reports: Iterable[tuple[str, Path]]) -> None:
    """Write a value in every format that was asked for."""
    for format_, file in reports:
        write(renderings[format_](value), file)


def verb(function: F) -> F:
    """Turn an error into text, or JSON where the verb was asked for it, and into its exit code."""

    @functools.wraps(function)
    def wrapped(**options: Any) -> Any:
        try:
            with gc_paused():
                return function(**options)
        except SchedsyncError as error:
            report(error, options.get("format_", "text"))
            return error.exit_code

    return wrapped  # type: ignore[return-value]


def report(error: SchedsyncError, format_: str) -> None:
    """Write an error: on stderr for people, and on stdout where JSON is wanted."""
    if format_ == "json":
        click.echo(json_.failure(error.failure_reason, error.message, error.hint, **_data(error)))
        return
    if isinstance(error, InvalidSet):
        click.echo(text.findings(error.findings, paint(sys.stderr)), err=True)
    if isinstance(error, Refused):
        click.echo("\n".join(text.refusals(error.refusals, paint(sys.stderr))).lstrip(), err=True)
    click.echo(f"error: {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"  hint: {printable(error.hint)}", err=True)


def _data(error: SchedsyncError) -> dict[str, Any]:
    if isinstance(error, InvalidSet):
        return {"findings": [finding_document(finding) for finding in error.findings]}
    if isinstance(error, Refused):
        return {"refusals": [refusal_document(refusal) for refusal in error.refusals]}
    return {}


def paint(stream: Any) -> text.Paint:
    """Return what colours text for a stream: nothing where it is no terminal, or NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or not getattr(stream, "isatty", lambda: False)():
        return text.plain
    return lambda said, style: click.style(said, bold=True) if style == "bold" else click.style(said, fg=style)


def say(message: str) -> None:
    """Tell on stderr how work goes on."""
    click.echo(message, err=True)


def setup_django(settings: str | None, database: str) -> None:
    """Load Django's settings and apps as a management command would; raises WrongUsage where that cannot be.

    The working directory comes first on ``sys.path``, as for ``manage.py``.
    """
    from django.apps import apps

    if not apps.ready:
        if settings:
            os.environ["DJANGO_SETTINGS_MODULE"] = settings
        if "DJANGO_SETTINGS_MODULE" not in os.environ:
            raise WrongUsage("no Django settings", hint="give `--settings MODULE`, or set DJANGO_SETTINGS_MODULE")
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        _setup(os.environ["DJANGO_SETTINGS_MODULE"])
    _check_project(database)


def _setup(module: str) -> None:
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        import_module(module)
        django.setup()
    except (ImportError, ImproperlyConfigured) as error:
        hint = "run it in the project's directory, or set PYTHONPATH"
        raise WrongUsage(f"Django cannot be set up with `{module}`: {error}", hint=hint) from error


def _check_project(database: str) -> None:
    from django.apps import apps
    from django.conf import settings

    for app in ("django_celery_beat", "schedsync"):
        if not apps.is_installed(app):
            raise WrongUsage(
                f"`{app}` is not among INSTALLED_APPS", hint="add it there, then `python manage.py migrate`"
            )
    if database not in settings.DATABASES:
        known = ", ".join(settings.DATABASES)
        raise WrongUsage(f"no database `{database}` in DATABASES", hint=f"known: {known}")


def target(options: dict[str, Any]) -> Target:
    """Set Django up and build the target of a verb from its options."""
    setup_django(options["settings"], options["database"])
    return target_of(read_config(options["path"]), options)


def target_of(config: Config, options: dict[str, Any]) -> Target:
    """Build the target of a verb from its configuration and options; needs no Django."""
    from schedsync.usecases.target import Target

    limits = config.limited(limits_of(options))
    using = options.get("database", "default")
    return Target(config, using, options["environment"], limits, tuple(options.get("adopt", ())))


def limits_of(options: dict[str, Any]) -> Limits:
    """Return what this call lifts."""
    return Limits(
        lifted_to=options.get("max_stops"),
        allow_empty=options.get("allow_empty", False),
        allow_dual_writer=options.get("allow_dual_writer", False),
        allow_older=options.get("allow_older", False),
        move_set=options.get("move_set", False),
    )


#: An older snapshot is said to be old.
_FRESH = timedelta(days=7)


def load_snapshot(file: Path) -> Snapshot:
    """Read a snapshot, and say so where it is old; raises WrongUsage where the file is none."""
    found = _snapshot(file)
    age = datetime.now(timezone.utc) - found.created_at
    if age > _FRESH:
        say(f"warning: the snapshot is {age.days} days old")
    return found


@gc_paused()
def _snapshot(file: Path) -> Snapshot:
    from schedsync.planning.snapshot import snapshot_from
    from schedsync.schemas.validator import SNAPSHOT, problems

    values: Any = None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return snapshot_from(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = str(error) if values is None else next(iter(problems(values, SNAPSHOT)), str(error))
        hint = "make one by `schedsync snapshot --out FILE`"
        raise WrongUsage(f"`{file}` is no snapshot: {problem}", hint=hint) from error


def write(said: str, out: Path | None) -> None:
    """Write data to stdout, or to a file."""
    if out is None:
        if said:
            click.echo(said.rstrip("\n"))
        return
    try:
        out.write_text(f"{said}\n" if said and not said.endswith("\n") else said, encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"cannot write `{out}`: {error.strerror}") from error
    say(f"wrote {out}")


@gc_paused()
def read_plan(file: Path) -> SavedPlan:
    """Read a saved plan; raises WrongUsage where it is none."""
    from schedsync.planning.documents import saved_plan
    from schedsync.schemas.validator import PLAN, problems

    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_plan(file, str(error)) from error
    try:
        return saved_plan(values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_plan(file, next(iter(problems(values, PLAN)), str(error))) from error


def _no_plan(file: Path, problem: str) -> WrongUsage:
    return WrongUsage(f"`{file}` is no saved plan: {problem}", hint="make one by `schedsync plan --out FILE`")


#: Longer than anyone waits, or means by a pause.
_LONGEST = 10 * 366 * 86400


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A duration such as ``24h`` or ``90s``, or 0; becomes seconds. With ``some`` it is longer than nothing."""

    name = "duration"

    def __init__(self, *, some: bool = False) -> None:
        self.some = some

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a duration; fails the command line where it is none."""
        if isinstance(value, (int, float)):
            return float(value)
        try:
            seconds = 0.0 if value == "0" else duration(value) / 10**6
        except TimingError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)
        if seconds > _LONGEST or (self.some and not seconds):
            self.fail(f"`{value}` is not longer than nothing and at most ten years", param, ctx)
        return seconds
