"""Groups of changes as lines of a terminal: the change, its names, its fields, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedsync.core.change import Change
from schedsync.core.finding import Finding
from schedsync.render.folding import Group
from schedsync.render.paint import Paint
from schedsync.render.words import edit_text, printable

_SIGNS = {"create": "+", "update": "~", "delete": "-", "rename": ">", "adopt": "<", "release": "x"}
_STYLES = {
    "create": "green", "update": "yellow", "delete": "red", "rename": "cyan", "adopt": "cyan", "release": "cyan",
}  # fmt: skip
#: How many names are shown without `--verbose`, unless they are in an alarm.
_NAMES_SHOWN = 20
_LINE = 100


def change_lines(
    group: Group, paint: Paint, environments: Sequence[str] = (), *, verbose: bool = False
) -> Iterator[str]:
    """Yield the lines of a group; ``environments`` are all that are looked at."""
    change = group.first
    sign = paint(_SIGNS[change.kind], _STYLES[change.kind])
    cause = "" if change.cause == "files" else f"  [{change.cause}]"
    where = "" if len(group.environments) == len(environments) else f"  [{', '.join(group.environments)}]"
    yield f"  {sign} {paint(printable(group.title), 'bold')}{cause}{printable(where)}{_place(group)}"
    yield from _names(group, verbose=verbose or group.alarming == group.names)
    yield from _fields(group)
    if people := group.people:
        yield f"      {people}"
    for effect in group.effects:
        scope = f" ({effect.scope})" if effect.scope else ""
        arrow = paint("→", "red" if effect.is_loud else "cyan")
        yield f"      {arrow} {printable(f'{effect.message}{scope}')}"
        yield from _in_lines(effect.names, "        ")


def drift_lines(group: Group, paint: Paint) -> Iterator[str]:
    """Yield the lines of a group of edits that somebody made in the tables."""
    change = group.first
    title = paint(printable(group.title), "bold")
    yield f"  {paint(_SIGNS[change.kind], _STYLES[change.kind])} {title}  {edit_text(change.by)}{_place(group)}"
    yield from _names(group, verbose=True)
    if change.row is None:
        yield "      the row was deleted"
        return
    yield from _broken(change)
    for one in change.fields:
        if one.cause != "files" and (change.row.spec is not None or one.field == "name"):
            before, after = group.moved(one)
            yield f"      {one.field:<13} {after} became {before}"


def name_lines(finding: Finding) -> Iterator[str]:
    """Yield all names of a finding: its message has room for some of them only."""
    yield from _in_lines(finding.names, "      ")


def _names(group: Group, *, verbose: bool) -> Iterator[str]:
    if len(group.members) == 1:
        return
    members = group.members if verbose else group.members[:_NAMES_SHOWN]
    yield from _in_lines([_member(group, change) for change in members], "      ")
    if rest := len(group.members) - len(members):
        yield f"      and {rest:,} more (`--verbose` names all)"


def _member(group: Group, change: Change) -> str:
    detail = group.detail(change)
    return f"{change.name} ({detail})" if detail else change.name


def _in_lines(words: Sequence[str], indent: str) -> Iterator[str]:
    """Yield words, separated by commas, in lines that are not too long."""
    line: list[str] = []
    length = 0
    for word in map(_in_line, words):
        if line and length + len(word) > _LINE:
            yield f"{indent}{', '.join(line)},"
            line, length = [], 0
        line.append(word)
        length += len(word) + 2
    if line:
        yield f"{indent}{', '.join(line)}"


def _in_line(word: str) -> str:
    """Return a word as it may begin a line: GitHub's runner takes two colons there for a command."""
    text = printable(word)
    return text.replace(":", "\\u003a", 1) if text.lstrip().startswith("::") else text


def _place(group: Group) -> str:
    return f"  {printable(group.places)}" if group.places else ""


def _broken(change: Change) -> Iterator[str]:
    if change.row is not None and change.row.spec is None:
        yield from (f"      the row is broken: {printable(problem.message)}" for problem in change.row.problems)


def _fields(group: Group) -> Iterator[str]:
    change = group.first
    yield from _broken(change)
    for one in group.fields:
        before, after = group.moved(one)
        if change.row is None or (change.row.spec is None and change.after is not None):
            yield f"      {one.field:<13} {after}"
        elif change.after is None:
            yield f"      {one.field:<13} {before}"
        else:
            cause = "" if one.cause == "files" or change.cause == one.cause else f"  [{one.cause}]"
            yield f"      {one.field:<13} {before} → {after}{cause}"
