"""``schedsync review``: show what a change of the files does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import click

from schedsync.commands.all_sets import Output, Together, for_each_set
from schedsync.commands.documents import load_snapshot
from schedsync.commands.help import WHERE
from schedsync.commands.options import (
    FileOptions,
    LiftedRules,
    environment_option,
    format_option,
    gather,
    lifting_options,
    option,
    out_option,
    report_option,
    snapshot_option,
    verb,
    verbose_option,
)
from schedsync.commands.output import say, show, write, write_reports
from schedsync.commands.terminal import progress_line
from schedsync.core.finding import Finding, has_errors
from schedsync.core.published import Place
from schedsync.errors import WrongUsage
from schedsync.render.comment import markdown
from schedsync.render.page import review as html
from schedsync.render.programs import github, gitlab, json_, junit, sarif
from schedsync.render.terminal import text
from schedsync.review.result import Request, Review


def _shown(review: Review) -> list[Finding]:
    return [finding for finding in review.findings if review.shows(finding)]


RENDERINGS: Mapping[str, Callable[[Review], str]] = {
    "json": json_.review,
    "markdown": markdown.review,
    "summary": lambda review: markdown.review(review, markdown.SUMMARY),
    "github": lambda review: github.findings(_shown(review)),
    "sarif": lambda review: sarif.findings(review.findings),
    "gitlab": lambda review: gitlab.findings(review.findings),
    "junit": lambda review: junit.findings(_shown(review), "review"),
    "html": html.review,
}
#: They compare the load before and after the change.
_WITH_LOAD = frozenset({"html", "markdown", "summary"})
_TOGETHER: Mapping[str, Together[Review]] = {
    "github": Together(_shown, github.findings),
    "sarif": Together(lambda review: review.findings, sarif.findings),
    "gitlab": Together(lambda review: review.findings, gitlab.findings),
    "junit": Together(_shown, lambda findings: junit.findings(findings, "review")),
}


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """One call of ``review``: two revisions, the files, the snapshot, and where the result goes."""

    base: str | None
    head: str | None
    files: FileOptions
    against: Place | None
    lifted: LiftedRules
    format_: str
    out: Path | None
    reports: tuple[tuple[str, Path], ...]
    verbose: bool
    strict: bool
    no_cache: bool

    def request(self) -> Request:
        """Return what the use case compares."""
        return Request(
            base=self.base,
            head=self.head,
            path=self.files.path,
            environment=self.files.environment,
            limits=self.lifted.limits,
            adopt=self.lifted.adoption,
            snapshot=load_snapshot(self.against) if self.against else None,
            pictures=not _WITH_LOAD.isdisjoint((self.format_, *(format_ for format_, _ in self.reports))),
        )


@verb("Show what a change of the files does; needs only Git.")
@gather(
    "files",
    FileOptions,
    option(
        "--path",
        heading=WHERE,
        metavar="PATH",
        help="The directory of the schedules, or one file; by default as configured.",
    ),
    environment_option,
    option(
        "--all",
        "all_sets",
        heading=WHERE,
        is_flag=True,
        help="Do this for each set of the repository, or below --path, that has a schedsync.toml.",
    ),
    without=("directory",),
)
@lifting_options("allow_older", "allow_dirty", "allow_freeze")
@gather(
    "options",
    ReviewOptions,
    click.argument("base", required=False),
    click.argument("head", required=False),
    snapshot_option,
    format_option(*RENDERINGS),
    out_option,
    report_option(RENDERINGS),
    verbose_option,
    option("--strict", is_flag=True, help="Exit 1 also if there are new warnings."),
    option("--no-cache", is_flag=True, hidden=True),
)
def review(options: ReviewOptions) -> int:
    """Compare the schedules of two Git revisions: the changes, their consequences, and the mistakes.

    Without HEAD the work tree is compared. Without BASE the comparison starts where the branch left the default
    branch. This needs no database and no credentials, and runs nothing of either revision. Exits 1 if HEAD has findings
    of severity error. With --all each set of both revisions is compared.
    """
    from schedsync.usecases.review import review as compare

    _check(options)
    if options.no_cache:
        say("warning: `--no-cache` has no effect any more: a review keeps no cache")
    request = options.request()
    if options.files.all_sets:
        return _review_all(options, request)
    with progress_line() as progress:
        result = compare(request, datetime.now(timezone.utc), progress)
    write_reports(RENDERINGS, result, options.reports)
    format_ = options.format_
    if format_ in RENDERINGS:
        write(RENDERINGS[format_](result), options.out)
    else:
        show(lambda paint: text.review(result, paint, verbose=options.verbose), options.out)
    return _code(result, strict=options.strict)


def _code(result: Review, *, strict: bool) -> int:
    new = result.new if strict else ()
    return int(has_errors(result.findings) or has_errors(new, strict=True))


def _review_all(options: ReviewOptions, request: Request) -> int:
    """Review each set of both sides."""
    from schedsync.usecases.review_all import reviews

    code = partial(_code, strict=options.strict)
    shown = partial(text.review, verbose=options.verbose)
    output = Output(json_.review, shown, code, markdown.review, _TOGETHER)
    turns = reviews(request, datetime.now(timezone.utc))
    return for_each_set(turns, output, options.format_, options.out, options.reports)


def _check(options: ReviewOptions) -> None:
    """Raise WrongUsage for a flag that cannot have an effect."""
    lifted = options.lifted
    if options.files.all_sets and options.against is not None:
        raise WrongUsage("a snapshot is of one set", hint="give the directory of one set as `--path`")
    needing = {
        "--adopt": lifted.adopt,
        "--adopt-all": lifted.adopt_all,
        "--adopt-from": lifted.adopt_from,
        "--allow-dual-writer": lifted.allow_dual_writer,
    }
    for flag, value in needing.items():
        if value and options.against is None:
            hint = "only a snapshot knows the rows that the set does not manage"
            raise WrongUsage(f"`{flag}` needs `--against`", hint=hint)
