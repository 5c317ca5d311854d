"""What every renderer says alike: values as people read them, text that cannot break a line, many alike as one."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schedsync.core.change import Change, Edit, FieldChange, Held
from schedsync.core.finding import Finding
from schedsync.core.names import counted as counted
from schedsync.core.names import first_names, shortened
from schedsync.core.observed import Paused
from schedsync.core.schedule import LONGEST_NAME
from schedsync.core.secrets import changed_secrets, masked
from schedsync.core.timing import TimingError, instant, moment
from schedsync.render.timing_words import timing_words as timing_words

if TYPE_CHECKING:
    # Reading the tables of a database needs the words, but neither a plan nor a review.
    from schedsync.planning.plan import Plan
    from schedsync.review.result import EnvironmentReview

#: In the order in which a summary names them.
COUNTED = ("create", "update", "rename", "adopt", "release", "delete")
_VERBS = {
    "create": "to create",
    "update": "to update",
    "rename": "to rename",
    "adopt": "to adopt",
    "release": "no longer to manage",
    "delete": "to delete",
}
#: What an apply has done, by the kind of change.
DONE = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "rename": "renamed",
    "adopt": "adopted",
    "release": "no longer managed",
}
#: The same for records: there the files may also have taken over what somebody changed or deleted in the tables.
RECORDED = {**DONE, "accept": "accepted", "forget": "forgotten"}
_JSON = json.JSONEncoder(ensure_ascii=False)
#: In characters. A longer value is cut.
LONGEST = 200
#: How much of a long value is shown before the first difference.
_CONTEXT = 40
#: Commands that the runners of GitHub and Azure find anywhere in a line.
RUNNER = re.compile(r"##(?=[a-z]*\[)")
#: How many labels of a schedule are shown.
_LABELS = 10
#: Up to this number of equal pauses have a line each.
_FEW_PAUSES = 3
_NAMED_PAUSES = 10
_INSTANTS = frozenset({"start_at", "expires_at"})
#: What can hold a secret.
ARGUMENTS = frozenset({"args", "kwargs", "headers"})


def drift_text(value: Plan) -> str:
    """Return how many schedules somebody edited, and how many a human holds; only what there is."""
    counts = {
        "edited behind Git's back": len(value.changes),
        "held by a human": len(value.held),
        "rolled back": len(value.rolled_back),
        "whose monitor was deleted or changed at its service": len(value.monitors),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def printable(text: str) -> str:
    """Return text in which control characters, and such as turn the writing direction, are shown as escapes.

    So is what GitHub's runner takes for a command wherever it stands in a line of a log.
    """
    if not text.isprintable():
        text = "".join(_visible(character) for character in text)
    return RUNNER.sub("#\\\\u0023", text) if "##" in text else text


def _visible(character: str) -> str:
    # XML cannot hold the last two characters of the basic plane.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in "\ufffe\uffff":
        return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
    return character


def finding_text(finding: Finding) -> str:
    """Return the message of a finding, and the environments that have it where others have it not."""
    where = f" (in {', '.join(finding.environments)})" if finding.environments else ""
    return printable(f"{finding.message}{where}")


def named_text(finding: Finding) -> str:
    """Return the text of a finding behind the name of its schedule, unless the message says it."""
    name = finding.schedule
    subject = "" if name is None or name in finding.message else f"{printable(shortened(name, LONGEST_NAME))}: "
    return f"{subject}{finding_text(finding)}"


def value_text(field: str, value: Any) -> str:
    """Write a field's value for people, in one line."""
    return _cut(_full_text(field, value))


def _full_text(field: str, value: Any) -> str:
    value = masked(value)
    if value is None:
        text = "none"
    elif field == "timing":
        text = _timing_text(value)
    elif field in _INSTANTS and isinstance(value, str):
        text = _instant_text(value)
    elif isinstance(value, str):
        text = value or "none"
    else:
        text = _JSON.encode(value)
    return printable(text)


def _cut(text: str, start: int = 0, longest: int = LONGEST) -> str:
    """Return a text from a place on, short enough for one line; it says how much of its end is missing."""
    end = start + longest
    more = f"… ({len(text) - end:,} more characters)" if len(text) > end else ""
    return f"{'…' if start else ''}{text[start:end]}{more}"


def moved_text(change: FieldChange, longest: int = LONGEST) -> tuple[str, str]:
    """Write a field's values before and after; of a secret only that it changed, of long values where they differ."""
    if _is_short(change.before) and _is_short(change.after):
        return _moved_once(change.field, change.before, change.after, longest)
    return _moved(change.field, change.before, change.after, longest)


def _is_short(value: Any) -> bool:
    return not isinstance(value, (dict, list)) and (not isinstance(value, str) or len(value) <= LONGEST)


def _moved(field: str, was: Any, will: Any, longest: int) -> tuple[str, str]:
    before, after = _full_text(field, was), _full_text(field, will)
    if field in ARGUMENTS and was is not None and will is not None:
        after = printable(_JSON.encode(changed_secrets(was, will)))
    if max(len(before), len(after)) <= longest or was is None or will is None:
        return _cut(before, 0, longest), _cut(after, 0, longest)
    start = max(0, _common_length(before, after) - _CONTEXT)
    return _cut(before, start, longest), _cut(after, start, longest)


#: Many schedules have the same queue or task, but each its own arguments.
_moved_once = lru_cache(maxsize=4096, typed=True)(_moved)


