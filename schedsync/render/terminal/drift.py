"""What somebody changed behind Git's back, as text for a terminal: each value in Git and now, who, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.planning.accepting import accept_line
from schedsync.planning.plan import Plan
from schedsync.render.changes.cells import places_text
from schedsync.render.changes.folding import Group, groups
from schedsync.render.terminal.change_lines import SIGNS, in_lines
from schedsync.render.terminal.change_rows import timing_values
from schedsync.render.terminal.findings import findings
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.terminal.plan_sections import states
from schedsync.render.words import drift_text, edit_text, printable, scope_text

#: In characters. A longer value does not move the column of the others.
_WIDEST = 40
_PLACES = 3


def drift(value: Plan, paint: Paint = plain, path: str | None = None) -> str:
    """Write what somebody else did to the tables; ``path`` is the one that was given, for the next command."""
    if not (value.changes or value.held or value.rolled_back or value.monitors):
        nothing = [f"No drift in {printable(scope_text(value))}", *states(value, paint)]
        return "\n".join([*nothing, *_notices(value, paint)])
    lines = [paint(f"Drift in {printable(scope_text(value))}: {drift_text(value)}", "bold")]
    if value.changes:
        lines.append("")
    for group in groups(value.changes):
        lines += _lines(group, value, paint)
    lines += [*states(value, paint), *_notices(value, paint)]
    undo = "`schedsync apply` puts back what Git says; " if value.changes else ""
    if accept := accept_line(value, path):
        lines += ["", f"hint: {undo}to keep it, take it into the files: `{printable(accept)}`"]
    elif undo:
        lines += ["", f"hint: {undo.removesuffix('; ')}"]
    return "\n".join(lines)


def _notices(value: Plan, paint: Paint) -> Iterator[str]:
    if value.notices:
        yield ""
        yield findings(value.notices, paint)


def _lines(group: Group, value: Plan, paint: Paint) -> Iterator[str]:
    change = group.first
    places = places_text(group.members, _PLACES)
    place = paint(f"   {places}", "dim") if places else ""
    sign, done = ("-", "the row was deleted") if change.row is None else (SIGNS[change.kind], "edited")
    yield f"{paint(sign, 'yellow')} {printable(group.title)}  {done} {edit_text(change.by, value.now)}{place}"
    if len(group.members) > 1:
        yield from in_lines(group.names, "    ")
    if change.row is None:
        return
    yield from (
        f"    the row is broken: {printable(problem.message)}" for problem in change.row.problems if not change.row.spec
    )
    rows = []
    for field in change.fields:
        if field.cause != "files" and (change.row.spec is not None or field.field == "name"):
            before, after = timing_values(group, field) if field.field == "timing" else group.moved(field)
            rows.append((field.field, f"Git: {after}", f"now: {before}"))
    label, git = (max((len(row[number]) for row in rows), default=0) for number in (0, 1))
    for field_name, in_git, now in rows:
        yield f"    {field_name:<{label}}   {in_git:<{min(git, _WIDEST)}}   {now}"
