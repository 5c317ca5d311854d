"""Findings, plans and outcomes as text for a terminal; readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from schedsync.core.change import Change
from schedsync.core.names import first_names
from schedsync.core.refusal import Refusal
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.change_lines import change_lines, drift_lines
from schedsync.render.findings import findings
from schedsync.render.folding import FOLD_FROM, groups, groups_across, in_order_of_danger
from schedsync.render.paint import Paint, plain
from schedsync.render.words import (
    DONE,
    counted,
    drift_text,
    environments_text,
    held_text,
    pause_text,
    printable,
    review_summary_text,
    scope_text,
    side_text,
    summary_text,
    time_text,
)
from schedsync.review.result import Review

#: What the workers do not know yet heads a plan.
_HEADING = "SS219"


def plan(value: Plan, paint: Paint = plain, *, verbose: bool = False) -> str:
    """Write what an apply would do, and what refuses it; ``verbose`` lists adoptions that change nothing too."""
    lines = [paint(f"Plan for {printable(scope_text(value))}: {summary_text(value)}", "bold")]
    first = [one for one in value.notices if one.code == _HEADING and one.severity != "info"]
    if first:
        lines += ["", paint("Deploy the workers first:", "yellow"), findings(first, paint)]
    plain_adoptions = [] if verbose else [change for change in value.changes if _only_adopts(change)]
    folded = len(plain_adoptions) if len(plain_adoptions) >= FOLD_FROM else 0
    shown = groups(change for change in value.changes if not (folded and _only_adopts(change)))
    for group in in_order_of_danger(shown):
        lines += ["", *change_lines(group, paint, verbose=verbose)]
    if folded:
        lines += ["", f"{folded:,} to adopt, no field changes (--verbose lists them)"]
    lines += _states(value, paint)
    lines += refusals(value.refusals, paint)
    if rest := [one for one in value.notices if one not in first]:
        lines += ["", findings(rest, paint, verbose=verbose)]
    if value.changes:
        lines += ["", f"checksum {value.checksum}"]
    return "\n".join(lines)


def _only_adopts(change: Change) -> bool:
    """Say whether a change takes a row over as it is, and from nobody."""
    return change.kind == "adopt" and not change.fields and not change.consequences


def unmanaged(value: Plan) -> str:
    """Write how many rows nobody manages, and how to get them; empty where there are none."""
    count = value.unmanaged
    if not count:
        return ""
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    return f"{rows} managed by nobody (`schedsync import database` writes them as YAML)"


def review(value: Review, paint: Paint = plain, *, verbose: bool = False) -> str:
    """Write what a change of the files does, once for all environments that agree, and what is wrong.

    ``verbose`` lists all names.
    """
    lines = [paint(f"Review: {printable(value.base_text)} → {printable(side_text(value.head))}", "bold"), ""]
    lines += [paint(line, "bold") for line in _summaries(value)]
    for where, refused in _refusals_by_environment(value).items():
        lines += refusals(refused, paint, where)
    names = [one.environment for one in value.environments if one.environment]
    found = groups_across([(one.environment, one.plan) for one in value.environments])
    for group in in_order_of_danger(found):
        lines += ["", *change_lines(group, paint, names, verbose=verbose)]
    return "\n".join([*lines, *_review_findings(value, paint, verbose=verbose)])


def _summaries(value: Review) -> Iterator[str]:
    """Yield the counts, once for all environments with the same."""
    same: dict[str, list[str | None]] = {}
    for one in value.environments:
        same.setdefault(review_summary_text(one), []).append(one.environment)
    for summary, names in same.items():
        where = environments_text(names)
        yield f"In {printable(where)}: {summary}" if where else summary


def _refusals_by_environment(value: Review) -> Mapping[str, Sequence[Refusal]]:
    """Return the refusals by the environments in which they hold."""
    found: dict[Refusal, list[str | None]] = {}
    for one in value.environments:
        for refusal in one.plan.refusals:
            found.setdefault(refusal, []).append(one.environment)
    by_environment: dict[str, list[Refusal]] = {}
    for refusal, names in found.items():
        by_environment.setdefault(environments_text(names), []).append(refusal)
    return by_environment


def _review_findings(value: Review, paint: Paint, *, verbose: bool) -> Iterator[str]:
    shown = [one for one in value.findings if value.shows(one)]
    new = sum(one in value.new for one in shown)
    if shown:
        before = f", {counted(len(shown) - new, 'error')} from before" if len(shown) > new else ""
        yield from ("", paint(f"{counted(new, 'new finding')}{before}:", "bold"))
        yield findings(shown, paint, verbose=verbose, mark=lambda each: " (new)" if each in value.new else "")
    if rest := len(value.findings) - len(shown):
        yield from (
            "",
            f"{counted(rest, 'warning or info', 'warnings and infos')} from before: see `schedsync validate`",
        )


def drift(value: Plan, paint: Paint = plain) -> str:
    """Write what somebody else did to the tables."""
    count = len(value.changes) + len(value.held)
    if not count:
        return "\n".join([f"No drift in {printable(scope_text(value))}", *_states(value, paint)])
    lines = [paint(f"Drift in {printable(scope_text(value))}: {drift_text(value)}", "bold")]
    for group in groups(value.changes):
        lines += ["", *drift_lines(group, paint)]
    lines += _states(value, paint)
    if value.changes:
        lines += ["", "`schedsync apply` puts back what the files say, but for what is held or paused"]
    return "\n".join(lines)


def _states(value: Plan, paint: Paint) -> Iterator[str]:
    if value.full_pause:
        yield ""
        yield paint(printable(value.full_pause.text(value.now)), "yellow")
    if value.held:
        yield ""
        yield paint("Held by a human, left alone; `schedsync resume NAME` releases:", "yellow")
        yield from (f"  ! {held_text(held)}" for held in value.held)
    if value.paused:
        yield ""
        yield paint("Paused:", "yellow")
        yield from (f"  ! {pause_text(pause, value.now)}" for pause in value.paused)


def refusals(found: Sequence[Refusal], paint: Paint = plain, where: str = "") -> Iterator[str]:
    """Write why a plan is refused, in which environments, and how to go on."""
    if not found:
        return
    yield ""
    yield paint(f"Refused in {printable(where)}:" if where else "Refused:", "red")
    for refusal in found:
        yield f"  x {refusal.code}: {printable(refusal.message)}"
        yield f"    way out: {printable(refusal.override)}"


def outcome(value: Outcome, paint: Paint = plain) -> str:
    """Write what an apply did."""
    loaded = [f"loaded by {_some(value.loaded)}"] if value.loaded else []
    if not value.changes:
        done = "No row changed, the ledger was brought in step" if value.run else "Nothing to do, nothing was written"
        return "\n".join([done, *loaded])
    counts = value.summary()
    done = ", ".join(f"{counts[kind]:,} {word}" for kind, word in DONE.items() if counts[kind])
    lines = [paint(f"Applied: {done}", "green"), f"run {value.run}"]
    if value.repaired:
        lines.append(f"written back by somebody else and applied again: {_some(value.repaired)}")
    if value.loaded and value.is_loaded and not value.unconfirmed:
        return "\n".join([*lines, f"confirmed: {loaded[0]}"])
    if not value.unconfirmed:
        lines.append("read back" + (f" after {value.settled:g} s" if value.settled else ""))
    return "\n".join(lines + loaded)


def _some(names: Sequence[str]) -> str:
    return printable(first_names(names, 5))


def paused(name: str, until: datetime | None) -> str:
    """Say that a schedule is paused, and what ends it."""
    if until is None:
        return f"Paused {printable(name)} until `schedsync resume`"
    return (
        f"Paused {printable(name)} until {time_text(until)}; schedsync's own Beat ends it then. "
        "Stock Beat cannot: the next apply after that lets it run again"
    )
