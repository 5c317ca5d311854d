"""``manage.py schedsync``: the same parser as the console script, behind Django's door."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from schedsync.cli import run


class Command(BaseCommand):
    """Passes everything on, and writes to the streams it is given."""

    help = "Celery Beat's schedules, kept in Git; see `manage.py schedsync --help`"
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run from ``manage.py``: all words behind the command's name are ours."""
        # Django has taken its own options in already, wherever they stand.
        _, words = self.own_parser().parse_known_args(argv[2:])
        sys.exit(run(words, prog=f"{argv[0]} schedsync"))

    def own_parser(self) -> ArgumentParser:
        """Return a parser of what ``manage.py`` itself understands before any command does."""
        parser = ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--settings")
        parser.add_argument("--pythonpath")
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Take all that ``call_command`` is given as it is."""
        parser.add_argument("words", nargs=REMAINDER)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run for ``call_command``; raises SystemExit with the exit code where that is not 0."""
        with redirect_stdout(self.stdout), redirect_stderr(self.stderr):  # type: ignore[type-var]
            code = run([str(word) for word in options["words"]])
        if code:
            raise SystemExit(code)
