"""Groups of changes as lines of a terminal: the change and its place, its names, its values, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from schedsync.calendar.words import moment, rates, zone_name
from schedsync.core.change import Change, Consequence
from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.core.observed import Managed
from schedsync.core.origin import recorded_text
from schedsync.core.schedule import NOBODY
from schedsync.core.timing import Timing, zone_of
from schedsync.planning.removal import is_removal
from schedsync.render.changes.cells import line_of
from schedsync.render.changes.effects import Effect
from schedsync.render.changes.folding import OF_DELETED, Group
from schedsync.render.terminal.change_rows import Row, consequence_row, field_rows, is_disabling, timing_text
from schedsync.render.terminal.columns import at_line_start
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import people_text, printable

#: The sign of each kind of change.
SIGNS = {"create": "+", "update": "~", "delete": "-", "rename": ">", "adopt": "<", "release": "x"}
#: The colour of each sign; an update has one only in an alarm.
STYLES = {"create": "green", "delete": "red", "rename": "cyan", "adopt": "cyan", "release": "cyan"}
#: How many names are shown without `--verbose`, unless they are in an alarm.
_NAMES_SHOWN = 20
_PLACES_SHOWN = 3
#: In characters, without the indent: a line of names ends before it.
_LINE = 72
_INDENT = "    "
#: Consequences that the line of the name says, if they are the same for all members.
_IN_HEAD = frozenset({"stops", "first_run"})


@dataclass(frozen=True, slots=True)
class View:
    """How changes are shown.

    ``environments`` are all that are looked at. ``managed`` are the ledger's entries by name: where a deleted schedule
    was defined, by their own commit or by ``base``.
    """

    now: datetime
    paint: Paint = plain
    environments: Sequence[str] = ()
    managed: Mapping[str, Managed] = field(default_factory=dict)
    base: str | None = None
    verbose: bool = False


def change_lines(group: Group, view: View) -> Iterator[str]:
    """Yield the lines of a group of changes with equal values."""
    yield "  ".join([_title(group, view), *_head(group, view), *_place(group, view)])
    yield from _names(group, verbose=view.verbose or group.alarming == group.names)
    rows, rest = _rows_and_rest(group, view)
    yield from _broken(group.first)
    if group.first.kind == "create" or group.first.after is None:
        yield from _summary(group, verbose=view.verbose)
    else:
        yield from _aligned([*field_rows(group, view.paint), *rows])
        if people := _people(group, verbose=view.verbose):
            yield f"{_INDENT}{view.paint(people, 'dim')}"
    for effect in rest:
        yield from _effect_lines(effect, view)


def name_lines(finding: Finding) -> Iterator[str]:
    """Yield all names of a finding: its message has room for some of them only."""
    yield from in_lines(finding.names, "      ")


def _title(group: Group, view: View) -> str:
    change, paint = group.first, view.paint
    title = printable(group.title)
    words = [f"{_sign(group, paint)} {paint(title, 'bold') if group.alarming else title}"]
    if change.cause != "files":
        words.append(paint(f"[{change.cause}]", "yellow"))
    if len(group.environments) != len(view.environments):
        words.append(paint(f"in {printable(', '.join(group.environments))}", "bold"))
    return "  ".join(words)


def _sign(group: Group, paint: Paint) -> str:
    sign, style = SIGNS[group.first.kind], STYLES.get(group.first.kind)
    codes = {each.code for each in group.first.consequences}
    if codes & {"stops", "never_runs", "fires_at_once", "fires_late"}:
        style = "red"
    return paint(sign, style or "yellow") if style or "more_often" in codes else sign


def _head(group: Group, view: View) -> Iterator[str]:
    """Yield what the line of the name says: that it ends, or when a new schedule runs, and when first."""
    change, paint = group.first, view.paint
    if change.kind == "delete":
        yield paint("deleted", "red")
    elif _says_disabled(change):
        reason = f": {change.people.disabled_reason}" if change.people.disabled_reason else ""
        yield paint(f"disabled{printable(reason)}", "red" if change.row else "yellow")
    if change.kind == "create":
        timing = timing_text(group, paint)
        often = rates(None, change.after.timing) if change.after is not None and not change.after.one_off else ""
        yield " · ".join(filter(None, [timing, often, *_from_effects(group, view)]))
    else:
        yield from _from_effects(group, view)


def _from_effects(group: Group, view: View) -> Iterator[str]:
    for effect in group.effects:
        if _is_in_head(effect) and effect.consequence is not None:
            yield from _head_text(group.first, effect.consequence, view)


def _is_in_head(effect: Effect) -> bool:
    return effect.code in _IN_HEAD and effect.consequence is not None and not effect.scope


def _head_text(change: Change, each: Consequence, view: View) -> Iterator[str]:
    spec = change.after if each.code == "first_run" else change.row.spec if change.row else None
    if each.code == "first_run":
        prefix = "first run at "
        said = each.message.removeprefix(prefix).partition(", ")[2]
        if spec is None or each.at is None or not each.message.startswith(prefix):
            yield printable(each.message)
            return
        first = _first_run(each.at, spec.timing, view.now, with_zone=not _says_timing(change))
        yield f"{first}, {said}" if said else first
    elif spec is not None and each.at is not None:
        yield f"no run {moment(each.at, zone_of(spec.timing), view.now)} {zone_name(spec.timing)}"
    else:
        yield view.paint("stops", "red")


@lru_cache(maxsize=4096)
def _first_run(at: datetime, timing: Timing, now: datetime, *, with_zone: bool) -> str:
    zone = zone_name(timing)
    shown = zone if with_zone or zone == "UTC" else ""
    return f"first {moment(at, zone_of(timing), now)} {shown}".rstrip()


def _says_timing(change: Change) -> bool:
    return change.kind == "create" or any(field.field == "timing" for field in change.fields)


def _place(group: Group, view: View) -> list[str]:
    """Return where the members are defined; of what is deleted, where it was, and at which commit."""
    places = [place for change in group.members if (place := _place_of(change, view))]
    known = list(dict.fromkeys(places))
    if not known:
        return []
    return [view.paint(printable(f" {first_names(known, _PLACES_SHOWN)}"), "dim")]


def _place_of(change: Change, view: View) -> str:
    entry = view.managed.get(change.name) if is_removal(change) else None
    if entry is None:
        return line_of(change.location)
    commit = recorded_text(entry.commit or view.base)
    at = f" at {commit}" if commit else ""
    was = f"was {line_of(entry.location)}{at}" if entry.location else ""
    named = f"`removed` {line_of(change.location)}" if change.announced else ""
    return ", ".join(filter(None, [was, named]))


def _names(group: Group, *, verbose: bool) -> Iterator[str]:
    if len(group.members) == 1:
        return
    members = group.members if verbose else group.members[:_NAMES_SHOWN]
    yield from in_lines([_member(group, change) for change in members], _INDENT)
    if rest := len(group.members) - len(members):
        yield f"{_INDENT}and {rest:,} more (`--verbose` names all)"


def _member(group: Group, change: Change) -> str:
    detail = group.detail(change)
    return f"{change.name} ({detail})" if detail else change.name


def _summary(group: Group, *, verbose: bool) -> Iterator[str]:
    """Yield the values of what is created or deleted, in one line."""
    change = group.first
    said = []
    for each in change.fields:
        if each.field in ("name", "enabled") or (change.after is None and each.field not in OF_DELETED):
            continue
        if each.field == "timing":
            if change.after is None:
                said.append(timing_text(group, plain))
            continue
        before, after = group.moved(each)
        value = before if change.after is None else after
        said.append(value if each.field == "task" else f"{each.field} {value}")
    if people := _people(group, verbose=verbose):
        said.append(people)
    if said:
        yield f"{_INDENT}{at_line_start(' · '.join(said))}"


def _people(group: Group, *, verbose: bool) -> str:
    """Return whom to ask; why a schedule is disabled stands in the line of its name."""
    if len(group.members) > 1 and len({change.people for change in group.members}) > 1:
        return group.people
    people = group.first.people
    if people == NOBODY:
        return ""
    is_said = people.disabled_reason is not None and _says_disabled(group.first)
    shown = replace(people, disabled_reason=None) if is_said else people
    return people_text(replace(group.first, people=shown), verbose=verbose)


def _says_disabled(change: Change) -> bool:
    return is_disabling(change) or (change.kind == "create" and change.after is not None and not change.after.enabled)


def _broken(change: Change) -> Iterator[str]:
    if change.row is not None and change.row.spec is None:
        yield from (f"{_INDENT}the row is broken: {printable(problem.message)}" for problem in change.row.problems)


def _rows_and_rest(group: Group, view: View) -> tuple[list[Row], list[Effect]]:
    """Return the consequences that are rows, and those that need a sentence; the line of the name has said the others.

    What is created or deleted has no rows.
    """
    rows: list[Row] = []
    rest: list[Effect] = []
    is_edit = group.first.kind != "create" and group.first.after is not None
    for effect in group.effects:
        is_said = _is_in_head(effect) or (group.first.kind == "create" and effect.code == "frequency")
        row = _row(group.first, effect, view) if is_edit else None
        if row is not None:
            rows.append(row)
        elif not is_said:
            rest.append(effect)
    return rows, rest


def _row(change: Change, effect: Effect, view: View) -> Row | None:
    if effect.consequence is None:
        is_move = effect.code == "next_run_moves"
        return Row("next run", effect.message.removeprefix("next runs ") + _scope(effect)) if is_move else None
    return None if effect.scope else consequence_row(change, effect.consequence, view.now, view.paint)


def _scope(effect: Effect) -> str:
    return f" ({printable(effect.scope)})" if effect.scope else ""


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    width = max((len(row.label) for row in rows), default=0)
    yield from (f"{_INDENT}{row.label:<{width}}  {row.text}" for row in rows)


def _effect_lines(effect: Effect, view: View) -> Iterator[str]:
    """Yield a consequence as a sentence."""
    arrow = view.paint("→", "yellow" if effect.code == "more_often" else "red" if effect.is_loud else "cyan")
    yield f"{_INDENT}{arrow} {printable(effect.message)}{_scope(effect)}"
    yield from in_lines(effect.names, "      ")


def in_lines(words: Sequence[str], indent: str) -> Iterator[str]:
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
    return at_line_start(printable(word))
