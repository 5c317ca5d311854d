"""The command line: every verb, and what an outcome becomes as an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from schedsync import __version__
from schedsync.commands.apply import apply
from schedsync.commands.doctor import doctor
from schedsync.commands.drift import drift
from schedsync.commands.forecast import forecast
from schedsync.commands.pause import pause
from schedsync.commands.plan import plan
from schedsync.commands.resume import resume
from schedsync.commands.review import review
from schedsync.commands.rules import rules
from schedsync.commands.schema import schema
from schedsync.commands.snapshot import snapshot
from schedsync.commands.status import status
from schedsync.commands.validate import validate
from schedsync.errors import WrongUsage

INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    done, or nothing to do
  1    errors in the files, or a failure that wrote nothing
  2    changes or drift are there
  3    refused by a safety rule
  4    the plan is stale
  5    another apply holds the lock
  6    committed, but not confirmed afterwards
  64   wrong usage
  69   the database is not available
  130  interrupted"""


class _InOrder(click.Group):
    """Lists the verbs in the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Celery Beat's schedules, kept in Git.

    YAML files say which periodic tasks should exist; schedsync compares them with the django-celery-beat tables, shows
    the difference, applies it in one transaction, and a running Beat picks it up without a restart.

    \b
      schedsync validate          check the files
      schedsync review            see what a pull request will really do
      schedsync plan              see what would change, and what follows from it
      schedsync apply             change it
      schedsync drift             see what someone changed behind Git's back
      schedsync status            see which Beat leads, and what is overdue
    """


for _command in (
    validate,
    review,
    forecast,
    rules,
    schema,
    snapshot,
    plan,
    apply,
    drift,
    status,
    pause,
    resume,
    doctor,
):
    main.add_command(_command)


def run(arguments: Sequence[str], prog: str = "schedsync") -> int:
    """Run one command line; returns its exit code."""
    try:
        result = main.main(args=list(arguments), prog_name=prog, standalone_mode=False)
    except click.UsageError as error:
        error.show(sys.stderr)
        return WrongUsage.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        click.echo(f"error: cannot write: {error.strerror or error}", err=True)
        return 1
    return result if isinstance(result, int) else 0
