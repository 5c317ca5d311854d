"""``schedsync status`` as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from schedsync.core.names import and_more
from schedsync.core.status import (
    BeatStatus,
    Broken,
    Failed,
    LastApply,
    Late,
    Listed,
    Management,
    Removed,
    Status,
    Stopped,
    T,
    Verdict,
)
from schedsync.core.verdict import nobody_leads, reason_of, wrong_clocks
from schedsync.render.terminal.columns import at_line_start
from schedsync.render.terminal.frozen import frozen_text
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.terminal.pauses import group_name, grouped, standing_text
from schedsync.render.words import RECORDED, counted, printable, time_text

_MOST = 20
_DONE = {**RECORDED, "rename_set": "under the set's new name", "pause": "paused"}
#: The columns before the text of a line: its label.
_LABEL = 9
_COLOURS = {Verdict.OK: "green", Verdict.NOT_OK: "red", Verdict.UNKNOWN: "yellow"}


def status_text(value: Status, paint: Paint = plain) -> str:
    """Write the verdict, and then one labelled line for each thing that is worth a line."""
    blocks = {
        "Beat": _beats(value, paint),
        "Database": _environment(value),
        "Apply": (_apply(apply, value) for apply in value.management.applies[:_MOST]),
        "Stopped": _stopped(value, paint),
        "Frozen": (paint(frozen_text(each, value.at), "yellow") for each in value.management.frozen[:_MOST]),
        "Rollback": _some(value.management.rolled_back, partial(_by_whom, now=value.at), paint, "yellow"),
        "Opened": _some(value.management.opened, partial(_by_whom, now=value.at), paint, "yellow"),
        "Drift": _drift(value.management, paint),
        "Overdue": _all_overdue(value, paint),
        "Failed": _some(value.failed, partial(_failed, now=value.at), paint, "red"),
        "Broken": _some(value.schedules.broken, _broken, paint, "red"),
        "Managed": _managed(value),
        "Removing": _removing(value.management.removing, value.at),
        "Monitors": _monitors(value.management.monitors_waiting),
        "Note": _notes(value),
    }
    return "\n".join(
        [_verdict(value, paint), *(line for label, lines in blocks.items() for line in _block(label, lines))]
    )


def host_text(value: Status, paint: Paint = plain) -> str:
    """Write whether a Beat is live on this host."""
    return "\n".join([_verdict(value, paint), *_block("Beat", (_beat(beat, value, paint) for beat in value.beats))])


def _verdict(value: Status, paint: Paint) -> str:
    why = reason_of(value)
    word = paint(value.verdict.value, _COLOURS[value.verdict])
    return f"{word}  {paint(why, 'bold')}" if why else word


def _block(label: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"{label:<{_LABEL}}{at_line_start(line)}"
        label = ""


def _beats(value: Status, paint: Paint) -> Iterator[str]:
    if not value.beats:
        last = value.last_beat
        if last is not None:
            ended = (
                "did not end in good order" if last.ended_at is None else f"ended {time_text(last.ended_at, value.at)}"
            )
            yield paint("none is live", "red") + (f"; {printable(last.name)} {ended}" if last.name else "")
        return
    if nobody_leads(value):
        yield paint("nobody leads, so no task is sent", "red")
    yield " · ".join([*(_beat(beat, value, paint) for beat in value.beats), *_surroundings(value, paint)])
    for beat in value.beats:
        if beat.trouble:
            yield paint(f"{printable(beat.name)}: {printable(beat.trouble)}", "red")


def _environment(value: Status) -> Iterator[str]:
    if value.environment is not None:
        yield f"belongs to `{printable(value.environment)}`"


def _beat(beat: BeatStatus, value: Status, paint: Paint) -> str:
    parts = [_role(beat, paint)]
    if beat.leads and beat.leads_since:
        parts[0] += f" since {time_text(beat.leads_since, value.at)}"
    if beat.leads and beat.election == "none":
        parts.append("without an election")
    elif beat.leads:
        parts.append(f"epoch {beat.epoch}")
    return ", ".join([*parts, *last_tick_words(beat, value), *loaded_words(beat, value)])


def _role(beat: BeatStatus, paint: Paint) -> str:
    return f"{paint('leading', 'green') if beat.leads else 'standby'} {printable(beat.name)}"


def last_tick_words(beat: BeatStatus, value: Status) -> Iterator[str]:
    """Yield when the leader sent a tick last, and how late it was."""
    report = beat.report
    if beat.leads and report is not None and report.last_tick is not None:
        yield f"last tick {span_text(value.clock - report.last_tick)} ago"
        if report.last_late is not None:
            yield f"{max(report.last_late, 0.0):.2f} s late"


def loaded_words(beat: BeatStatus, value: Status) -> Iterator[str]:
    """Yield how many changes a Beat has not loaded yet, and how many schedules it has."""
    if beat.loaded_at is None:
        yield "has loaded nothing yet"
    elif (missing := value.number - beat.loaded) > 0:
        yield f"{missing} {'change' if missing == 1 else 'changes'} behind"
    yield f"{beat.schedules:,} schedules"


def _surroundings(value: Status, paint: Paint) -> Iterator[str]:
    """Yield how the clocks and the broker are, as far as Beats report it."""
    reports = [beat.report for beat in value.beats if beat.report is not None]
    if wrong := wrong_clocks(value):
        yield paint(", ".join(map(_clock, wrong)), "red")
    elif reports and all(report.clock_ahead is not None for report in reports):
        yield "clocks agree"
    for beat in value.beats:
        if beat.leads and beat.report is not None:
            yield broker_text(beat, value.at, paint)


def _clock(beat: BeatStatus) -> str:
    ahead = (beat.report.clock_ahead if beat.report else None) or 0.0
    return f"the clock of {printable(beat.name)} is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}"


def broker_text(beat: BeatStatus, now: datetime, paint: Paint = plain) -> str:
    """Write how the broker is, as a Beat reports it."""
    report = beat.report
    if report is None or not report.broker_trouble:
        return "broker up"
    since = f" since {time_text(report.broker_trouble_since, now)}" if report.broker_trouble_since else ""
    return paint(f"broker away{since}: {printable(report.broker_trouble)}", "red")


def _apply(apply: LastApply, value: Status) -> str:
    commit = f"@{printable(apply.commit)}" if apply.commit else ""
    environment = f" in {printable(apply.environment)}" if apply.environment else ""
    counts = counts_words(apply)
    who = f"{span_text(value.at - apply.at)} ago by {printable(apply.who)}"
    return f"{printable(apply.set)}{commit}{environment} {who}" + (f": {counts}" if counts else "")


def counts_words(apply: LastApply) -> str:
    """Write how many changes of each kind an apply made; empty where it made none."""
    return ", ".join(
        f"{count:,} {_DONE.get(kind) or printable(kind)}" for kind, count in sorted(apply.counts.items()) if count
    )


def _stopped(value: Status, paint: Paint) -> Iterator[str]:
    if value.full_pause:
        yield paint(printable(value.full_pause.text(value.at)), "yellow")
    for pause in value.management.standing[:_MOST]:
        yield paint(standing_text(pause, value.at), "yellow")
    if more := and_more(len(value.management.standing), _MOST):
        yield more.strip()
    yield from _paused(value.management.paused, value.at, paint)
    if value.management.held is not None:
        yield from _some(value.management.held, partial(_held, now=value.at), paint, "yellow")


def _paused(paused: Listed[Stopped], now: datetime, paint: Paint) -> Iterator[str]:
    """Yield a line for each pause, and one line with a count for many that one person has made for one reason."""
    lines = grouped(paused)
    for line in lines[:_MOST]:
        name = line[0].name if len(line) == 1 else group_name(line)
        yield paint(_pause(replace(line[0], name=name), now), "yellow")
    if more := and_more(paused.count, sum(map(len, lines[:_MOST]))):
        yield more.strip()


def _pause(pause: Stopped, now: datetime) -> str:
    until = f"until {time_text(pause.until, now)}" if pause.until else "until `schedsync resume`"
    return f"paused {printable(pause.name)} {until} by {printable(pause.who or '')}: {printable(pause.reason or '')}"


def _held(held: Stopped, now: datetime) -> str:
    since = f" since {time_text(held.since, now)}" if held.since else ""
    return f"held {printable(held.name)} by {printable(held.who) if held.who else 'an unknown user'}{since}"


def _monitors(waiting: int) -> Iterator[str]:
    if waiting:
        yield f"{waiting:,} wait{'s' * (waiting == 1)} for the next apply"


def _by_whom(kept: Stopped, now: datetime) -> str:
    who, since = printable(kept.who or ""), time_text(kept.since, now)
    return f"{printable(kept.name)} by {who} since {since}: {printable(kept.reason or '')}"


def _drift(value: Management, paint: Paint) -> Iterator[str]:
    if value.drifted is None:
        yield paint("not compared: too many rows were saved since the last apply; ask `schedsync drift`", "yellow")
    elif value.drifted.count:
        yield paint(f"{value.drifted.count:,} edited since the last apply: {_names(value.drifted)}", "yellow")


def _all_overdue(value: Status, paint: Paint) -> Iterator[str]:
    yield from _some(value.schedules.overdue, lambda late: _overdue(late, value), paint, "red")
    if value.schedules.overdue.count:
        yield "`schedsync why NAME` says why"


def _overdue(late: Late, value: Status) -> str:
    return f"{printable(late.name)}, due {time_text(late.tick, value.at)} ({span_text(value.at - late.tick)})"


def _failed(failed: Failed, now: datetime) -> str:
    what = "not sent" if failed.given_up else "refused, and tried again"
    times = f"tick {time_text(failed.tick, now)}, at {time_text(failed.at, now)}"
    return f"{printable(failed.name)} {what}, {times}: {printable(failed.reason)}"


def _broken(broken: Broken) -> str:
    return f"{printable(broken.name)}: {printable(broken.reason)}"


def _managed(value: Status) -> Iterator[str]:
    enabled = f"{counted(value.schedules.enabled, 'row')} enabled, {value.schedules.due.count:,} due"
    rows = value.management.unmanaged
    other = f" · {counted(rows.count, 'row')} managed by nobody: {_names(rows)}"
    yield f"{value.management.managed:,} · {enabled}{other if rows.count else ''}"
    if rows.count:
        yield "`schedsync list --unmanaged` lists what nobody manages"


def _removing(removed: Listed[Removed], now: datetime) -> Iterator[str]:
    if removed.count:
        ends = {each.until for each in removed.first}
        when = f"deleted after {time_text(min(ends), now)}" + (" or later" if len(ends) > 1 else "")
        names = Listed(removed.count, tuple(each.name for each in removed.first))
        yield f"{removed.count:,} in no file any more, disabled and {when}: {_names(names)}"


def _notes(value: Status) -> Iterator[str]:
    groups = {
        "enabled, but their task is not registered here": value.schedules.unregistered,
        "never ran": value.schedules.never_ran,
        "disabled for more than 30 days": value.schedules.disabled_long,
    }
    for title, names in groups.items():
        if names.count:
            yield f"{title}: {_names(names)}"


def _some(values: Listed[T], text: Callable[[T], str], paint: Paint, colour: str) -> Iterator[str]:
    """Yield a line for each of the first entries, and how many more there are."""
    for value in values.first[:_MOST]:
        yield paint(text(value), colour)
    if more := and_more(values.count, _MOST):
        yield more.strip()


def _names(names: Listed[str]) -> str:
    return ", ".join(map(printable, names.first[:_MOST])) + and_more(names.count, _MOST)


def span_text(value: timedelta) -> str:
    """Write a length of time in its two largest units."""
    seconds = max(int(value.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"
