"""``schedsync review``: what will a change of the files really do?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from schedsync.commands.common import (
    environment_option,
    format_option,
    limits_of,
    load_snapshot,
    out_option,
    override_options,
    paint,
    report_option,
    say,
    snapshot_option,
    verb,
    write,
    write_reports,
)
from schedsync.core.finding import has_errors
from schedsync.errors import WrongUsage
from schedsync.render import github, html, json_, markdown, sarif, text
from schedsync.review.result import Request, Review

RENDERINGS: Mapping[str, Callable[[Review], str]] = {
    "json": json_.review,
    "markdown": markdown.review,
    "github": lambda review: github.findings(one for one in review.findings if review.shows(one)),
    "sarif": lambda review: sarif.findings(review.findings),
    "html": html.review,
}


@click.command(short_help="Show what a change of the files will really do.")
@click.argument("base", required=False)
@click.argument("head", required=False)
@click.option("--path", metavar="PATH", help="The directory of the schedules, or one file; by default as configured.")
@environment_option
@snapshot_option
@override_options("allow_older")
@format_option("json", "markdown", "github", "sarif", "html")
@out_option
@report_option(RENDERINGS)
@click.option("--strict", is_flag=True, help="Let warnings that are new fail too.")
@click.option("--no-cache", is_flag=True, hidden=True)
@verb
def review(
    format_: str, out: Path | None, reports: Sequence[tuple[str, Path]], strict: bool, no_cache: bool, **options: Any
) -> int:
    """Compare the schedules of two Git revisions: what changes, what follows from it, and what is wrong.

    Without HEAD the work tree is looked at, and without BASE it is compared with where its branch left the default
    branch. No database is asked, no credentials are needed, and nothing of either revision is run. Exits 1 where HEAD
    has findings of severity error.
    """
    from schedsync.usecases.review import review as compare

    _check(options)
    if no_cache:
        say("warning: `--no-cache` has no effect any more: a review keeps no cache")
    request = Request(
        base=options["base"],
        head=options["head"],
        path=options["path"],
        environment=options["environment"],
        limits=limits_of(options),
        adopt=options["adopt"],
        snapshot=load_snapshot(options["against"]) if options["against"] else None,
        pictures="html" in (format_, *(one for one, _ in reports)),
    )
    found = compare(request, datetime.now(timezone.utc))
    write_reports(RENDERINGS, found, reports)
    write(RENDERINGS[format_](found) if format_ in RENDERINGS else text.review(found, paint(sys.stdout)), out)
    judged = found.new if strict else ()
    return int(has_errors(found.findings) or has_errors(judged, strict=True))


def _check(options: dict[str, Any]) -> None:
    """Raise WrongUsage for a flag that cannot apply."""
    for name in ("adopt", "allow_dual_writer"):
        if options[name] and options["against"] is None:
            flag = f"--{name.replace('_', '-')}"
            raise WrongUsage(f"`{flag}` needs `--against`", hint="the files alone do not tell what others hold")
