"""``schedsync schema``: print the JSON Schema of a format."""

from __future__ import annotations

from pathlib import Path

import click

from schedsync.commands.documents import load_snapshot
from schedsync.commands.options import existing_file, option, out_option, verb
from schedsync.commands.output import write
from schedsync.errors import WrongUsage
from schedsync.schemas.validator import SCHEMAS, schema_text


@verb("Print a JSON Schema, for editors and programs.")
@click.argument("which", type=click.Choice(list(SCHEMAS)), default="schedules", metavar="[WHICH]")
@option(
    "--snapshot",
    type=existing_file,
    metavar="FILE",
    help="Allow only the tasks, queues and arguments of this snapshot's application.",
)
@out_option
def schema(which: str, snapshot: Path | None, out: Path | None) -> int:
    """Print the JSON Schema of the schedules, of the configurations, or of the JSON that a verb writes.

    WHICH is schedules (the default), config, agent, or a verb's JSON: plan, review, snapshot, forecast, or comparison
    for `forecast --compare`.

    An editor completes and explains a file of schedules if its first line is
    `# yaml-language-server: $schema=PATH`, and schedsync.toml if its first line is `#:schema PATH`.
    With --snapshot the schema also knows the application's tasks.
    """
    if snapshot is not None and which != "schedules":
        raise WrongUsage(f"`--snapshot` narrows the schema `schedules` only, not `{which}`")
    if snapshot is None:
        write(schema_text(SCHEMAS[which]), out)
        return 0
    from schedsync.files.app_schema import app_schema

    write(app_schema(load_snapshot(snapshot).application), out)
    return 0
