"""A plan, a review, or drift as Markdown for a pull request or a job's summary.

Counts, refusals, alarms and changed safeguards of all environments come first: they are the last to be left out where
not everything fits. What came from outside is data, in code spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from schedsync.core.finding import Finding
from schedsync.core.refusal import Refusal
from schedsync.planning.notices import NAMES_SHOWN
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.change_tables import (
    NAMES_IN_ROW,
    alarm_blocks,
    change_blocks,
    names_rows,
    quiet_blocks,
)
from schedsync.render.code_spans import code
from schedsync.render.fitted import Block, Row, fitted, lines
from schedsync.render.folding import Group, groups, groups_across, in_order_of_danger
from schedsync.render.words import (
    COUNTED,
    DONE,
    counted,
    drift_text,
    edit_text,
    finding_text,
    held_text,
    pause_text,
    review_summary_text,
    scope_text,
    side_text,
    stops_of,
    summary_text,
)
from schedsync.review.result import Review

_HEADING = "SS219"
#: Findings about what protects a set: a reviewer reads them before the changes.
_SAFEGUARDS = frozenset({"SS168", "SS170", "SS176"})


@dataclass(frozen=True, slots=True)
class Extent:
    """How long Markdown may become, how that is measured, and where a reader finds what does not fit."""

    limit: int
    where: str
    size: Callable[[str], int] = len


#: GitHub refuses a comment of more than 65,536 characters; a marker of who wrote it has to fit too.
COMMENT = Extent(65_000, "The job's summary lists all of it; `--format summary` and `--format json` do so too.")
#: GitHub drops a summary of more than one MiB.
SUMMARY = Extent(1_000_000, "`--format json` lists all of it.", lambda text: len(text.encode("utf-8", "replace")))


def plan(value: Plan, extent: Extent = COMMENT) -> str:
    """Write a plan as Markdown: counts and refusals, then alarms, then the rest."""
    first = [one for one in value.notices if one.code == _HEADING and one.severity != "info"]
    blocks = [lines(f"### Plan for {code(scope_text(value))}", "", summary_text(value), "")]
    blocks += _findings(first, "**Deploy the workers first:**")
    blocks += _refusals([(refusal, "") for refusal in value.refusals])
    blocks += [*change_blocks(groups(value.changes)), *_states(value)]
    blocks += _findings([one for one in value.notices if one not in first])
    if value.changes:
        blocks.append(lines(f"checksum {code(value.checksum)}", ""))
    return _written(blocks, extent)


def review(value: Review, extent: Extent = COMMENT) -> str:
    """Write a review as Markdown: what needs a look in any environment first, then the changes, each once."""
    found = in_order_of_danger(groups_across([(one.environment, one.plan) for one in value.environments]))
    alarming, quiet = [each for each in found if each.alarming], [each for each in found if not each.alarming]
    new = [one for one in value.findings if one in value.new]
    errors = [one for one in value.findings if value.shows(one) and one not in value.new]
    blocks = [lines(f"### Schedules: {code(value.base_text)} → {code(side_text(value.head))}", "", *_counts(value))]
    blocks += [*_refusals(_all_refusals(value)), *alarm_blocks(alarming)]
    blocks += _findings([one for one in new if one.code in _SAFEGUARDS], "**Changed safeguards:**")
    blocks += quiet_blocks(quiet, is_rest=bool(alarming))
    if value.environments and not found and all(one.is_complete for one in value.environments):
        blocks.append(lines("Nothing that runs is changed.", ""))
    others = [one for one in new if one.code not in _SAFEGUARDS]
    blocks += _findings(others, f"**{counted(len(others), 'new finding')}:**")
    blocks += _findings(errors, f"**{counted(len(errors), 'error')} from before:**")
    if old := len(value.findings) - len(new) - len(errors):
        blocks.append(lines(f"{counted(old, 'finding')} from before, which `schedsync validate` lists.", ""))
    return _written(blocks, extent)


def _counts(value: Review) -> Iterator[str]:
    """Yield the counts: a line, or with declared environments a table of them; nothing if no schedules are compared."""
    if not value.environments:
        return
    first = value.environments[0]
    if first.environment is None:
        yield from (review_summary_text(first), "")
        return
    summaries = [one.plan.summary() for one in value.environments]
    kinds = [kind for kind in (*COUNTED, "unchanged", "completed") if any(each[kind] for each in summaries)]
    yield f"| environment | {' | '.join(['stop', *kinds, 'not compared'])} |"
    yield "|---" * (len(kinds) + 3) + "|"
    for one, summary in zip(value.environments, summaries, strict=True):
        counts = [stops_of(one.plan), *(summary[kind] for kind in kinds), one.unknown]
        yield f"| {code(one.environment or '')} | {' | '.join(f'{count:,}' for count in counts)} |"
    yield ""


def _all_refusals(value: Review) -> list[tuple[Refusal, str]]:
    """Return each refusal with the environments in which it holds."""
    found: dict[Refusal, list[str]] = {}
    for one in value.environments:
        for refusal in one.plan.refusals:
            found.setdefault(refusal, []).append(one.environment or "")
    return [(refusal, ", ".join(map(code, filter(None, names)))) for refusal, names in found.items()]


def drift(value: Plan, extent: Extent = COMMENT) -> str:
    """Write drift as Markdown."""
    count = len(value.changes) + len(value.held)
    head = lines(f"### Drift in {code(scope_text(value))}", "", drift_text(value) if count else "none", "")
    table: list[Block] = []
    if value.changes:
        rows = [row for group in groups(value.changes) for row in _drifted(group)]
        table.append(Block(rows, ["| schedule | who | what |", "|---|---|---|"], [""]))
    return _written([head, *table, *_states(value)], extent)


def outcome(value: Outcome, set_name: str, environment: str | None, extent: Extent = COMMENT) -> str:
    """Write what an apply did as Markdown."""
    scope = f"set {set_name}" + (f" in {environment}" if environment else "")
    counts = [f"{count:,} {DONE[kind]}" for kind, count in value.summary().items() if count]
    blocks = [lines(f"### Applied {code(scope)}", "", ", ".join(counts) or "nothing to do", "")]
    if value.unconfirmed:
        names = [Row(f"- {code(name)}") for name in value.unconfirmed]
        blocks.append(Block(names, ["**Committed, but not confirmed:**", ""], [""]))
    if not value.is_loaded:
        behind = ", ".join(map(code, value.behind)) or "(none runs)"
        blocks.append(lines(f"**Committed, but not loaded by Beat** {behind}", ""))
    if value.run:
        blocks.append(lines(f"run {code(str(value.run))}", ""))
    return _written([*blocks, *change_blocks(groups(value.changes))], extent)


def _written(blocks: Sequence[Block], extent: Extent) -> str:
    return fitted(blocks, extent.limit, extent.where, extent.size)


def _drifted(group: Group) -> Iterator[Row]:
    change = group.first
    moved = [(one.field, group.moved(one)) for one in change.fields if one.cause != "files"]
    what = "<br>".join(f"{field} {code(after)} became {code(before)}" for field, (before, after) in moved)
    said = what if change.row else "the row was deleted"
    yield from names_rows(group, lambda names: f"| {names} | {code(edit_text(change.by))} | {said} |")


def _states(value: Plan) -> Iterator[Block]:
    if value.full_pause:
        yield lines(f"**Paused:** {code(value.full_pause.text(value.now))}", "")
    if value.held:
        held = [Row(f"- {code(held_text(each))}") for each in value.held]
        yield Block(held, ["**Held by a human, left alone:**", ""], [""])
    if value.paused:
        paused = [Row(f"- {code(pause_text(pause, value.now))}") for pause in value.paused]
        yield Block(paused, ["**Paused:**", ""], [""])


def _refusals(found: Sequence[tuple[Refusal, str]]) -> Iterator[Block]:
    if found:
        rows = [
            Row(f"- {code(one.message)}{f' in {where}' if where else ''}; way out: {code(one.override)}", 1, one.code)
            for one, where in found
        ]
        yield Block(rows, ["**Refused:**", ""], [""], "refusal")


def _findings(found: Sequence[Finding], heading: str | None = None) -> Iterator[Block]:
    if not found:
        return
    rows = [Row(_finding(one), 1, (one.severity, one.code)) for one in found]
    yield Block(rows, [heading, ""] if heading else [], [""], "finding")
    named = [one for one in found if len(one.names) > NAMES_SHOWN]
    if named:
        yield Block(list(_names_of(named)), ["<details><summary>All names</summary>", ""], ["", "</details>", ""])


def _names_of(found: Iterable[Finding]) -> Iterator[Row]:
    for one in found:
        for start in range(0, len(one.names), NAMES_IN_ROW):
            names = one.names[start : start + NAMES_IN_ROW]
            yield Row(f"- {one.code}: {', '.join(map(code, names))}", len(names))


def _finding(finding: Finding) -> str:
    place = f"{finding.location}: " if finding.location else ""
    hint = f"; {code(finding.hint)}" if finding.hint else ""
    return f"- {finding.code} {finding.severity}: {code(f'{place}{finding_text(finding)}')}{hint}"
