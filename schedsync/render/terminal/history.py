"""The history as text: one line for each call, or each with what it changed, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from schedsync.core.history import History, HistoryChange, HistoryEntry
from schedsync.core.names import shortened
from schedsync.core.origin import recorded_text
from schedsync.core.secrets import masked
from schedsync.core.timing import TimingError, instant, moment
from schedsync.render.terminal.columns import aligned, at_line_start, full_width
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import RECORDED, counted, moved_text, printable, time_text, value_text

#: What was done, by the kind of a change.
_DONE = {
    **RECORDED,
    "pause": "paused",
    "resume": "resumed",
    "pause_all": "everything paused",
    "resume_all": "everything resumed",
    "run": "sent by hand",
    "run_past": "ticks of the past sent",
    "move": "moved to another set",
    "rename_set": "set renamed",
    "break_glass": "opened for editing in the admin",
    "break_glass_ended": "no longer open for editing",
    "bind": "database bound to an environment",
    "lift": "a rule lifted",
    "rolled_back": "rolled back",
    "rollback_ended": "its rollback ended",
}
#: Kinds that say little of a call beside its other changes.
_BESIDE = frozenset({"lift", "reason", "rollback_of"})
_LABELS = {"disabled_reason": "disabled", "runs": "runs again", "location": "defined", "ends": "ended"}
_HOW = {
    "time": "its time was over",
    "apply": "its time was over, an apply ended it",
    "repair": "its time was over, an apply ended it",
    "lost": "its schedule is no longer managed",
}
_STOPS = frozenset({"pause", "pause_all", "delete", "deleted"})
#: In characters: how much of the reason a line shows. How many changes of one call are shown.
_REASON, MOST_CHANGES = 60, 20
_INDENT = "    "
_SEPARATOR = " · "
_ENABLED = {True: "yes", False: "no"}
Row = tuple[str, str]


def history_text(value: History, paint: Paint = plain, width: int | None = None) -> str:
    """Write the entries, the newest first: with what they changed where schedules are named or with ``verbose``.

    All text from records is escaped.
    """
    in_detail = value.wanted.is_named or value.wanted.verbose
    lines = [line for entry in value.entries for line in _detailed(entry, value, paint)] if in_detail else []
    if not in_detail and value.entries:
        lines += _table(value, paint, width)
    return "\n".join([*lines, *_notes(value, paint)])


def _notes(value: History, paint: Paint) -> Iterator[str]:
    """Yield what a reader must know of what is not shown."""
    if not value.entries:
        yield "No record"
    for life in value.lives:
        if life.until is not None:
            until = time_text(life.until, value.at)
            yield paint(f"Its name was `{printable(life.name)}` until {until}", "dim")
    if value.is_cut:
        shown = counted(len(value.entries), "entry", "entries")
        yield paint(f"{shown}, and older ones: see them with `--limit` or `--until`", "yellow")
    if value.unread_before is not None:
        before = time_text(value.unread_before, value.at)
        yield paint(f"Records before {before} were not searched; each apply makes more of them searchable", "yellow")


def _table(value: History, paint: Paint, width: int | None) -> Iterator[str]:
    rows = [_cells(entry, value.at) for entry in value.entries]
    table = [["when, UTC", "run", "what", "set", "who", "from", "reason"], *rows]
    if width is None or full_width(table) <= width:
        lines = list(aligned(table))
        yield paint(lines[0], "bold")
        yield from map(at_line_start, lines[1:])
        return
    yield paint("When (UTC), run, what, set, who, from, reason", "bold")
    for when, run, what, *rest in rows:
        yield f"{when}  {paint(run, 'dim')}  {what}"
        yield f"{_INDENT}{_SEPARATOR.join(filter(None, rest))}"


def _cells(entry: HistoryEntry, at: datetime) -> list[str]:
    reason = shortened(printable(masked(entry.reason or "")), _REASON)
    who, set_name = printable(shortened(entry.who)), printable(entry.set)
    return [moment(entry.at, now=at), _run(entry), what_text(entry), set_name, who, from_text(entry), reason]


def _run(entry: HistoryEntry) -> str:
    return "" if entry.run is None else printable(entry.run[:8])


def what_text(entry: HistoryEntry) -> str:
    """Write the verb, and how many changes of each kind."""
    counts = [f"{count:,} {_kind(kind)}" for kind, count in entry.counts.items() if kind != entry.verb and count]
    own = entry.counts.get(entry.verb, 0)
    verb = printable(entry.verb.replace("_", " ")) + (f" {own:,}" if own > 1 else "")
    return (
        f"{verb}: {', '.join(counts)}" if counts and entry.verb in ("apply", "repair", "release", "rollback") else verb
    )


def _kind(kind: str) -> str:
    return printable(_DONE.get(kind, kind.replace("_", " ")))


def from_text(entry: HistoryEntry) -> str:
    """Write where it comes from, in few words: the pull request, else the commit."""
    if entry.pull_request:
        return printable(masked(entry.pull_request))
    return printable(recorded_text(entry.commit))


def _detailed(entry: HistoryEntry, value: History, paint: Paint) -> Iterator[str]:
    """Yield the lines of one entry: what, when and by whom, then where it comes from, then its changes."""
    changes = entry.changes or ()
    at, run = time_text(entry.at, value.at), f"   {entry.verb} {_run(entry)}" if entry.run else ""
    style = "red" if any(_stops(change) for change in changes) else "bold"
    who = printable(entry.who) + (" in Django's admin, behind Git's back" if entry.is_admin else "")
    yield at_line_start(f"{at}  {paint(done_text(entry, value), style)} by {who}{paint(printable(run), 'dim')}")
    rows, shown = list(_origin(entry, value)), changes[:MOST_CHANGES]
    if _is_of_several(value):
        yield from _aligned(rows)
        for change in shown:
            if change.name is not None:
                yield f"{_INDENT}{printable(change.name)}: {_change_kind(change)}"
            yield from _aligned(list(change_rows(change, entry, value.at)), _INDENT * 2)
    else:
        yield from _aligned([*rows, *(row for change in shown for row in change_rows(change, entry, value.at))])
    if rest := len(changes) - len(shown):
        yield f"{_INDENT}and {counted(rest, 'more change')} (`--format json` has all)"
    if entry.problem:
        yield paint(f"{_INDENT}{printable(entry.problem)}", "yellow")


def _is_of_several(value: History) -> bool:
    return len(value.wanted.names) != 1 or bool(value.wanted.globs)


def done_text(entry: HistoryEntry, value: History) -> str:
    """Write what an entry did: to one schedule in words, to several by its verb."""
    kinds = [_change_kind(change) for change in entry.changes or () if not _is_beside(change)]
    if kinds and (entry.is_admin or not _is_of_several(value)):
        return ", ".join(dict.fromkeys(kinds))
    return what_text(entry)


def _is_beside(change: HistoryChange) -> bool:
    """Say whether a change says little of a call beside its others; a pause can end without a schedule that runs."""
    return change.kind in _BESIDE or (change.kind == "resume" and change.details.get("how") == "lost")


def _change_kind(change: HistoryChange) -> str:
    """Write what a change did, and whether it disabled or enabled the schedule."""
    after = next((field.after for field in change.fields if field.field == "enabled"), None)
    if change.kind not in ("update", "rename", "adopt") or not isinstance(after, bool):
        return _kind(change.kind)
    if change.details.get("removing") and not after:
        return "disabled, as no file defines it any more,"
    turned = "enabled" if after else "disabled"
    is_all = change.kind == "update" and len(change.fields) == 1
    return turned if is_all else f"{_kind(change.kind)} and {turned}"


def _stops(change: HistoryChange) -> bool:
    return change.kind in _STOPS or any(field.field == "enabled" and field.after is False for field in change.fields)


def _origin(entry: HistoryEntry, value: History) -> Iterator[Row]:
    if entry.set and _is_of_several(value):
        environment = f" in {entry.environment}" if entry.environment else ""
        yield "set", printable(f"{entry.set}{environment}")
    if entry.commit:
        yield "commit", printable(recorded_text(entry.commit))
    for label, text in (("pull request", entry.pull_request), ("pipeline", entry.pipeline), ("job", entry.job)):
        if text:
            yield label, printable(str(masked(text)))
    if entry.reason:
        yield "reason", printable(masked(entry.reason))


def change_rows(change: HistoryChange, entry: HistoryEntry, at: datetime) -> Iterator[Row]:
    """Yield what a change did, as pairs of a label and a text."""
    yield from _field_rows(change)
    yield from _detail_rows(change, entry, at)


def _field_rows(change: HistoryChange) -> Iterator[Row]:
    if change.old_name is not None and all(field.field != "name" for field in change.fields):
        yield "name", printable(f"{change.old_name} → {change.name}")
    for field in change.fields:
        if isinstance(field.before, bool) or isinstance(field.after, bool):
            before, after = (_ENABLED.get(value, "none") for value in (field.before, field.after))
        else:
            before, after = moved_text(field)
        is_new, is_gone = field.before is None and change.kind == "create", change.kind == "delete"
        yield printable(shortened(field.field)), after if is_new else before if is_gone else f"{before} → {after}"


def _detail_rows(change: HistoryChange, entry: HistoryEntry, at: datetime) -> Iterator[Row]:
    """Yield what the verb says besides, but for what the entry says already."""
    said: Mapping[str, Any] = {"reason": entry.reason, "text": entry.reason, "who": entry.who, "run": entry.run}
    for key, value in change.details.items():
        if value is None or value is False or value in ([], {}) or key == "since" or said.get(key) == value:
            continue
        if key in ("selector", "kept_name") and value == change.name:
            continue
        label = printable(shortened(_LABELS.get(key, key.replace("_", " "))))
        yield label, _detail_text(key, value, at)


def _detail_text(key: str, value: Any, at: datetime) -> str:
    if key in ("ends", "replaces") and isinstance(value, Mapping):
        return _pause_text(value, at)
    if key == "location" and isinstance(value, Mapping):
        return printable(f"{value.get('path')}:{value.get('line')}")
    if key == "removing" and isinstance(value, Mapping):
        return f"to be deleted after {_instant_text(value.get('until'), at)}"
    if key == "how":
        return _HOW.get(str(value), printable(str(value)))
    if key == "fields" and isinstance(value, list):
        return printable(", ".join(map(str, value)))
    if value is True:
        return "yes"
    return _instant_text(value, at) or value_text(key, value)


def _pause_text(pause: Mapping[str, Any], at: datetime) -> str:
    """Write a pause that ended or was replaced: by whom, since when and until when, and why."""
    since, until = (_instant_text(pause.get(key), at) for key in ("since", "until"))
    span = f" since {since}" if since else ""
    return printable(
        f"the pause by {pause.get('who')}{span}{f' until {until}' if until else ''}: {masked(pause.get('reason'))}"
    )


def _instant_text(value: Any, at: datetime) -> str:
    """Write an instant of a document; empty for any other value."""
    try:
        return time_text(instant(value), at) if isinstance(value, str) and value[:4].isdigit() else ""
    except (TimingError, ValueError):
        return ""


def _aligned(rows: Sequence[Row], indent: str = _INDENT) -> Iterator[str]:
    width = max((len(label) for label, _ in rows), default=0)
    yield from (f"{indent}{label:<{width}}  {text}" for label, text in rows)