def _common_length(before: str, after: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((number for number, (old, new) in pairs if old != new), min(len(before), len(after)))


def _timing_text(form: Mapping[str, Any]) -> str:
    if "crontab" in form:
        return f"{form['crontab']} {form['timezone']}"
    if "every" in form:
        return f"every {form['every']}"
    if "solar" in form:
        solar = form["solar"]
        return f"{solar['event']} at {solar['latitude']}, {solar['longitude']}"
    return f"at {_instant_text(str(form['at']))}"


def _instant_text(text: str) -> str:
    """Write an instant of a document for people; as it is where a moment would leave some of it out."""
    try:
        value = instant(text)
    except TimingError:
        return text
    return text if value.microsecond else time_text(value)


def summary_text(plan: Plan) -> str:
    """Write the counts of a plan as one phrase."""
    counts = plan.summary()
    parts = [f"{counts[kind]:,} {_VERBS[kind]}" for kind in COUNTED if counts[kind]] or ["no changes"]
    quiet = [f"{counts[state]:,} {state}" for state in ("unchanged", "held", "completed") if counts[state]]
    if plan.paused:
        quiet.append(f"{len(plan.paused):,} paused")
    if plan.removing:
        quiet.append(f"{len(plan.removing):,} removing")
    if plan.rolled_back:
        quiet.append(f"{len(plan.rolled_back):,} rolled back")
    if plan.drifted:
        quiet.append(f"{len(plan.drifted):,} drifted")
    return ", ".join(parts) + ("; " + ", ".join(quiet) if quiet else "")


def review_summary_text(review: EnvironmentReview) -> str:
    """Write the counts of a review in one environment as one phrase."""
    summary = summary_text(review.plan)
    # What was not compared may change all the same.
    known = summary if review.is_complete else summary.replace("no changes", "no known changes", 1)
    return "; ".join([known, *not_compared_texts(review)])


def not_compared_texts(review: EnvironmentReview) -> Sequence[str]:
    """Write how much of a review was not compared."""
    parts, schedules = [], sum(review.broken_files)
    if review.not_compared:
        parts.append(f"{counted(review.not_compared, 'definition')} not compared")
    if review.broken_files:
        what = counted(schedules, "schedule") if schedules else counted(len(review.broken_files), "file")
        parts.append(f"{what} not compared")
    if review.moved_submodules:
        parts.append(f"{counted(review.moved_submodules, 'submodule')} not compared")
    return parts


def stops_of(plan: Plan) -> int:
    """Return how many schedules stop."""
    return sum(any(each.code == "stops" for each in change.consequences) for change in plan.changes)


def side_text(head: str | None) -> str:
    """Write which revision is looked at."""
    return "the work tree" if head is None else head[:12]


def environments_text(names: Sequence[str | None]) -> str:
    """Write for which environments something is said; empty where there are none."""
    return ", ".join(name for name in names if name)


def scope_text(plan: Plan) -> str:
    """Write which set, environment and commit a plan is for."""
    environment = f" in {plan.binding.environment}" if plan.binding.environment else ""
    commit = f" at {text}" if (text := plan.binding.commit_text) else ""
    return f"set {plan.set}{environment}{commit}"


def time_text(value: datetime | None, now: datetime | None = None) -> str:
    """Write an instant in UTC; without its year where it is near ``now``."""
    return f"{moment(value, now=now)} UTC" if value is not None else "an unknown time"


def edit_text(edit: Edit | None, now: datetime | None = None) -> str:
    """Write who edited a row, and when."""
    if edit is None:
        return "by an unknown user (nothing in Django's admin log)"
    return f"by {printable(edit.user)} at {time_text(edit.time, now)}"


def held_text(held: Held, now: datetime | None = None) -> str:
    """Write who holds a schedule, and since when."""
    if held.by is None:
        return f"{printable(held.name)}: disabled since the last apply"
    return f"{printable(held.name)}: disabled by {printable(held.by.user)} since {time_text(held.since, now)}"


def pause_text(pause: Paused, now: datetime) -> str:
    """Write who paused a schedule, why, and until when."""
    until = f"until {time_text(pause.until, now)}" if pause.until else "until it is resumed"
    ended = ", its time is over" if pause.ended(now) else ""
    return f"{printable(pause.name)}: paused by {printable(pause.who)} {until}{ended}: {printable(pause.reason)}"


def pause_lines(pauses: Iterable[Paused], now: datetime) -> Iterator[str]:
    """Yield a line for each pause, and one line with a count for many that one person has made for one reason."""
    groups: dict[tuple[str, str, datetime | None], list[Paused]] = {}
    for pause in pauses:
        groups.setdefault((pause.who, pause.reason, pause.until), []).append(pause)
    for group in groups.values():
        if len(group) <= _FEW_PAUSES:
            yield from (pause_text(pause, now) for pause in group)
            continue
        names = first_names([printable(pause.name) for pause in group], _NAMED_PAUSES)
        yield f"{pause_text(replace(group[0], name=f'{len(group):,} schedules'), now)} ({names})"


def people_text(change: Change, *, verbose: bool = False) -> str:
    """Write whom to ask about a schedule; empty where the files don't say. ``verbose`` lists all labels."""
    people = change.people
    labels = [f"label {key}={value}" for key, value in masked(dict(people.labels)).items()]
    shown = len(labels) if verbose else _LABELS
    said: Sequence[str | None] = (
        people.owner and f"owner {people.owner}",
        people.runbook and f"runbook {masked(people.runbook)}",
        first_names(labels, shown) or None,
        people.disabled_reason and f"disabled: {people.disabled_reason}",
    )
    return printable(", ".join(filter(None, said)))
