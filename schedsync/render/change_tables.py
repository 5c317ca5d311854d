"""Groups of changes as tables of Markdown: alarms in the open, the rest in a foldout, each member by its name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from schedsync.render.code_spans import code, sentence
from schedsync.render.effects import Effect
from schedsync.render.fitted import Block, Row
from schedsync.render.folding import Group, in_order_of_danger
from schedsync.render.words import counted

#: Consequences whose message holds text from outside.
_QUOTED = frozenset({"pause_ends", "taken_over"})
#: How many names one row holds. A row is shown as a whole or not at all.
NAMES_IN_ROW = 40


def change_blocks(found: Sequence[Group]) -> Iterator[Block]:
    """Yield tables of changes: deletes, stops and other alarms in the open, the rest folded."""
    groups = in_order_of_danger(found)
    alarming = [group for group in groups if group.alarming]
    yield from alarm_blocks(alarming)
    yield from quiet_blocks([group for group in groups if not group.alarming], is_rest=bool(alarming))


def alarm_blocks(groups: Sequence[Group]) -> Iterator[Block]:
    """Yield the table of changes that need a look, and the names of the members that do not."""
    if not groups:
        return
    rows = [row for group in groups for row in _rows(group, in_the_open=True)]
    yield _table(groups, rows)
    partly = [group for group in groups if len(group.alarming) < len(group.names)]
    if partly:
        head = ["<details><summary>All names</summary>", ""]
        yield Block([row for group in partly for row in _listed(group)], head, ["", "</details>", ""])


def quiet_blocks(groups: Sequence[Group], *, is_rest: bool) -> Iterator[Block]:
    """Yield the folded table of the other changes."""
    if not groups:
        return
    count = counted(sum(len(group.names) for group in groups), "other change" if is_rest else "change")
    table = _table(groups, [row for group in groups for row in _rows(group, in_the_open=False)])
    head = [f"<details><summary>{count}</summary>", "", *table.head]
    yield Block(table.rows, head, [*table.foot, "</details>", ""])


def _table(groups: Sequence[Group], rows: Sequence[Row]) -> Block:
    columns = ["change", "schedule", "what", "what follows"]
    if any(group.environments for group in groups):
        columns.insert(1, "environment")
    return Block(rows, [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"], [""])


def _rows(group: Group, *, in_the_open: bool) -> Iterator[Row]:
    """Yield the rows of a group: the change with the first names, further names, and the names of each alarm."""
    kind = _kind(group)
    what, follows = _what(group), "<br>".join(map(_effect, group.effects))
    if in_the_open and len(group.alarming) < len(group.names):
        # All names follow in a foldout.
        yield Row(_line(group, code(group.title), what, follows), 0, kind)
    else:
        for number, row in enumerate(names_rows(group, lambda names: names)):
            rest = ("the same", "") if number else (what, follows)
            yield Row(_line(group, row.text, *rest), row.count, kind, row.names)
    for effect in group.effects:
        for start in range(0, len(effect.names), NAMES_IN_ROW):
            names = effect.names[start : start + NAMES_IN_ROW]
            said = sentence(effect.message, quoted=effect.code in _QUOTED)
            line = _line(group, ", ".join(map(code, names)), f"of {code(group.title)}", said)
            yield Row(line, kind=kind, names=names)


def names_rows(group: Group, line: Callable[[str], str]) -> Iterator[Row]:
    """Yield rows that name each member of a group; ``line`` writes a row with the names in it."""
    if len(group.members) == 1:
        yield Row(line(code(group.title)), names=group.names)
        return
    for number, (chunk, names) in enumerate(_chunks(group)):
        title = f"{code(group.title)}<br>" if not number else ""
        yield Row(line(f"{title}{chunk}"), names=names)


def _kind(group: Group) -> Hashable:
    return group.environments, group.first.kind


def _line(group: Group, *cells: str) -> str:
    where = [", ".join(map(code, group.environments))] if group.environments else []
    return f"| {' | '.join([group.first.kind, *where, *cells])} |"


def _chunks(group: Group) -> Iterator[tuple[str, list[str]]]:
    """Yield the text of the names for each row, and the names.

    Those with the same timing of their own stand together behind it.
    """
    by_detail: dict[str, list[str]] = {}
    for change in group.members:
        by_detail.setdefault(group.detail(change), []).append(change.name)
    members = [(detail, name) for detail, names in by_detail.items() for name in names]
    for start in range(0, len(members), NAMES_IN_ROW):
        together: dict[str, list[str]] = {}
        chunk = members[start : start + NAMES_IN_ROW]
        for detail, name in chunk:
            together.setdefault(detail, []).append(code(name))
        parts = [(f"{code(detail)}: " if detail else "") + ", ".join(names) for detail, names in together.items()]
        yield "; ".join(parts), [name for _, name in chunk]


def _listed(group: Group) -> Iterator[Row]:
    for text, names in _chunks(group):
        yield Row(f"- {code(group.title)}: {text}", names=names)


def _what(group: Group) -> str:
    said = []
    for field in group.fields:
        before, after = map(code, group.moved(field))
        if group.first.row is None:
            said.append(f"{field.field} {after}")
        elif group.first.after is None:
            said.append(f"{field.field} {before}")
        else:
            said.append(f"{field.field} {before} → {after}")
    return "<br>".join(said)


def _effect(effect: Effect) -> str:
    said = sentence(effect.message, quoted=effect.code in _QUOTED)
    return f"{said} ({sentence(effect.scope, quoted=False)})" if effect.scope else said
