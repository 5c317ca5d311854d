"""One schedule: its nodes become one immutable value, with a finding at each value that is not valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schedsync.core import timing as timings
from schedsync.core.location import Location
from schedsync.core.schedule import NOBODY, People, Schedule, Spec, Template, canonical_json, with_plain_breaks
from schedsync.core.timing import TimingError
from schedsync.files.bounds import MAX_ARGUMENTS
from schedsync.files.misspelt import is_misspelt
from schedsync.files.monitor import read_monitor
from schedsync.files.names import message_text
from schedsync.files.node import Node
from schedsync.files.reporter import Reporter
from schedsync.files.timing import crontab_text, read_timing

_MESSAGE_TEXTS = ("queue", "exchange", "routing_key")
_JSON = {"args": list, "kwargs": dict, "headers": dict}
#: Each schedule keeps its labels as objects; they cost more than arguments, which become text.
_COPY = 8
_COPIED = ("labels", "ignore_changes")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "delivery": ("at_least_once", "at_most_once"),
    "missed_runs": ("latest", "all", "none"),
    "overlap": ("allow", "skip"),
}
#: The keys that take whole seconds, and the words for them.
_SECONDS = {"expires_after": "expiry", "starting_deadline": "deadline", "max_runtime": "runtime"}
_PEOPLE_KEYS = frozenset(People.__match_args__)


def read_schedule(
    name: str, place: Location, fields: Mapping[str, Node], reporter: Reporter, template: Template | None = None
) -> Schedule | None:
    """Build a schedule from its fields, after defaults, environment and placeholders.

    Returns None if it cannot be built; a finding then says why.
    """
    shown = template.name if template else name
    copied = sum(_COPY * fields[key].weight for key in _COPIED if key in fields)
    reporter.budget.spend((name, _text(fields.get("description"))), copied)
    timing = read_timing(name, shown, place, fields, reporter)
    options = _options(fields, reporter, isinstance(timing, timings.Clocked))
    task = _task(fields, shown, place, reporter)
    if timing is None or task is None:
        return None
    runs_once, limit = options["one_off"], options.get("max_runtime")
    options["monitor"] = read_monitor(fields, shown, timing, reporter, one_off=runs_once, max_runtime=limit)
    return Schedule(
        name=name,
        spec=Spec(task=task, timing=timing, **options),
        location=place,
        people=_people(fields),
        edit_may_fire=_flag(fields, "edit_may_fire", False),
        renamed_from=_text(fields.get("renamed_from")),
        adopt=_flag(fields, "adopt", False),
        adopt_from=_adopt_from(fields.get("adopt")),
        ignore_changes=_ignore_changes(fields),
        template=template,
        crontab_text=crontab_text(fields.get("crontab")),
        positions={key: (node.line, node.column) for key, node in fields.items()},
    )


def _task(fields: Mapping[str, Node], shown: str, place: Location, reporter: Reporter) -> str | None:
    if "task" not in fields:
        if is_misspelt(("task",), fields, reporter.lookups):
            return None
        reporter.finding("SS122", f"`{shown}` has no `task`", place, "the task's name, as the worker registers it")
        return None
    return message_text(fields["task"], "task", reporter)


def _options(fields: Mapping[str, Node], reporter: Reporter, clocked: bool) -> dict[str, Any]:
    """Return the keyword arguments of the spec that the fields give, besides task and timing."""
    options: dict[str, Any] = _arguments(fields, reporter)
    for key in _MESSAGE_TEXTS:
        if key in fields:
            options[key] = message_text(fields[key], key, reporter)
    if (description := _text(fields.get("description"))) is not None:
        options["description"] = with_plain_breaks(description)
    for key, choices in _CHOICES.items():
        if key in fields and fields[key].value in choices:
            options[key] = fields[key].value
    if "priority" in fields:
        options["priority"] = _whole_number(fields["priority"].value)
    options["enabled"] = _flag(fields, "enabled", True)
    options["one_off"] = _one_off(fields, reporter, clocked)
    _check_overlap(fields, reporter)
    return options | _time_limits(fields, reporter)


def _check_overlap(fields: Mapping[str, Node], reporter: Reporter) -> None:
    """Find an `overlap: skip` that no `max_runtime` bounds: a worker that dies would stop the schedule for ever."""
    overlap, limit = fields.get("overlap"), fields.get("max_runtime")
    if overlap is not None and overlap.value == "skip" and (limit is None or limit.value is None):
        reporter.finding(
            "SS139", "`overlap: skip` needs `max_runtime`: if a worker dies, its run counts as ended after that time",
            overlap.at(reporter.path), "write the longest time that a run may take, for example `max_runtime: 2h`",
        )  # fmt: skip


def _arguments(fields: Mapping[str, Node], reporter: Reporter) -> dict[str, Any]:
    """Return `args`, `kwargs` and `headers` as JSON text, where they are given."""
    texts: dict[str, Any] = {}
    for key, kind in _JSON.items():
        if key not in fields or not isinstance(fields[key].value, kind):
            continue
        texts[key] = text = canonical_json(fields[key].plain())
        reporter.budget.spend((text,), fields[key].weight)
        if len(text) > MAX_ARGUMENTS:
            message = f"`{key}` of {len(text):,} characters; a schedule has at most {MAX_ARGUMENTS:,}"
            hint = "pass where the data is, and let the task fetch it"
            reporter.finding("SS104", message, fields[key].at(reporter.path), hint)
    return texts


def _whole_number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _one_off(fields: Mapping[str, Node], reporter: Reporter, clocked: bool) -> bool:
    if clocked and not _flag(fields, "one_off", True):
        reporter.finding(
            "SS139", "`at` runs once; `one_off: false` contradicts it", fields["one_off"].at(reporter.path),
            "leave out `one_off`; Beat crashes on such a row",
        )  # fmt: skip
    return clocked or _flag(fields, "one_off", False)


def _time_limits(fields: Mapping[str, Node], reporter: Reporter) -> dict[str, Any]:
    """Return the expiry in seconds or as an instant, the start, and the deadline in seconds, where they are given."""
    if "expires_after" in fields and "expires_at" in fields:
        reporter.finding(
            "SS139", "`expires_after` and `expires_at` exclude each other", fields["expires_at"].at(reporter.path),
            "django-celery-beat sends only one of them",
        )  # fmt: skip
    limits: dict[str, Any] = {
        key: _seconds(fields[key], reporter, word) for key, word in _SECONDS.items() if key in fields
    }
    for key in ("expires_at", "start_at"):
        node = fields.get(key)
        if node is not None and isinstance(node.value, str):
            try:
                limits[key] = timings.instant(node.value)
            except TimingError as error:
                reporter.finding("SS136", error.message, node.at(reporter.path), error.hint)
    if "expires_at" in limits and "start_at" in limits and limits["expires_at"] <= limits["start_at"]:
        place = fields["expires_at"].at(reporter.path)
        reporter.finding("SS139", "`expires_at` is not after `start_at`: the schedule would never run", place)
    return limits


def _seconds(node: Node, reporter: Reporter, word: str) -> int | None:
    if not isinstance(node.value, str):
        return None
    try:
        microseconds = timings.duration(node.value)
    except TimingError as error:
        reporter.finding("SS133", error.message, node.at(reporter.path), error.hint)
        return None
    if microseconds % 10**6 or not 0 < microseconds < 2**31 * 10**6:
        hint = "Celery ignores a message's expiry of 0" if word == "expiry" and not microseconds else None
        message = f"`{node.value}` is not a valid {word}: whole seconds, at least 1, at most 68 years"
        reporter.finding("SS133", message, node.at(reporter.path), hint)
        return None
    return microseconds // 10**6


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _flag(fields: Mapping[str, Node], key: str, default: bool) -> bool:
    node = fields.get(key)
    return node.value if node is not None and isinstance(node.value, bool) else default


def _adopt_from(node: Node | None) -> str | None:
    return _text(node.value.get("from")) if node is not None and isinstance(node.value, dict) else None


def _ignore_changes(fields: Mapping[str, Node]) -> frozenset[str]:
    node = fields.get("ignore_changes")
    if node is None or not isinstance(node.value, list):
        return frozenset()
    return frozenset(item.value for item in node.value if item.value in Spec.__match_args__)


def _people(fields: Mapping[str, Node]) -> People:
    if _PEOPLE_KEYS.isdisjoint(fields):
        return NOBODY
    node = fields.get("labels")
    labels = node.plain() if node is not None and isinstance(node.value, dict) else {}
    return People(
        owner=_text(fields.get("owner")),
        runbook=_text(fields.get("runbook")),
        labels=tuple(sorted((key, str(value)) for key, value in labels.items())),
        disabled_reason=_text(fields.get("disabled_reason")),
    )
