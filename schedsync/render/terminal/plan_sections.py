"""The parts of a plan or a review in a terminal: how much there is, what is refused, and the changes by danger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from schedsync.core.refusal import Refusal
from schedsync.planning.plan import Plan
from schedsync.render.changes.alarms import ALARMS, DELETED, alarm_of, headline
from schedsync.render.changes.folding import Group, in_order_of_danger
from schedsync.render.monitors import step_lines
from schedsync.render.removing import removing_lines
from schedsync.render.rolled_back import names_text, rolled_back_lines
from schedsync.render.terminal.change_lines import SIGNS, STYLES, View, change_lines
from schedsync.render.terminal.columns import width_of
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import COUNTED, held_text, pause_lines, printable

#: In characters. Alarms and counts that are longer together are two lines.
_LINE = 100
#: What colours a text, and takes no column.
_STYLE = re.compile(r"\x1b\[[0-9;]*m")

#: An x before a number would read as a factor.
_SIGNS = {**SIGNS, "release": "x "}
_WORDS = {"release": "no longer managed"}


def alarms_text(found: Iterable[Group], drifted: int, paint: Paint) -> str:
    """Write how many schedules raise each alarm: ``2 stop · 1 runs far more often · 1 drifted``; empty if none does."""
    parts = [part for part in headline(found).split(", ") if part]
    painted = [paint(part, "yellow" if part.endswith("often") else "red") for part in parts]
    return " · ".join([*painted, *([paint(f"{drifted:,} drifted", "yellow")] if drifted else [])])


def counts_text(value: Plan, paint: Paint, nothing: str = "no changes") -> str:
    """Write the counts of a plan, each with the sign of its changes, and what does not change."""
    counts = value.summary()
    kinds = [kind for kind in COUNTED if counts[kind]]
    signed = [(f"{_SIGNS[kind]}{counts[kind]:,} {_WORDS.get(kind, kind)}", STYLES.get(kind)) for kind in kinds]
    parts = [paint(text, style) if style else text for text, style in signed] or [nothing]
    quiet = [f"{counts[state]:,} {state}" for state in ("unchanged", "held", "completed") if counts[state]]
    if value.paused:
        quiet.append(f"{len(value.paused):,} paused")
    if value.removing:
        quiet.append(f"{len(value.removing):,} removing")
    if value.rolled_back:
        quiet.append(f"{len(value.rolled_back):,} rolled back")
    return "  ".join([*parts, *([paint(", ".join(quiet), "dim")] if quiet else [])])


def together(alarms: str, counts: str) -> list[str]:
    """Return alarms and counts as one line where there is room, else as two."""
    if not alarms:
        return [counts]
    return [f"{alarms}    {counts}"] if _width(alarms) + _width(counts) + 4 <= _LINE else [alarms, counts]


def _width(text: str) -> int:
    return width_of(_STYLE.sub("", text))


def sections(found: Sequence[Group], view: View) -> Iterator[str]:
    """Yield the changes: a section for each kind of alarm, the most dangerous first, then the rest."""
    by_alarm: dict[str, list[Group]] = {}
    for group in in_order_of_danger(found):
        alarm = alarm_of(group)
        by_alarm.setdefault(alarm.title if alarm else "Changes", []).append(group)
    has_alarms = by_alarm.keys() - {"Changes"}
    for title in (*(alarm.title for alarm in ALARMS), DELETED.title, "Changes"):
        groups = by_alarm.get(title, [])
        if groups:
            yield ""
        if groups and (has_alarms or title != "Changes"):
            yield view.paint(title.upper(), "bold")
        for group in groups:
            yield from change_lines(group, view)


def refusals(
    found: Sequence[Refusal], paint: Paint = plain, where: str = "", effect: str = "nothing was written"
) -> Iterator[str]:
    """Yield why a plan is refused, in which environments, and how to go on; ``effect`` says what that means."""
    if not found:
        return
    yield f"{paint('REFUSED', 'red')}{f' in {printable(where)}' if where else ''}  {effect}"
    for refusal in found:
        yield f"  {printable(refusal.message)}  {paint(refusal.code, 'dim')}"
        yield f"  {paint('hint:', 'cyan')} {printable(refusal.override)}"


def states(value: Plan, paint: Paint) -> Iterator[str]:
    """Yield what a human has stopped or rolled back, and what is being removed."""
    if value.full_pause:
        yield ""
        yield paint(printable(value.full_pause.text(value.now)), "yellow")
    if value.held:
        yield ""
        yield f"{paint('HELD', 'bold')}  disabled by a human, left alone; `schedsync resume NAME` releases"
        yield from (f"{paint('!', 'yellow')} {held_text(held, value.now)}" for held in value.held)
    if value.paused:
        yield ""
        yield f"{paint('PAUSED', 'bold')}  `schedsync resume NAME` ends it, `schedsync list --state paused` lists all"
        yield from (f"{paint('!', 'yellow')} {line}" for line in pause_lines(value.paused, value.now))
    if value.removing:
        yield ""
        yield f"{paint('REMOVING', 'bold')}  disabled, to be deleted by a later apply; to keep one, define it again"
        yield from (f"{paint('!', 'yellow')} {line}" for line in removing_lines(value.removing, value.now))
    if value.monitors:
        yield ""
        yield f"{paint('MONITORS', 'bold')}  at the services that watch; an apply does this after its commit"
        yield from (f"{paint('!', 'yellow')} {printable(line)}" for line in step_lines(value.monitors))
    if value.rolled_back:
        yield ""
        yield f"{paint('ROLLED BACK', 'bold')}  left alone until its files change; `schedsync rollback --end` ends it"
        yield from (f"{paint('!', 'yellow')} {line}" for line in rolled_back_lines(value.rolled_back, value.now))
    if value.marks.over and not value.marks.new:
        yield ""
        why = "" if value.is_rollback else ", the files have changed"
        yield f"Rolled back no longer{why}: {names_text(value.marks.over)}"
