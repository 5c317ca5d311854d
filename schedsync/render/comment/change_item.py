"""One group of changes as an item of a list of Markdown: what changes, where, whose it is, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from schedsync.calendar.words import moment, zone_name
from schedsync.core.change import Change, FieldChange, Rename
from schedsync.core.names import and_more
from schedsync.core.origin import Web
from schedsync.core.timing import Clocked, Crontab, Interval, zone_of
from schedsync.render.changes.cells import next_runs, owners, places, run_alike, specs, timings
from schedsync.render.changes.effects import Effect
from schedsync.render.changes.folding import Group
from schedsync.render.changes.verdict import environments_phrase
from schedsync.render.code_spans import code, sentence
from schedsync.render.comment.links import code_link, place_link
from schedsync.render.words import DONE, edit_text, printable

#: Consequences whose message holds text from outside.
_QUOTED = frozenset({"pause_ends", "taken_over"})
#: What the runs before and after a change tell.
_TOLD_BY_RUNS = frozenset({"next_run_moves"})
_PLACES_SHOWN, _OWNERS_SHOWN = 3, 5


@dataclass(frozen=True, slots=True)
class View:
    """What the items of a document share.

    ``environments`` are all that are looked at, ``web`` is where people can read the files, and ``now`` is the instant
    from which on runs are foretold, None where the change is already done. A change of more than ``most_names``
    schedules that is no alarm names the first of them; ``where`` says where all names are. ``shared_titles`` are the
    titles that several groups have.
    """

    environments: Sequence[str] = ()
    web: Web | None = None
    now: datetime | None = None
    most_names: int | None = None
    where: str = ""
    shared_titles: frozenset[str] = frozenset()


def item(group: Group, view: View, *names: str) -> str:
    """Write a group; ``names`` are the texts that name its members."""
    facts = [
        f"{_title(group)} {_done(group.first)}",
        _cause(group.first),
        environments_phrase(group.environments, view.environments),
        _places(group, view.web),
        _owner(group),
    ]
    runs = _runs(group, view)
    details = [*names, *_broken(group.first), *_renamed(group.first), *_disabled(group.first), *_values(group), *runs]
    if follows := "; ".join(map(effect_text, _told(group, has_runs=bool(runs)))):
        details.append(follows)
    return "\n".join([f"- {' · '.join(filter(None, facts))}", *(f"  - {detail}" for detail in details if detail)])


def member_texts(group: Group, size: int) -> Iterator[tuple[str, list[str]]]:
    """Yield texts that name all members, ``size`` in each, and their names; the text of a single one is empty.

    Members with the same timing of their own stand together behind it.
    """
    if len(group.members) == 1:
        yield "", list(group.names)
        return
    by_detail: dict[str, list[str]] = {}
    for change in group.members:
        by_detail.setdefault(group.detail(change), []).append(change.name)
    members = [(detail, name) for detail, names in by_detail.items() for name in names]
    for start in range(0, len(members), size):
        together: dict[str, list[str]] = {}
        chunk = members[start : start + size]
        for detail, name in chunk:
            together.setdefault(detail, []).append(code(name))
        parts = [(f"{code(detail)}: " if detail else "") + ", ".join(names) for detail, names in together.items()]
        yield "; ".join(parts), [name for _, name in chunk]


def effect_text(effect: Effect) -> str:
    """Write a consequence, and of how many members it is; the rule at its end links to its page."""
    message, _, rule = effect.message.removesuffix(")").rpartition(" (SS")
    is_rule = len(rule) == len("222") and rule.isdigit() and effect.message.endswith(")")
    text = sentence(message if is_rule else effect.message, quoted=effect.code in _QUOTED)
    text += f" ({code_link(f'SS{rule}')})" if is_rule else ""
    return f"{text} ({sentence(effect.scope, quoted=False)})" if effect.scope else text


def _told(group: Group, *, has_runs: bool) -> Iterator[Effect]:
    hidden = _TOLD_BY_RUNS if has_runs else frozenset[str]()
    yield from (effect for effect in group.effects if effect.code not in hidden)


def _places(group: Group, web: Web | None) -> str:
    found = places(group.all_changes)
    shown = [place_link(place.location, web, at_base=place.is_gone) for place in found[:_PLACES_SHOWN]]
    return ", ".join(shown) + and_more(len(found), _PLACES_SHOWN)


def _owner(group: Group) -> str:
    found = owners(group.all_changes)
    if not found:
        return ""
    names = ", ".join(code(owner) if owner else "none" for owner in found[:_OWNERS_SHOWN])
    return f"owner{'s' if len(found) > 1 else ''} {names}{and_more(len(found), _OWNERS_SHOWN)}"


def _cause(change: Change) -> str:
    """Say that a change undoes what somebody did to the row; empty where only the files changed."""
    if change.cause == "files":
        return ""
    return f"{'also ' if change.cause == 'both' else ''}undoes an edit {code(edit_text(change.by))}"


def _broken(change: Change) -> Iterator[str]:
    if change.row is not None and change.row.spec is None:
        yield from (f"the row is broken: {code(problem.message)}" for problem in change.row.problems)


def _title(group: Group) -> str:
    """Write the name; of several members how many they are, which is no name and stands in no span."""
    return group.title if len(group.members) > 1 and group.template is None else code(group.title)


def _done(change: Change) -> str:
    """Write what an apply does in one word; a schedule that stays, and does not run, is disabled."""
    is_past = change.after is not None and isinstance(change.after.timing, Clocked)
    return "disabled" if change.kind == "update" and _is_disabled_now(change) and not is_past else DONE[change.kind]


def _renamed(change: Change) -> Iterator[str]:
    if isinstance(change, Rename):
        yield "keeps its row, its history and its last run"


def _disabled(change: Change) -> Iterator[str]:
    if change.after is None or change.after.enabled:
        return
    if isinstance(change.after.timing, Clocked):
        yield "its time has passed, so it never runs"
    elif change.people.disabled_reason:
        yield f"reason: {code(printable(change.people.disabled_reason))}"


def _is_disabled_now(change: Change) -> bool:
    return any(field.field == "enabled" and field.after is False for field in change.fields)


def _values(group: Group) -> Iterator[str]:
    """Yield the fields: of what is new or gone in one line, else before and after, a line for each."""
    values = []
    for field in group.fields:
        if field.field == "enabled" and _is_disabled_now(group.first) and group.first.row is not None:
            # Said above, with the reason.
            continue
        before, after = map(code, group.moved(field))
        words = _in_words(group, field)
        # Of a broken row no value is known.
        if group.first.row is None or (group.first.row.spec is None and group.first.after is not None):
            values.append(f"{field.field} {_explained(words[1], after)}")
        elif group.first.after is None:
            values.append(f"{field.field} {_explained(words[0], before)}")
        elif all(words):
            yield f"{field.field} {words[0]} → {words[1]} ({before} → {after}){_undone(group.first, field)}"
        else:
            yield f"{field.field} {before} → {after}{_undone(group.first, field)}"
    if values:
        yield " · ".join(values)


def _undone(change: Change, field: FieldChange) -> str:
    """Say whose value a field had, where the files changed some fields and somebody else others."""
    if change.cause != "both" or field.cause == "files":
        return ""
    return " (edited in the row)" if field.cause == "drift" else " (edited in the row, and changed in the files)"


def _explained(words: str, value: str) -> str:
    return f"{words} ({value})" if words else value


def _in_words(group: Group, field: FieldChange) -> tuple[str, str]:
    """Return a crontab before and after in words; empty for other values, and where each member has one of its own."""
    if field.field != "timing" or any(group.detail(change) for change in group.members):
        return "", ""
    known = [spec for spec in specs(group.first) if spec is not None]
    if not all(isinstance(spec.timing, Crontab) for spec in known):
        return "", ""
    before, after = timings(field.before, field.after) or (None, None)
    return sentence(before, quoted=False) if before else "", sentence(after, quoted=False) if after else ""


def _runs(group: Group, view: View) -> list[str]:
    """Return the next runs before and after, where the timing moves; nothing if they are not the same for all."""
    change, (old, new) = group.first, specs(group.first)
    moves = any(field.field == "timing" for field in change.fields)
    if view.now is None or not moves or old is None or new is None or not run_alike(group.all_changes):
        return []
    is_single = len(group.members) == 1
    if any(isinstance(spec.timing, Interval) for spec in (old, new)) and not (
        is_single and change.row and change.row.last_run_at
    ):
        # Nobody knows when an interval runs next that counts from a run which is not known.
        return []
    runs = next_runs(change, view.now)
    if not all(runs):
        return []
    before, after = (
        ", ".join(moment(run, zone_of(spec.timing), view.now) for run in each)
        for each, spec in zip(runs, (old, new), strict=True)
    )
    zones = [zone_name(spec.timing) for spec in (old, new)]
    names = [sentence(name, quoted=False) for name in zones]
    if zones[0] == zones[1]:
        return [f"next runs {before} → {after} ({names[1]})"]
    return [f"next runs {before} ({names[0]}) → {after} ({names[1]})"]
