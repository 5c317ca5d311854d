"""How the running program is called again: for the next steps that a verb prints."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser
from pathlib import Path

import click

from schedsync.commands.options import DatabaseOptions


def program(options: DatabaseOptions) -> str:
    """Return the words before the verb: the program as the user has called it, with its settings.

    The option `--database` belongs behind the verb.
    """
    name = str(click.get_current_context().find_root().info_name)
    first, _, rest = name.partition(" ")
    settings, pythonpath = options.settings, options.pythonpath
    if first.endswith(".py"):
        # Django has taken these options out of the words, and the directory of `manage.py` out of the name.
        name = f"python {shlex.quote(Path(sys.argv[0]).as_posix())} {rest}"
        settings, pythonpath = _used_by_django()
    given = {"--settings": settings, "--pythonpath": pythonpath}
    return " ".join([name, *(f"{flag} {shlex.quote(value)}" for flag, value in given.items() if value)])


def _used_by_django() -> tuple[str | None, str | None]:
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    values, _ = parser.parse_known_args(sys.argv[1:])
    return values.settings, values.pythonpath
