"""What ``pause`` and ``resume`` did, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from schedsync.core.names import first_names
from schedsync.core.observed import Paused
from schedsync.core.pausing import Pauses, Resumed
from schedsync.core.selector import selector_document, selector_text
from schedsync.core.standing import Standing
from schedsync.core.status import Listed, Stopped
from schedsync.core.watch import Settled
from schedsync.planning.converter import pause_document
from schedsync.planning.standing import standing_document
from schedsync.render.monitors import settled_document, settled_lines
from schedsync.render.programs.json_ import dump
from schedsync.render.terminal.columns import at_line_start
from schedsync.render.words import counted, pause_lines, printable, time_text

#: How many names a text lists; `--format json` has all of them.
_NAMED = 10
#: Up to this number of equal pauses have a line each.
_FEW = 3


def paused_text(value: Pauses) -> str:
    """Say which schedules are paused, and what ends it."""
    first, several = _first(value), len(value.pauses) != 1
    name = printable(value.pauses[0].name) if value.pauses else ""
    subject = f"{counted(len(value.pauses), 'schedule')} ({_selector(value)})" if several else name
    lines = [f"Paused {subject} {_end(first.until, first.since, several=several)}"]
    if len(value.pauses) > 1:
        lines.append(f"  {_names([pause.name for pause in value.pauses])}")
    if value.replaced:
        lines += _replaced(value.replaced, first.since)
    if value.kept:
        verb = "stays" if len(value.kept) == 1 else "stay"
        lines.append(f"{len(value.kept):,} {verb} paused for longer: {_names([pause.name for pause in value.kept])}")
    if value.standing is not None:
        lines.append("Schedules that an apply adds meanwhile, and that fit this too, are paused with them")
    if value.gone:
        lines.append(f"Without a row, and not paused: {_names(value.gone)}")
    lines += map(printable, settled_lines(value.monitors))
    return "\n".join(map(at_line_start, lines))


def _first(value: Pauses) -> Paused | Standing:
    """Return what has the reason and the end; a group pause may find only pauses that last longer."""
    first = value.pauses[0] if value.pauses else value.standing
    assert first is not None
    return first


def _end(until: datetime | None, now: datetime, *, several: bool) -> str:
    if until is None:
        return "until `schedsync resume`"
    return (
        f"until {time_text(until, now)}; schedsync's own Beat ends it then. "
        f"Stock Beat cannot: the next apply after that lets {'them' if several else 'it'} run again"
    )


def _selector(value: Pauses) -> str:
    return f"`{printable(selector_text(value.selector))}`"


def _names(names: Sequence[str]) -> str:
    return printable(first_names(names, _NAMED))


def _replaced(pauses: Sequence[Paused], now: datetime) -> Iterator[str]:
    yield f"{counted(len(pauses), 'pause')} from before replaced; the audit record keeps the reason:"
    lines = list(pause_lines(pauses, now))
    yield from (f"  {line}" for line in lines[:_NAMED])
    if len(lines) > _NAMED:
        yield f"  and {len(lines) - _NAMED:,} more"


def paused_json(value: Pauses) -> str:
    """Write the same for programs; ``name`` is there for one schedule alone."""
    first = _first(value)
    name = {"name": value.pauses[0].name} if len(value.pauses) == 1 else {}
    document: dict[str, Any] = {
        "version": 1,
        **name,
        "reason": first.reason,
        "who": first.who,
        "since": first.since.isoformat(),
        "until": first.until.isoformat() if first.until else None,
        "selector": selector_document(value.selector),
        "names": [pause.name for pause in value.pauses],
        "replaced": [pause_document(pause) for pause in value.replaced],
        "kept": [pause_document(pause) for pause in value.kept],
        "without_row": list(value.gone),
        "stands": value.standing is not None,
        **_monitors(value.monitors),
    }
    return dump(document)


#: What a count of schedules does, by the word of its list.
_DO = {
    "stopped": "no longer paused, but do not run: Git has disabled or dropped them, or they are completed",
    "held": "held by a human, and stay so: resume them by name",
    "untouched": "neither paused nor held",
}


def resumed_text(value: Resumed, now: datetime) -> str:
    """Say what became of the schedules."""
    names = [name for _, names in value.lists() for name in names]
    lines = [_one(value)] if len(names) == 1 else list(_several(value))
    for pause in value.ended:
        lines.append(f"The pause of `{_standing(pause)}` has ended; schedules added later are not paused")
    for pause in value.lasting:
        end = f"until {time_text(pause.until, now)}" if pause.until else "until it is resumed"
        lines.append(
            f"The pause of `{_standing(pause)}` goes on for the others, and for schedules that come later, {end}"
        )
    lines += map(printable, settled_lines(value.monitors))
    return "\n".join(map(at_line_start, lines))


def _one(value: Resumed) -> str:
    word, names = next((word, names) for word, names in value.lists() if names)
    does = {
        "running": "runs again",
        "stopped": "is no longer paused; it does not run: Git has disabled or dropped it, or it is completed",
        "held": "is no longer paused; a human had disabled it before, and it stays so: resume it by name",
        "untouched": "is neither paused nor held",
    }
    return f"{printable(names[0])} {does[word]}"


def _several(value: Resumed) -> Iterator[str]:
    if value.running:
        yield f"{counted(len(value.running), 'schedule')} run{'s' * (len(value.running) == 1)} again"
        yield f"  {_names(value.running)}"
    for word, names in value.lists():
        if names and word in _DO:
            yield f"{len(names):,} {_DO[word]}: {_names(names)}"


def grouped(paused: Listed[Stopped]) -> list[list[Stopped]]:
    """Return the pauses that one person has made for one reason as one group, each alone where there are few."""
    groups: dict[tuple[object, ...], list[Stopped]] = {}
    for pause in paused.first:
        groups.setdefault((pause.who, pause.reason, pause.until), []).append(pause)
    lines: list[list[Stopped]] = []
    for group in groups.values():
        lines += [group] if len(group) > _FEW else ([pause] for pause in group)
    return lines


def group_name(group: list[Stopped]) -> str:
    """Write how many schedules a group has, and the first names."""
    return f"{len(group):,} schedules ({first_names([pause.name for pause in group], _FEW)})"


def standing_text(pause: Standing, now: datetime) -> str:
    """Write who paused a selection, until when and why, and that it goes on for schedules that come later."""
    until = f"until {time_text(pause.until, now)}" if pause.until else "until `schedsync resume`"
    by = f"by {printable(pause.who)}: {printable(pause.reason)}"
    return f"paused `{_standing(pause)}`, and schedules added later that fit it, {until} {by}"


def _standing(pause: Standing) -> str:
    return printable(selector_text(pause.selector))


def resumed_json(value: Resumed) -> str:
    """Write the same for programs."""
    return dump(
        {
            "version": 1,
            "selector": selector_document(value.selector),
            **dict(value.lists()),
            "ended": [standing_document(pause) for pause in value.ended],
            "lasting": [standing_document(pause) for pause in value.lasting],
            **_monitors(value.monitors),
        }
    )


def _monitors(value: Settled | None) -> dict[str, Any]:
    return {} if value is None or value.is_silent else {"monitors": settled_document(value)}
