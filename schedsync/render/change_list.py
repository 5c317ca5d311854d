"""Groups of changes as lists of Markdown: alarms by their kind in the open, then the rest; each member by its name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

from schedsync.render.alarms import ALARMS, DELETED, alarm_of
from schedsync.render.change_item import Setting, effect_text, item, member_texts
from schedsync.render.code_spans import cell, code
from schedsync.render.fitted import Block, Row
from schedsync.render.folding import Group, in_order_of_danger
from schedsync.render.words import counted

#: How many names one row holds. A row is shown as a whole or not at all.
NAMES_IN_ROW = 40
#: So many names of a change that is no alarm are in the open, and so many of these changes.
_NAMES_OPEN = 10
_GROUPS_OPEN = 20
#: Runs are foretold for so many groups with one kind of alarm: thousands would take too long, and fill the comment.
_GROUPS_WITH_RUNS = 50
_END = ["", "</details>", ""]


def change_blocks(found: Sequence[Group], setting: Setting) -> Iterator[Block]:
    """Yield lists of changes: deletes, stops and other alarms, then the rest."""
    yield from alarm_blocks(found, setting)
    yield from quiet_blocks(found, setting)


def alarm_blocks(found: Sequence[Group], setting: Setting) -> Iterator[Block]:
    """Yield a list for each kind of alarm, the most dangerous first, and the names of the members without one."""
    alarming = [group for group in in_order_of_danger(found) if group.alarming]
    without_runs = replace(setting, now=None)
    for alarm in (*ALARMS, DELETED):
        groups = [group for group in alarming if alarm_of(group) is alarm]
        if groups:
            rows = [
                row
                for number, group in enumerate(groups)
                for row in _alarm_rows(group, setting if number < _GROUPS_WITH_RUNS else without_runs)
            ]
            yield Block(rows, [f"**{alarm.title}**", ""], [""])
    partly = [group for group in alarming if _is_partly(group)]
    yield from _names_foldout(partly, setting)


def quiet_blocks(found: Sequence[Group], setting: Setting) -> Iterator[Block]:
    """Yield the other changes: the first in the open, the others and long lists of names in a foldout."""
    groups = [group for group in in_order_of_danger(found) if not group.alarming]
    if not groups:
        return
    count = sum(len(group.names) for group in groups)
    title = counted(count, "change" if len(groups) == len(found) else "other change")
    shown, folded = groups[:_GROUPS_OPEN], groups[_GROUPS_OPEN:]
    yield Block([_open_row(group, setting) for group in shown], [f"**{title}**", ""], [""])
    long = [group for group in shown if len(group.names) > _NAMES_OPEN]
    yield from _names_foldout(long, setting)
    if folded:
        head = [f"<details><summary>{sum(len(group.names) for group in folded):,} of them</summary>", ""]
        without_runs = replace(setting, now=None)
        yield Block([row for group in folded for row in _folded_rows(group, without_runs)], head, _END)


def _is_partly(group: Group) -> bool:
    return len(group.alarming) < len(group.names)


def _alarm_rows(group: Group, setting: Setting) -> Iterator[Row]:
    """Yield the rows of a group with an alarm: the change, then the names of those that the alarm concerns."""
    if not _is_partly(group):
        yield from _named_rows(group, setting)
    else:
        # All names follow in a foldout.
        yield Row(item(group, setting), 0, _kind(group))
    for effect in group.effects:
        for start in range(0, len(effect.names), NAMES_IN_ROW):
            names = effect.names[start : start + NAMES_IN_ROW]
            text = f"- of {code(group.title)}: {', '.join(map(code, names))}: {effect_text(effect)}"
            yield Row(text, kind=_kind(group), names=names)


def _open_row(group: Group, setting: Setting) -> Row:
    if len(group.names) > _NAMES_OPEN:
        return Row(item(group, setting), 0, _kind(group))
    names = [text for text, _ in member_texts(group, _NAMES_OPEN)]
    return Row(item(group, setting, *names), kind=_kind(group), names=group.names)


def _named_rows(group: Group, setting: Setting) -> Iterator[Row]:
    """Yield the change with the first names, and rows with the other names."""
    for number, (text, names) in enumerate(member_texts(group, NAMES_IN_ROW)):
        line = item(group, setting, text) if not number else f"- {code(group.title)}: {text}"
        yield Row(line, kind=_kind(group), names=names)


def _folded_rows(group: Group, setting: Setting) -> Iterator[Row]:
    if not _has_too_many(group, setting):
        yield from _named_rows(group, setting)
    else:
        yield Row(item(group, setting), 0, _kind(group))
        yield from _listed(group, setting)


def _names_foldout(groups: Sequence[Group], setting: Setting) -> Iterator[Block]:
    if groups:
        title = "First names" if any(_has_too_many(group, setting) for group in groups) else "All names"
        head = [f"<details><summary>{title}</summary>", ""]
        yield Block([row for group in groups for row in _listed(group, setting)], head, _END)


def _has_too_many(group: Group, setting: Setting) -> bool:
    return setting.most_names is not None and len(group.names) > setting.most_names


def _listed(group: Group, setting: Setting) -> Iterator[Row]:
    """Yield rows with all names, or with the first of too many for a comment."""
    shown = 0
    for text, names in member_texts(group, NAMES_IN_ROW):
        yield Row(f"- {code(group.title)}: {text}", names=names)
        shown += len(names)
        if _has_too_many(group, setting):
            yield Row(f"- and {len(group.names) - shown:,} more of {code(group.title)}. {setting.where}", 0)
            return


def _kind(group: Group) -> Hashable:
    return group.environments, group.first.kind


def names_rows(group: Group, line: Callable[[str], str]) -> Iterator[Row]:
    """Yield rows of a table that name each member of a group; ``line`` writes a row with the names in it."""
    for number, (text, names) in enumerate(member_texts(group, NAMES_IN_ROW)):
        parts = [code(group.title)] if not number else []
        yield Row(line(cell("<br>".join([*parts, *([text] if text else [])]))), names=names)
