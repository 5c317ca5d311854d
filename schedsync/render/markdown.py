"""A plan, a review, or drift as Markdown for a pull request or a job's summary.

What came from outside is data: it stands in code spans that nothing in it can end, in which GitHub links nothing and
mentions nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from schedsync.core.change import Change, Consequence
from schedsync.core.finding import Finding
from schedsync.core.refusal import Refusal
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan
from schedsync.render.words import (
    DONE,
    Group,
    counted,
    drift_text,
    edit_text,
    groups,
    held_text,
    moved_text,
    pause_text,
    review_summary_text,
    scope_text,
    side_text,
    summary_text,
    value_text,
)
from schedsync.review.result import EnvironmentReview, Review

#: GitHub refuses a comment of more than 65,536 characters; a marker of who wrote it has to fit too.
LONGEST = 65_000
_LONGEST_CODE = 300
_FENCES = re.compile("`+")
#: cmark opens no code span with a longer fence than 80.
_LONG_FENCE = re.compile("`{40,}")
#: They look like nothing, and are no control characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
#: Deletes and what fires at once stand on top.
_ORDER = {"delete": 0, "release": 1, "adopt": 2, "rename": 3, "update": 4, "create": 5}
_ALARMING = frozenset({"fires_at_once", "fires_late", "stops", "never_runs", "more_often", "taken_over"})
#: Consequences whose message holds text from outside.
_QUOTED = frozenset({"pause_ends", "taken_over"})
_HARMLESS = re.compile(r"[A-Za-z0-9_ ,;:.()/+`%→-]*\Z")
_HEADING = "SS219"


def plan(value: Plan) -> str:
    """Write a plan as Markdown: counts first, then what is dangerous, then the rest."""
    first = [one for one in value.notices if one.code == _HEADING and one.severity != "info"]
    head = [f"### Plan for {code(scope_text(value))}", "", summary_text(value), ""]
    head += _warnings(first)
    tail = [*_states(value), *_findings([one for one in value.notices if one not in first])]
    if value.changes:
        tail += [f"checksum {code(value.checksum)}", ""]
    return _fitted([*head, *_refusals(value.refusals)], _changes(value.changes), tail)


def review(value: Review) -> str:
    """Write a review as Markdown: for each group of environments what happens, then what is wrong."""
    head = [f"### Schedules: {code(value.base_text)} → {code(side_text(value.head))}", ""]
    parts: list[str] = []
    for group in value.groups():
        parts += _environment(group)
    if not any(one.plan.changes or one.not_compared for one in value.environments):
        parts += ["Nothing that runs is changed.", ""]
    new = [one for one in value.findings if one in value.new]
    old = len(value.findings) - len(new)
    tail = list(_new_findings(new))
    if old:
        tail += [f"{counted(old, 'finding')} from before, which `schedsync validate` lists.", ""]
    return _fitted(head, parts, tail)


def _environment(group: Sequence[EnvironmentReview]) -> Iterator[str]:
    names = [one.environment for one in group if one.environment]
    where = f"**{', '.join(map(code, names))}:** " if names else ""
    yield from (f"{where}{review_summary_text(group[0])}", "")
    yield from _refusals(group[0].plan.refusals)
    yield from _changes(group[0].plan.changes)


def _new_findings(found: Sequence[Finding]) -> Iterator[str]:
    if found:
        yield from (f"**{counted(len(found), 'new finding')}:**", "")
        yield from _findings(found)


def drift(value: Plan) -> str:
    """Write drift as Markdown."""
    count = len(value.changes) + len(value.held)
    head = [
        f"### Drift in {code(scope_text(value))}",
        "",
        drift_text(value) if count else "none",
        "",
    ]
    table: list[str] = []
    if value.changes:
        table += ["| schedule | who | what |", "|---|---|---|"]
        table += [_drifted(group) for group in groups(value.changes)] + [""]
    return _fitted(head, table, [*_states(value)])


def outcome(value: Outcome, set_name: str, environment: str | None) -> str:
    """Write what an apply did as Markdown."""
    scope = f"set {set_name}" + (f" in {environment}" if environment else "")
    counts = [f"{count:,} {DONE[kind]}" for kind, count in value.summary().items() if count]
    head = [f"### Applied {code(scope)}", "", ", ".join(counts) or "nothing to do", ""]
    if value.unconfirmed:
        head += ["**Committed, but not confirmed:**", "", *(f"- {code(name)}" for name in value.unconfirmed), ""]
    if not value.is_loaded:
        head += [f"**Committed, but not loaded by Beat** {', '.join(map(code, value.behind)) or '(none runs)'}", ""]
    return _fitted(head, _changes(value.changes), [f"run {code(str(value.run))}"] if value.run else [])


def _fitted(head: Iterable[str], body: Iterable[str], tail: Iterable[str]) -> str:
    """Put the parts together; where they are too long for GitHub, rows of the longest are left out, and it is said."""
    start, middle, end = list(head), list(body), list(tail)
    text = "\n".join([*start, *middle, *end]).rstrip() + "\n"
    if len(text) <= LONGEST:
        return text
    pointer = "… and more than fits here: the job's summary, `--format json` and `--format html` hold all of it."
    kept = _within([*start, *middle], LONGEST * 2 // 3)
    return "\n".join([*kept, "", pointer, "", *_within(end, LONGEST // 4)]).rstrip() + "\n"


def _within(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    open_details = 0
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        open_details += line.startswith("<details>") - line.startswith("</details>")
        kept.append(line)
    return kept + ["", "</details>"] * open_details


def code(text: str) -> str:
    """Return text as a code span that nothing in it can end, and that a table's cell can hold."""
    shown = _shown(text)
    if not shown:
        return "_(empty)_"
    longest = max((len(run) for run in _FENCES.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in (shown[0], shown[-1]) or shown[0] == shown[-1] == " " else ""
    # A table ends a cell at a bar, in code too, unless a single backslash stands before it.
    return f"{fence}{pad}{shown.replace('|', chr(92) + '|')}{pad}{fence}"


def _shown(text: str) -> str:
    cut = text if len(text) <= _LONGEST_CODE else f"{text[: _LONGEST_CODE - 1]}…"
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(_visible(one) for one in cut)
    cut = _LONG_FENCE.sub(lambda match: f"\\u0060 × {len(match[0])} ", cut)
    return cut.replace("\\|", "\\u005c|")


def _visible(character: str) -> str:
    hidden = unicodedata.category(character)[0] in "CZ" and character != " "
    if not hidden and character not in _BLANK and not "\ufe00" <= character <= "\ufe0f":
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    """Yield tables of changes: what is dangerous in the open, the rest folded."""
    found = sorted(groups(changes), key=_weight)
    alarming = [group for group in found if _is_alarming(group)]
    quiet = [group for group in found if not _is_alarming(group)]
    yield from _table(alarming)
    if quiet:
        count = sum(len(group.names) for group in quiet)
        yield from (f"<details><summary>{counted(count, 'other change' if alarming else 'change')}</summary>", "")
        yield from (*_table(quiet), "</details>", "")


def _is_alarming(group: Group) -> bool:
    return group.first.kind == "delete" or any(one.code in _ALARMING for one in group.first.consequences)


def _weight(group: Group) -> int:
    if any(one.code in _ALARMING for one in group.first.consequences) and group.first.kind != "delete":
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
        before, after = map(code, moved_text(one))
        if change.row is None:
            said.append(f"{one.field} {after}")
        elif change.after is None:
            said.append(f"{one.field} {before}")
        else:
            said.append(f"{one.field} {before} → {after}")
    return "<br>".join(said)


def _follows(change: Change) -> str:
    return "<br>".join(_sentence(one) for one in change.consequences)


def _sentence(consequence: Consequence) -> str:
    """Quote a message that holds text from outside, or anything that Markdown could make something of."""
    text = consequence.message
    harmless = _HARMLESS.match(text) and "www." not in text and "://" not in text
    return text if harmless and consequence.code not in _QUOTED else code(text)


def _drifted(group: Group) -> str:
    change = group.first
    moved = [one for one in change.fields if one.cause != "files"]
    what = "<br>".join(
        f"{one.field} {code(value_text(one.field, one.after))} became {code(value_text(one.field, one.before))}"
        for one in moved
    )
    return f"| {code(group.title)} | {code(edit_text(change.by))} | {what if change.row else 'the row was deleted'} |"


def _states(value: Plan) -> Iterator[str]:
    if value.full_pause:
        yield from (f"**Paused:** {code(value.full_pause.text(value.now))}", "")
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


def _refusals(found: Sequence[Refusal]) -> Iterator[str]:
    if found:
        lines = (f"- {code(one.message)}; way out: {code(one.override)}" for one in found)
        yield from ("**Refused:**", "", *lines, "")


def _warnings(found: Sequence[Finding]) -> Iterator[str]:
    if found:
        yield from ("**Deploy the workers first:**", "", *_findings(found))


def _findings(found: Iterable[Finding]) -> Iterator[str]:
    lines = [_finding(one) for one in found]
    if lines:
        yield from (*lines, "")


def _finding(finding: Finding) -> str:
    place = f"{finding.location}: " if finding.location else ""
    hint = f"; {code(finding.hint)}" if finding.hint else ""
    return f"- {finding.code} {finding.severity}: {code(f'{place}{finding.message}')}{hint}"
