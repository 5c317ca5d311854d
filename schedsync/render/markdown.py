"""A plan, or drift, as Markdown for a pull request or a job's summary. What came from outside is data: it is quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.core.plan import Plan
from schedsync.render.words import (
    Group,
    edit_text,
    groups,
    held_text,
    pause_text,
    printable,
    scope_text,
    summary_text,
    value_text,
)

_FENCES = re.compile("`+")
#: Deletes and what fires at once stand on top.
_ORDER = {"delete": 0, "adopt": 2, "rename": 3, "update": 4, "create": 5}


def plan(value: Plan) -> str:
    """Write a plan as Markdown: counts first, then what is dangerous, then the rest."""
    lines = [f"### Plan for {code(scope_text(value))}", "", summary_text(value), ""]
    lines += _refusals(value)
    lines += _table(sorted(groups(value.changes), key=_weight))
    lines += _states(value)
    lines += _findings(value.notices)
    if value.changes:
        lines += [f"checksum {code(value.checksum)}", ""]
    return "\n".join(lines).rstrip() + "\n"


def drift(value: Plan) -> str:
    """Write drift as Markdown."""
    count = len(value.changes) + len(value.held)
    lines = [
        f"### Drift in {code(scope_text(value))}",
        "",
        f"{count:,} edited behind Git's back" if count else "none",
        "",
    ]
    if value.changes:
        lines += ["| schedule | who | what |", "|---|---|---|"]
        lines += [_drifted(group) for group in groups(value.changes)] + [""]
    lines += _states(value)
    return "\n".join(lines).rstrip() + "\n"


def code(text: str) -> str:
    """Return text as a code span that nothing in it can end, and that a table's cell can hold."""
    text = printable(text).replace("|", "\\|")
    longest = max((len(run) for run in _FENCES.findall(text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _weight(group: Group) -> int:
    if any(one.code == "fires_at_once" for one in group.first.consequences):
        return 1
    return _ORDER[group.first.kind]


def _table(found: Iterable[Group]) -> Iterator[str]:
    rows = [
        f"| {group.first.kind} | {code(group.title)} | {_what(group.first)} | {_follows(group.first)} |"
        for group in found
    ]
    if rows:
        yield from ("| change | schedule | what | what follows |", "|---|---|---|---|", *rows, "")


def _what(change: Change) -> str:
    said = []
    for one in change.fields:
        if one.field == "name" or (change.after is None and one.field not in ("task", "timing")):
            continue
        before, after = code(value_text(one.field, one.before)), code(value_text(one.field, one.after))
        if change.row is None:
            said.append(f"{one.field} {after}")
        elif change.after is None:
            said.append(f"{one.field} {before}")
        else:
            said.append(f"{one.field} {before} → {after}")
    return "<br>".join(said)


def _follows(change: Change) -> str:
    return "<br>".join(_sentence(one.message) for one in change.consequences)


def _sentence(text: str) -> str:
    """Quote what the message took from outside; it stands in code spans there already, or is a time."""
    return code(text) if re.search(r"[<>@\[\]|*_#!]", text) else text


def _drifted(group: Group) -> str:
    change = group.first
    moved = [one for one in change.fields if one.cause != "files"]
    what = "<br>".join(
        f"{one.field} {code(value_text(one.field, one.after))} became {code(value_text(one.field, one.before))}"
        for one in moved
    )
    return f"| {code(group.title)} | {code(edit_text(change.by))} | {what if change.row else 'the row was deleted'} |"


def _states(value: Plan) -> Iterator[str]:
    if value.held:
        yield from (
            "**Held by a human, left alone:**",
            "",
            *(f"- {code(held_text(held))}" for held in value.held),
            "",
        )
    if value.paused:
        yield from (
            "**Paused:**",
            "",
            *(f"- {code(pause_text(pause, value.now))}" for pause in value.paused),
            "",
        )


def _refusals(value: Plan) -> Iterator[str]:
    if value.refusals:
        lines = (f"- {code(one.message)}; way out: {code(one.override)}" for one in value.refusals)
        yield from ("**Refused:**", "", *lines, "")


def _findings(found: Iterable[Finding]) -> Iterator[str]:
    lines = [f"- {finding.code} {code(f'{finding.location}: {finding.message}')}" for finding in found]
    if lines:
        yield from (*lines, "")
