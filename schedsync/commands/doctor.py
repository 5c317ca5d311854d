"""``schedsync doctor``: find what would stop Beat or schedsync."""

from __future__ import annotations

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import (
    DatabaseOptions,
    all_findings_option,
    database_options,
    format_option,
    lock_timeout_option,
    option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.commands.terminal import progress_line
from schedsync.core.finding import has_errors
from schedsync.errors import WrongUsage
from schedsync.planning.converter import finding_document
from schedsync.render.programs import github, json_
from schedsync.render.terminal.findings import findings as findings_text
from schedsync.render.terminal.findings import severities_text


@verb("Find settings, versions and rows that would stop Beat.")
@option("--fix", is_flag=True, help="Repair what is safe: orphaned rows of the set, a missing change row.")
@option("--notify", is_flag=True, help="Check nothing; send a test alarm to each service of SCHEDSYNC_NOTIFY.")
@lock_timeout_option
@database_options
@format_option("json", "github")
@all_findings_option
def doctor(database: DatabaseOptions, fix: bool, notify: bool, lock_timeout: float, format_: str, verbose: bool) -> int:
    """Check the settings, the installed versions, the migrations, the rights, and all rows, not only managed ones.

    Each finding comes with a remedy. Exits 1 if a finding is an error, or with --notify if a service does not get its
    test alarm.
    """
    if fix and notify:
        raise WrongUsage("`--notify` checks and repairs nothing", hint="give either `--fix` or `--notify`")
    using = set_up(database)
    if notify:
        return _try_services(format_)
    from schedsync.usecases.doctor import examine

    with progress_line() as progress:
        progress("checking")
        diagnosis = examine(using, fix=fix, lock_timeout=lock_timeout)
    findings = diagnosis.findings
    if format_ == "json":
        documents = [finding_document(finding) for finding in findings]
        click.echo(json_.dump({"version": 1, "findings": documents, "fixed": list(diagnosis.fixed)}))
        return int(has_errors(findings))
    for repair in diagnosis.fixed:
        click.echo(f"fixed: {repair}")
    if findings and format_ == "github":
        click.echo(github.findings(findings))
    else:
        show(lambda paint: findings_text(findings, paint, verbose=verbose))
    say(severities_text(findings) if findings else "all is well")
    return int(has_errors(findings))


def _try_services(format_: str) -> int:
    """Send a test alarm to each service, and say of each whether it has arrived; the URLs are secrets."""
    from schedsync.usecases.alarms import services_tried

    with progress_line() as progress:
        progress("sending a test alarm")
        tried = services_tried()
    arrived = sum(not problem for _, problem in tried)
    if format_ == "json":
        services = [
            {"service": name, "arrived": not problem, "problem": problem or None} for name, problem in tried
        ]  # fmt: skip
        click.echo(json_.dump({"version": 1, "services": services}))
    else:
        for name, problem in tried:
            click.echo(f"{name} {problem or 'arrived'}")
        say(f"{arrived:,} of {len(tried):,} test alarms arrived")
    return int(arrived < len(tried))
