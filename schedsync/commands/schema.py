"""``schedsync schema``: the contracts of the formats."""

from __future__ import annotations

from pathlib import Path

import click

from schedsync.commands.common import say, verb
from schedsync.errors import WrongUsage
from schedsync.sources.schema import PLAN, SCHEDULES, schema_text


@click.command(short_help="Print a JSON Schema, for editors and programs.")
@click.argument("which", type=click.Choice(["schedules", "plan"]), default="schedules")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to a file.")
@verb
def schema(which: str, out: Path | None) -> int:
    """Print the JSON Schema of the schedules, or of a plan's JSON.

    An editor completes and explains the files where their first line is
    `# yaml-language-server: $schema=PATH`.
    """
    said = schema_text(SCHEDULES if which == "schedules" else PLAN)
    if out is None:
        click.echo(said, nl=False)
        return 0
    try:
        out.write_text(said, encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"cannot write `{out}`: {error.strerror}") from error
    say(f"wrote {out}")
    return 0
