"""Findings, plans and outcomes as text for a terminal; readable without colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.core.refusal import Refusal
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.words import (
    DONE,
    FOLD_FROM,
    Group,
    counted,
    drift_text,
    edit_text,
    environments_text,
    finding_text,
    groups,
    held_text,
    moved_text,
    pause_text,
    people_text,
    printable,
    review_summary_text,
    scope_text,
    side_text,
    summary_text,
    time_text,
    value_text,
)
from schedsync.review.result import Review

#: Paints a text in a style; the door decides whether there is colour.
Paint = Callable[[str, str], str]
_SIGNS = {"create": "+", "update": "~", "delete": "-", "rename": ">", "adopt": "<", "release": "x"}
_STYLES = {
    "create": "green", "update": "yellow", "delete": "red", "rename": "cyan", "adopt": "cyan", "release": "cyan",
}  # fmt: skip
#: What the workers do not know yet heads a plan.
_HEADING = "SS219"
_LOUD = frozenset({"fires_at_once", "fires_late", "stops", "never_runs", "may_restore_run", "more_often", "taken_over"})


def plain(text: str, _style: str) -> str:
    """Paint nothing."""
    return text


def findings(found: Iterable[Finding], paint: Paint = plain) -> str:
    """Write findings, a line each and their hints below: ``path:line:col: CODE message``."""
    return "\n".join(line for finding in found for line in _finding(finding, paint))


def _finding(finding: Finding, paint: Paint, mark: str = "") -> Iterator[str]:
    place = f"{_at_line_start(printable(str(finding.location)))}: " if finding.location else ""
    word = "" if finding.severity == "error" else f"{finding.severity}: "
    style = {"error": "red", "warning": "yellow", "info": "blue"}[finding.severity]
    yield f"{place}{paint(finding.code, style)} {word}{finding_text(finding)}{mark}"
    if finding.hint:
        yield f"  hint: {printable(finding.hint)}"


def _at_line_start(path: str) -> str:
    """Return a path as it may begin a line: GitHub's runner takes two colons there for a command."""
    return f"./{path}" if path.lstrip().startswith("::") else path


def plan(value: Plan, paint: Paint = plain, *, verbose: bool = False) -> str:
    """Write what an apply would do, and what refuses it; ``verbose`` lists adoptions that change nothing too."""
    lines = [paint(f"Plan for {printable(scope_text(value))}: {summary_text(value)}", "bold")]
    first = [one for one in value.notices if one.code == _HEADING and one.severity != "info"]
    if first:
        lines += ["", paint("Deploy the workers first:", "yellow"), findings(first, paint)]
    plain_adoptions = [] if verbose else [change for change in value.changes if _only_adopts(change)]
    folded = len(plain_adoptions) if len(plain_adoptions) >= FOLD_FROM else 0
    for group in groups(change for change in value.changes if not (folded and _only_adopts(change))):
        lines += ["", *_change(group, paint)]
    if folded:
        lines += ["", f"{folded:,} to adopt, no field changes (--verbose lists them)"]
    lines += _states(value, paint)
    lines += refusals(value.refusals, paint)
    if rest := [one for one in value.notices if one not in first]:
        lines += ["", findings(rest, paint)]
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


def review(value: Review, paint: Paint = plain) -> str:
    """Write what a change of the files does, environment by environment, and what is wrong."""
    lines = [paint(f"Review: {printable(value.base_text)} → {printable(side_text(value.head))}", "bold")]
    for group in value.groups():
        where = environments_text([one.environment for one in group])
        summary = review_summary_text(group[0])
        lines += ["", paint(f"In {printable(where)}: {summary}" if where else summary, "bold")]
        for change in groups(group[0].plan.changes):
            lines += ["", *_change(change, paint)]
        lines += refusals(group[0].plan.refusals, paint)
    return "\n".join([*lines, *_review_findings(value, paint)])


def _review_findings(value: Review, paint: Paint) -> Iterator[str]:
    shown = [one for one in value.findings if value.shows(one)]
    new = sum(one in value.new for one in shown)
    if shown:
        before = f", {counted(len(shown) - new, 'error')} from before" if len(shown) > new else ""
        yield from ("", paint(f"{counted(new, 'new finding')}{before}:", "bold"))
        for one in shown:
            yield from _finding(one, paint, " (new)" if one in value.new else "")
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
        lines += ["", *_drifted(group, paint)]
    lines += _states(value, paint)
    if value.changes:
        lines += ["", "`schedsync apply` puts back what the files say, but for what is held or paused"]
    return "\n".join(lines)


def _drifted(group: Group, paint: Paint) -> Iterator[str]:
    change = group.first
    title, place = printable(group.title), _place(change)
    yield f"  {paint(_SIGNS[change.kind], _STYLES[change.kind])} {paint(title, 'bold')}  {edit_text(change.by)}{place}"
    if change.row is None:
        yield "      the row was deleted"
        return
    yield from _broken(change)
    for one in change.fields:
        if one.cause != "files" and (change.row.spec is not None or one.field == "name"):
            yield f"      {one.field:<13} {value_text(one.field, one.after)} became {value_text(one.field, one.before)}"


def _change(group: Group, paint: Paint) -> Iterator[str]:
    change = group.first
    sign = paint(_SIGNS[change.kind], _STYLES[change.kind])
    cause = "" if change.cause == "files" else f"  [{change.cause}]"
    yield f"  {sign} {paint(printable(group.title), 'bold')}{cause}{_place(change)}"
    if len(group.names) > 1:
        yield f"      such as {printable(change.name)}"
    yield from _fields(change)
    if people := people_text(change):
        yield f"      {people}"
    for consequence in change.consequences:
        style = "red" if consequence.code in _LOUD else "cyan"
        yield f"      {paint('→', style)} {printable(consequence.message)}"


def _place(change: Change) -> str:
    return f"  {printable(str(change.location))}" if change.location else ""


def _broken(change: Change) -> Iterator[str]:
    if change.row is not None and change.row.spec is None:
        yield from (f"      the row is broken: {printable(problem.message)}" for problem in change.row.problems)


def _fields(change: Change) -> Iterator[str]:
    yield from _broken(change)
    for one in change.fields:
        if one.field == "name":
            continue
        if change.row is None or (change.row.spec is None and change.after is not None):
            yield f"      {one.field:<13} {value_text(one.field, one.after)}"
        elif change.after is None:
            if one.field in ("task", "timing"):
                yield f"      {one.field:<13} {value_text(one.field, one.before)}"
        else:
            moved = " → ".join(moved_text(one))
            cause = "" if one.cause == "files" or change.cause == one.cause else f"  [{one.cause}]"
            yield f"      {one.field:<13} {moved}{cause}"


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


def refusals(found: Sequence[Refusal], paint: Paint = plain) -> Iterator[str]:
    """Write why a plan is refused, and how to go on."""
    if not found:
        return
    yield ""
    yield paint("Refused:", "red")
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
