"""Groups of changes as lists of Markdown: alarms by their kind in the open, then the rest; each member by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

from schedsync.core.change import FieldChange
from schedsync.render.changes.alarms import ALARMS, DELETED, alarm_of
from schedsync.render.changes.folding import Group, in_order_of_danger
from schedsync.render.changes.verdict import environments_phrase
from schedsync.render.code_spans import cell, code
from schedsync.render.comment.change_item import View, effect_text, item, member_texts
from schedsync.render.comment.fitted import Block, Row
from schedsync.render.words import DONE, counted

#: How many names one row holds. A row is shown as a whole or not at all.
NAMES_IN_ROW = 40
#: At most this many names of a change that is no alarm are in the open, and this many of these changes.
_NAMES_OPEN = 10
_GROUPS_OPEN = 20
#: Runs are foretold for at most this many groups with one kind of alarm: thousands take too long, and fill the comment.
_GROUPS_WITH_RUNS = 50
_END = ["", "</details>", ""]


def change_blocks(found: Sequence[Group], view: View) -> Iterator[Block]:
    """Yield lists of changes: deletes, stops and other alarms, then the rest."""
    yield from alarm_blocks(found, view)
    yield from quiet_blocks(found, view)


def alarm_blocks(found: Sequence[Group], view: View) -> Iterator[Block]:
    """Yield a list for each kind of alarm, the most dangerous first, and the names of the members without one."""
    view = _with_titles(found, view)
    alarming = [group for group in in_order_of_danger(found) if group.alarming]
    without_runs = replace(view, now=None)
    for alarm in (*ALARMS, DELETED):
        groups = [group for group in alarming if alarm_of(group) is alarm]
        if groups:
            rows = [
                row
                for number, group in enumerate(groups)
                for row in _alarm_rows(group, view if number < _GROUPS_WITH_RUNS else without_runs)
            ]
            yield Block(rows, [f"**{alarm.title}**", ""], [""])
    partly = [group for group in alarming if _is_partly(group)]
    yield from _names_foldout(partly, view)


def quiet_blocks(found: Sequence[Group], view: View) -> Iterator[Block]:
    """Yield the other changes: the first in the open, the others and long lists of names in a foldout."""
    view = _with_titles(found, view)
    groups = [group for group in in_order_of_danger(found) if not group.alarming]
    if not groups:
        return
    count = sum(len(group.names) for group in groups)
    title = counted(count, "change" if len(groups) == len(found) else "other change")
    shown, folded = groups[:_GROUPS_OPEN], groups[_GROUPS_OPEN:]
    yield Block([_open_row(group, view) for group in shown], [f"**{title}**", ""], [""])
    long = [group for group in shown if len(group.names) > _NAMES_OPEN]
    yield from _names_foldout(long, view)
    if folded:
        head = [f"<details><summary>{sum(len(group.names) for group in folded):,} more</summary>", ""]
        without_runs = replace(view, now=None)
        yield Block([row for group in folded for row in _folded_rows(group, without_runs)], head, _END)


def _with_titles(found: Sequence[Group], view: View) -> View:
    titles = Counter(group.title for group in found)
    return replace(view, shared_titles=frozenset(title for title, count in titles.items() if count > 1))


def _is_partly(group: Group) -> bool:
    return len(group.alarming) < len(group.names)


def _alarm_rows(group: Group, view: View) -> Iterator[Row]:
    """Yield the rows of a group with an alarm: the change, then the names of those that the alarm concerns."""
    if not _is_partly(group):
        yield from _named_rows(group, view)
    else:
        # All names follow in a foldout.
        yield Row(item(group, view), 0, _kind(group))
    for effect in group.effects:
        for start in range(0, len(effect.names), NAMES_IN_ROW):
            names = effect.names[start : start + NAMES_IN_ROW]
            text = f"- of {_label(group, view)}: {', '.join(map(code, names))}: {effect_text(effect)}"
            yield Row(text, kind=_kind(group), names=names)


def _open_row(group: Group, view: View) -> Row:
    if len(group.names) > _NAMES_OPEN:
        return Row(item(group, view), 0, _kind(group))
    names = [text for text, _ in member_texts(group, _NAMES_OPEN)]
    return Row(item(group, view, *names), kind=_kind(group), names=group.names)


def _named_rows(group: Group, view: View) -> Iterator[Row]:
    """Yield the change with the first names, and rows with the other names."""
    for number, (text, names) in enumerate(member_texts(group, NAMES_IN_ROW)):
        line = item(group, view, text) if not number else f"- {_label(group, view)}: {text}"
        yield Row(line, kind=_kind(group), names=names)


def _folded_rows(group: Group, view: View) -> Iterator[Row]:
    if not _has_too_many(group, view):
        yield from _named_rows(group, view)
    else:
        yield Row(item(group, view), 0, _kind(group))
        yield from _listed(group, view)


def _names_foldout(groups: Sequence[Group], view: View) -> Iterator[Block]:
    if groups:
        title = "First names" if any(_has_too_many(group, view) for group in groups) else "All names"
        head = [f"<details><summary>{title}</summary>", ""]
        yield Block([row for group in groups for row in _listed(group, view)], head, _END)


def _has_too_many(group: Group, view: View) -> bool:
    return view.most_names is not None and len(group.names) > view.most_names


def _listed(group: Group, view: View) -> Iterator[Row]:
    """Yield rows with all names, or with the first of too many for a comment."""
    shown = 0
    for text, names in member_texts(group, NAMES_IN_ROW):
        yield Row(f"- {_label(group, view)}: {text}", names=names)
        shown += len(names)
        if _has_too_many(group, view):
            yield Row(f"- and {len(group.names) - shown:,} more of {_label(group, view)}. {view.where}", 0)
            return


def _label(group: Group, view: View) -> str:
    """Name a group away from its change, which is repeated where several groups have the same title."""
    if group.title not in view.shared_titles:
        return code(group.title)
    where = environments_phrase(group.environments, view.environments)
    words = [code(group.title), DONE[group.first.kind], *([f"in {where}"] if where else [])]
    if values := "; ".join(_value(group, field) for field in group.fields):
        words.append(f"({code(values)})")
    return " ".join(words)


def _value(group: Group, field: FieldChange) -> str:
    before, after = group.moved(field)
    if group.first.row is None:
        return f"{field.field} {after}"
    return f"{field.field} {before}" if group.first.after is None else f"{field.field} {before} → {after}"


def _kind(group: Group) -> Hashable:
    return group.environments, group.first.kind


def names_rows(group: Group, line: Callable[[str], str]) -> Iterator[Row]:
    """Yield rows of a table that name each member of a group; ``line`` writes a row with the names in it."""
    for number, (text, names) in enumerate(member_texts(group, NAMES_IN_ROW)):
        parts = [code(group.title)] if not number else []
        yield Row(line(cell("<br>".join([*parts, *([text] if text else [])]))), names=names)
