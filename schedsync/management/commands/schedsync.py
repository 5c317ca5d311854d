"""``manage.py schedsync``: the same command line as the console script."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from schedsync.cli import run


class Command(BaseCommand):
    """Passes all words on to the command line of schedsync, and writes to the streams of the command."""

    help = "Celery Beat's schedules, kept in Git; see `manage.py schedsync --help`"
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Run from ``manage.py``, and exit."""
        # Django has already used `--settings` and `--pythonpath`, wherever they are on the line.
        _, words = self.own_parser().parse_known_args(argv[2:])
        sys.exit(run(words, prog=self._prog(argv[0], argv[1])))

    def print_help(self, prog_name: str, subcommand: str) -> None:
        """Print the verbs, for ``manage.py help schedsync``."""
        run(["--help"], prog=self._prog(prog_name, subcommand))

    def _prog(self, prog_name: str, subcommand: str) -> str:
        name = Path(prog_name).name
        return f"{'python -m django' if name == '__main__.py' else name} {subcommand}"

    def own_parser(self) -> ArgumentParser:
        """Return a parser of the options that ``manage.py`` itself uses, before any command runs."""
        parser = ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--settings")
        parser.add_argument("--pythonpath")
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Take all words of ``call_command`` as they are."""
        parser.add_argument("words", nargs=REMAINDER)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run for ``call_command``; raises SystemExit with the exit code if that is not 0."""
        with redirect_stdout(self.stdout), redirect_stderr(self.stderr):  # type: ignore[type-var]
            code = run([str(word) for word in options["words"]])
        if code:
            raise SystemExit(code)
