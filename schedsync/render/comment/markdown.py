"""A plan, a review, or drift as Markdown for a pull request or a job's summary.

Counts, refusals, alarms and changed safeguards of all environments come first: they are the last to be left out where
not everything fits. What came from outside is data, in code spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from schedsync.core.finding import SEVERITIES, Finding
from schedsync.core.origin import Web
from schedsync.core.refusal import Refusal
from schedsync.core.rollback import RolledBack
from schedsync.planning.accepting import accept_line
from schedsync.planning.notices import NAMES_SHOWN
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.changes.folding import Group, groups, groups_across
from schedsync.render.changes.verdict import (
    alarms_phrase,
    by_severity,
    counts_phrase,
    counts_table,
    environments_phrase,
    notices_by_place,
    refusals_by_environment,
    verdict_text,
)
from schedsync.render.code_spans import LONGEST_CODE, cell, code
from schedsync.render.comment.change_item import View
from schedsync.render.comment.change_list import NAMES_IN_ROW, alarm_blocks, change_blocks, names_rows, quiet_blocks
from schedsync.render.comment.fitted import Block, Row, fitted, lines
from schedsync.render.comment.links import code_link, place_link
from schedsync.render.load.change import load_lines
from schedsync.render.monitors import settled_lines, step_lines
from schedsync.render.removing import removing_lines
from schedsync.render.rolled_back import rolled_back_lines
from schedsync.render.words import (
    DONE,
    counted,
    drift_text,
    edit_text,
    held_text,
    named_text,
    pause_lines,
    review_summary_text,
    scope_text,
    side_text,
    summary_text,
)
from schedsync.review.result import Review
from schedsync.review.shown import ShownFindings, shown_findings


@dataclass(frozen=True, slots=True)
class Extent:
    """How long Markdown may become, how that is measured, and where a reader finds what does not fit.

    A change of more than ``most_names`` schedules that is no alarm names the first of them only.
    """

    limit: int
    where: str
    size: Callable[[str], int] = len
    most_names: int | None = None

    @property
    def approvals_limit(self) -> int:
        """How long the line of approvals may become: it is shown in any case, and must leave room."""
        return self.limit // (2 if self.most_names is None else 16)


#: GitHub refuses a comment of more than 65,536 characters; a marker of who wrote it has to fit too.
COMMENT = Extent(
    65_000,
    "`--format summary` and `--format json` list all of it; on GitHub, the job's summary does so too.",
    most_names=200,
)
#: GitHub drops a summary of more than one MiB.
SUMMARY = Extent(1_000_000, "`--format json` lists all of it.", lambda text: len(text.encode("utf-8", "replace")))


def plan(value: Plan, extent: Extent = COMMENT) -> str:
    """Write a plan as Markdown: the verdict and refusals, then alarms, counts, and the rest."""
    first, rest = notices_by_place(value)
    found = groups(value.changes)
    verdict = _verdict(found, (), value.refusals)
    head = f"### Plan for {code(scope_text(value))}{f': {verdict}' if verdict else ''}"
    view = View(now=value.now, most_names=extent.most_names, where=extent.where)
    blocks = [lines(head, "")]
    blocks += refusal_blocks([(refusal, "") for refusal in value.refusals])
    blocks += [*finding_blocks(first, "**Deploy the workers first:**"), *alarm_blocks(found, view)]
    blocks += [_kept(summary_text(value), ""), *quiet_blocks(found, view), *_states(value)]
    blocks += finding_blocks(rest)
    if value.changes:
        blocks.append(lines(f"checksum {code(value.checksum)}", ""))
    return _written(blocks, extent)


def review(value: Review, extent: Extent = COMMENT) -> str:
    """Write a review as Markdown: what needs a look in any environment first, then the changes, each once."""
    found = groups_across([(each.environment, each.plan) for each in value.environments])
    names = [each.environment for each in value.environments if each.environment]
    now = value.environments[0].plan.now if value.environments else None
    view = View(names, value.web, now, extent.most_names, extent.where)
    findings = shown_findings(value)
    blocks = [lines(_headline(value, found, findings), "", *_approvals(value, extent))]
    blocks += [*refusal_blocks(_all_refusals(value)), *alarm_blocks(found, view)]
    blocks += finding_blocks(findings.safeguards, "**Safeguards**", value.web)
    blocks += [_kept(*_counts(value)), *_load(value), *quiet_blocks(found, view)]
    blocks += _other_findings(findings, value.web)
    return _written(blocks, extent)


def _headline(value: Review, found: Sequence[Group], findings: ShownFindings) -> str:
    verdict = verdict_text(value, found, findings, "**refused**")
    return f"### Schedules: {verdict} · {code(value.base_text)} → {code(side_text(value.head))}"


def _verdict(found: Sequence[Group], names: Sequence[str], refusals: Sequence[Refusal]) -> str:
    """Return what a reader must know at once: that it is refused, and the alarms; without an alarm the counts."""
    phrase = alarms_phrase(found, names) or counts_phrase(found)
    return "; ".join(filter(None, ["**refused**" if refusals else "", phrase]))


def _approvals(value: Review, extent: Extent) -> Iterator[str]:
    needed = [
        f"{', '.join(map(code, by))} ({counted(count, 'change')} of {code(owner)})"
        for owner, by, count in value.approvals_needed()
    ]
    lengths = accumulate(map(extent.size, needed))
    # The first is shown in any case.
    shown = min(len(needed), 1 + sum(length < extent.approvals_limit for length in lengths))
    if needed:
        rest = counted(len(needed) - shown, "more owner")
        more = f"; and {rest}. {extent.where}" if shown < len(needed) else ""
        yield from (f"Needs approval by {'; '.join(needed[:shown])}{more}", "")


def _counts(value: Review) -> Iterator[str]:
    """Yield the counts: a line, or with declared environments a table of them; nothing if no schedules are compared."""
    if not value.environments:
        return
    first = value.environments[0]
    if first.environment is None:
        yield from (review_summary_text(first).replace("no changes", "no schedule changes", 1), "")
    else:
        yield from counts_table(value.environments)


def _load(value: Review) -> Iterator[Block]:
    """Yield what changes of the load, once for all environments in which the same changes."""
    all_names = [each.environment or "" for each in value.environments]
    texts: dict[tuple[str, ...], list[str]] = {}
    for each in value.environments:
        texts.setdefault(tuple(load_lines(each.before, each.after, code)), []).append(each.environment or "")
    for said, names in texts.items():
        if said:
            where = f" in {environments_phrase(names, all_names)}" if len(all_names) > 1 else ""
            yield lines(f"Load{where}: {said[0]}", "", *said[1:], *([""] if said[1:] else []))


def _other_findings(findings: ShownFindings, web: Web | None) -> Iterator[Block]:
    severities = [finding.severity for finding in findings.new]
    yield from finding_blocks(findings.new, f"**{by_severity(severities, 'new finding')}**", web)
    yield from finding_blocks(findings.errors, f"**{counted(len(findings.errors), 'error')} from before**", web)
    if findings.old:
        yield lines(f"`schedsync validate` lists {counted(findings.old, 'older finding')}.", "")


def _kept(*texts: str) -> Block:
    """Return lines that are shown however little room there is."""
    return replace(lines(*texts), is_kept=True)


def _all_refusals(value: Review) -> list[tuple[Refusal, str]]:
    """Return each refusal with the environments in which it holds."""
    found = refusals_by_environment([(each.environment, each.plan) for each in value.environments])
    return [(refusal, ", ".join(map(code, names))) for names, refusals in found.items() for refusal in refusals]


def drift(value: Plan, extent: Extent = COMMENT) -> str:
    """Write drift as Markdown."""
    count = len(value.changes) + len(value.held) + len(value.rolled_back) + len(value.monitors)
    head = lines(f"### Drift in {code(scope_text(value))}", "", drift_text(value) if count else "none", "")
    table: list[Block] = []
    if value.changes:
        rows = [row for group in groups(value.changes) for row in _drifted(group)]
        table.append(Block(rows, ["| schedule | who | what |", "|---|---|---|"], [""]))
    keep = []
    if accept := accept_line(value):
        keep.append(lines(f"To keep it, take it into the files: {code(accept)}", ""))
    return _written([head, *table, *_states(value), *finding_blocks(value.notices), *keep], extent)


def outcome(
    value: Outcome,
    set_name: str,
    environment: str | None,
    extent: Extent = COMMENT,
    rolled_back: Sequence[RolledBack] = (),
) -> str:
    """Write what an apply did as Markdown; ``rolled_back`` is what it left alone."""
    scope = f"set {set_name}" + (f" in {environment}" if environment else "")
    found = groups(value.changes)
    counts = ", ".join(f"{count:,} {DONE[kind]}" for kind, count in value.summary().items() if count)
    verdict = alarms_phrase(found, ()) or counts or "nothing to do"
    blocks = [lines(f"### Applied {code(scope)}: {verdict}", "")]
    if settled := list(settled_lines(value.monitors)):
        blocks.append(Block([Row(f"- {code(line)}") for line in settled], [], [""]))
    if value.unconfirmed:
        names = [Row(f"- {code(name)}") for name in value.unconfirmed]
        blocks.append(Block(names, ["**Committed, but not confirmed:**", ""], [""]))
    if not value.is_loaded:
        behind = ", ".join(map(code, value.behind)) or "(none runs)"
        blocks.append(lines(f"**Committed, but not loaded by Beat** {behind}", ""))
    if value.run:
        blocks.append(lines(f"run {code(str(value.run))}{f': {counts}' if counts else ''}", ""))
    view = View(most_names=extent.most_names, where=extent.where)
    return _written([*blocks, *change_blocks(found, view), *_left_alone(rolled_back)], extent)


def _written(blocks: Sequence[Block], extent: Extent) -> str:
    return fitted(blocks, extent.limit, extent.where, extent.size)


def _drifted(group: Group) -> Iterator[Row]:
    change = group.first
    moved = [(one.field, group.moved(one)) for one in change.fields if one.cause != "files"]
    what = "<br>".join(f"{field} {code(after)} became {code(before)}" for field, (before, after) in moved)
    said = cell(what) if change.row else "the row was deleted"
    yield from names_rows(group, lambda names: f"| {names} | {cell(code(edit_text(change.by)))} | {said} |")


def _states(value: Plan) -> Iterator[Block]:
    if value.full_pause:
        yield lines(f"**Paused:** {code(value.full_pause.text(value.now))}", "")
    if value.held:
        held = [Row(f"- {code(held_text(each))}") for each in value.held]
        yield Block(held, ["**Held by a human, left alone:**", ""], [""])
    if value.paused:
        paused = [Row(f"- {code(line)}") for line in pause_lines(value.paused, value.now)]
        yield Block(paused, ["**Paused:**", ""], [""])
    if value.removing:
        removing = [Row(f"- {code(line)}") for line in removing_lines(value.removing, value.now)]
        yield Block(removing, ["**Removing, to be deleted by a later apply:**", ""], [""])
    if value.monitors:
        steps = [Row(f"- {code(line)}") for line in step_lines(value.monitors)]
        yield Block(steps, ["**Monitors:**", ""], [""])
    yield from _left_alone(value.rolled_back, value.now)


def _left_alone(marks: Sequence[RolledBack], now: datetime | None = None) -> Iterator[Block]:
    if marks:
        kept = [Row(f"- {code(line)}") for line in rolled_back_lines(marks, now)]
        yield Block(kept, ["**Rolled back, left alone until the files change:**", ""], [""])


def refusal_blocks(found: Sequence[tuple[Refusal, str]]) -> Iterator[Block]:
    """Yield refusals, each with the place that it is for, empty for none."""
    if found:
        rows = [
            Row(
                f"- {code(one.message)}{f' in {where}' if where else ''}; hint: {code(one.override, None)}", 1, one.code
            )
            for one, where in found
        ]
        yield Block(rows, ["**Refused:**", ""], [""], "refusal")


def finding_blocks(found: Sequence[Finding], heading: str | None = None, web: Web | None = None) -> Iterator[Block]:
    """Yield findings with links to their places, below a heading."""
    if not found:
        return
    rows = [Row(_finding(one, web), 1, (one.severity, one.code), rank=SEVERITIES.index(one.severity)) for one in found]
    yield Block(rows, [heading, ""] if heading else [], [""], "finding")
    if cut := [one for one in found if len(one.names) > NAMES_SHOWN or len(named_text(one)) > LONGEST_CODE]:
        title = "All names" if all(one.names for one in cut) else "All of what is cut"
        yield Block(list(_whole(cut)), [f"<details><summary>{title}</summary>", ""], ["", "</details>", ""])


def _whole(found: Iterable[Finding]) -> Iterator[Row]:
    """Yield all names of findings; of one that has none apart from its message, the whole message."""
    for one in found:
        if not one.names:
            yield Row(f"- {one.code}: {code(named_text(one), None)}", 0)
        for start in range(0, len(one.names), NAMES_IN_ROW):
            names = one.names[start : start + NAMES_IN_ROW]
            yield Row(f"- {one.code}: {', '.join(map(code, names))}", len(names))


def _finding(finding: Finding, web: Web | None) -> str:
    place = f" · {place_link(finding.location, web)}" if finding.location else ""
    hint = f"; hint: {code(finding.hint, None)}" if finding.hint else ""
    return f"- {code_link(finding.code)} {finding.severity}: {code(named_text(finding))}{hint}{place}"
