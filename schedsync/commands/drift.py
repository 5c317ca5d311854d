"""``schedsync drift``: what did someone change behind Git's back?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from schedsync.commands.common import (
    database_options,
    environment_option,
    format_option,
    paint,
    path_argument,
    report_option,
    target,
    verb,
    write_reports,
)
from schedsync.planning.plan import Plan
from schedsync.render import json_, markdown, text

_RENDERINGS: Mapping[str, Callable[[Plan], str]] = {"json": json_.plan, "markdown": markdown.drift}


@click.command(short_help="Name what someone changed behind Git's back.")
@path_argument
@environment_option
@database_options
@format_option("json", "markdown")
@report_option(_RENDERINGS)
@verb
def drift(format_: str, reports: Sequence[tuple[str, Path]], **options: Any) -> int:
    """Name each managed schedule that left what was last applied by someone else's hand, and by whose.

    Exits 2 where there is drift, or where a human holds a schedule, 0 where there is none. The names of people come
    from the admin's log, where the edit was made there.
    """
    chosen = target(options)
    from schedsync.usecases import sync

    found = sync.drift(chosen)
    write_reports(_RENDERINGS, found, reports)
    click.echo(_RENDERINGS[format_](found) if format_ in _RENDERINGS else text.drift(found, paint(sys.stdout)))
    return 2 if found.changes or found.held else 0
