"""One schedule's nodes become one immutable value, with a finding at each value that cannot be meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schedsync.core import timing as timings
from schedsync.core.crontab import FIELDS, FIELDS_BY_NAME, CrontabError, expand, split
from schedsync.core.finding import Finding, Severity, did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import LONGEST_NAME, NOBODY, People, Schedule, Spec, canonical_json
from schedsync.core.timing import Timing, TimingError
from schedsync.files.node import Node

TIMINGS = ("crontab", "every", "solar", "at")
_TEXTS = ("queue", "exchange", "routing_key")
_JSON = {"args": list, "kwargs": dict, "headers": dict}
# Overrides of the writing direction make a name read as another one.
_DIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Reader:
    """Where a schedule's values are read from, and where its findings go."""

    path: str
    report: Callable[[Finding], None]

    def finding(
        self, code: str, message: str, place: Location, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        """Report one finding."""
        self.report(Finding(code, message, place, hint, severity))


def read_schedule(
    name: str, place: Location, fields: Mapping[str, Node], reader: Reader, template: str | None = None
) -> Schedule | None:
    """Build a schedule from its fields, after defaults, environment and placeholders.

    Returns None where it cannot be built; why is then among the findings.
    """
    shown = template or name
    timing = _timing(name, shown, place, fields, reader)
    options = _options(fields, reader, isinstance(timing, timings.Clocked))
    task = _task(fields, shown, place, reader)
    if timing is None or task is None:
        return None
    return Schedule(
        name=name,
        spec=Spec(task=task, timing=timing, **options),
        location=place,
        people=_people(fields),
        edit_may_fire=_flag(fields, "edit_may_fire", False),
        renamed_from=_text(fields.get("renamed_from")),
        adopt=_flag(fields, "adopt", False),
        ignore_changes=_ignored(fields),
        template=template,
        places={key: (node.line, node.column) for key, node in fields.items()},
    )


def _task(fields: Mapping[str, Node], shown: str, place: Location, reader: Reader) -> str | None:
    if "task" not in fields:
        reader.finding("SS122", f"`{shown}` has no `task`", place, "the task's name, as the worker registers it")
        return None
    return _line(fields["task"], "task", reader)


def _line(node: Node, key: str, reader: Reader) -> str | None:
    """Return a name that goes into the message's header: text in one line, as long as its column."""
    value = node.value
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isprintable() and 0 < len(value) <= LONGEST_NAME:
        return value
    if bad := next((one for one in value if _unprintable(one)), None):
        reader.finding("SS123", f"`{key}` with the control character U+{ord(bad):04X}", node.at(reader.path))
    elif not 0 < len(value) <= LONGEST_NAME:
        message = f"`{key}` of {len(value)} characters, the table holds 1 to {LONGEST_NAME}"
        reader.finding("SS123", message, node.at(reader.path))
    else:
        return value
    return None


def check_name(name: str, place: Location, reader: Reader) -> bool:
    """Say whether a text can be a schedule's name; if not, why is among the findings."""
    if name.isascii() and name.isprintable() and 0 < len(name) <= LONGEST_NAME and _is_ordinary(name):
        return True
    if not name or name != name.strip():
        reader.finding("SS140", "a name neither is empty nor begins or ends with white space", place)
    elif len(name) > LONGEST_NAME:
        reader.finding("SS140", f"a name of {len(name)} characters, the table holds {LONGEST_NAME}", place)
    elif bad := next((one for one in name if _unprintable(one)), None):
        reader.finding("SS140", f"a name with the control character U+{ord(bad):04X}", place)
    elif name.lower().startswith("celery."):
        reader.finding(
            "SS143", f"`{name}` belongs to Beat itself", place, "names that begin with `celery.` are its own"
        )
    else:
        return True
    return False


def _is_ordinary(name: str) -> bool:
    return name[0] not in " cC" and name[-1] != " "


def _unprintable(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _DIRECTIONAL


def _timing(name: str, shown: str, place: Location, fields: Mapping[str, Node], reader: Reader) -> Timing | None:
    zone = _zone(fields.get("timezone"), reader)
    given = [key for key in TIMINGS if key in fields]
    if len(given) != 1:
        what = "has no timing" if not given else f"has {len(given)} timings: {', '.join(given)}"
        where = fields[given[1]].at(reader.path) if given else place
        reader.finding("SS130", f"`{shown}` {what}", where, "exactly one of `crontab`, `every`, `solar` and `at`")
        return None
    key = given[0]
    node = fields[key]
    try:
        return _crontab(node, zone, name, reader) if key == "crontab" else _TIMING_READERS[key](node, reader)
    except TimingError as error:
        code = {"every": "SS133", "solar": "SS135", "at": "SS136"}[key]
        reader.finding(code, error.message, node.at(reader.path), error.hint)
        return None


def _crontab(node: Node, zone: str | None, name: str, reader: Reader) -> Timing | None:
    if zone is not None and isinstance(node.value, str) and (known := _plain_crontab(node.value, zone)):
        return known
    texts = _crontab_fields(node, reader)
    if texts is None:
        return None
    seed = name if any("H" in text for text, _, _ in texts.values()) else ""
    wrong = False
    for field in FIELDS:
        text, holder, offset = texts.get(field.name, ("*", node, 0))
        try:
            expand(text, field, seed)
        except CrontabError as error:
            reader.finding("SS131", error.message, holder.at(reader.path, offset + error.offset), error.hint)
            wrong = True
    if wrong or zone is None:
        return None
    try:
        return timings.crontab({key: text for key, (text, _, _) in texts.items()}, zone, seed)
    except CrontabError as error:
        reader.finding("SS132", error.message, node.at(reader.path), error.hint)
        return None


@lru_cache(maxsize=65536)
def _plain_crontab(text: str, zone: str) -> Timing | None:
    """Return the crontab of a text that is right and the same for every name; else None."""
    if "H" in text:
        return None
    try:
        parts = split(text)
        return timings.crontab({field.name: part for field, (part, _) in zip(FIELDS, parts, strict=True)}, zone)
    except CrontabError:
        return None


def _crontab_fields(node: Node, reader: Reader) -> dict[str, tuple[str, Node, int]] | None:
    """Return each field's text, the node that holds it, and its offset within that node's text."""
    if isinstance(node.value, dict):
        return _mapped_fields({key: node.value[key] for key in FIELDS_BY_NAME if key in node.value}, reader)
    if not isinstance(node.value, str):
        return None
    try:
        parts = split(node.value)
    except CrontabError as error:
        reader.finding("SS131", error.message, node.at(reader.path), error.hint)
        return None
    return {field.name: (text, node, offset) for field, (text, offset) in zip(FIELDS, parts, strict=True)}


def _mapped_fields(parts: Mapping[str, Node], reader: Reader) -> dict[str, tuple[str, Node, int]] | None:
    for key, node in parts.items():
        if isinstance(node.value, bool) or not isinstance(node.value, (str, int)):
            message = f"`{key}` takes text or a whole number, not `{node.value}`"
            reader.finding("SS121", message, node.at(reader.path))
            return None
    return {key: (str(node.value), node, 0) for key, node in parts.items()}


def _zone(node: Node | None, reader: Reader) -> str | None:
    if node is None:
        return "UTC"
    if not isinstance(node.value, str):
        return None
    try:
        return timings.canonical_zone(node.value)
    except TimingError as error:
        reader.finding("SS137", error.message, node.at(reader.path), _zone_hint(node.value))
        return None


@lru_cache(maxsize=256)
def _zone_hint(name: str) -> str:
    return did_you_mean(name, timings.known_zones()) or "an IANA name, such as `Europe/Berlin`"


def _every(node: Node, _reader: Reader) -> Timing | None:
    if not isinstance(node.value, str):
        return None
    return timings.interval(timings.duration(node.value), 1)


def _solar(node: Node, _reader: Reader) -> Timing | None:
    values = node.plain()
    if not isinstance(values, dict) or not {"event", "latitude", "longitude"} <= set(values):
        return None
    degrees = (values["latitude"], values["longitude"])
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in degrees):
        return None
    return timings.solar(str(values["event"]), *degrees)


def _at(node: Node, _reader: Reader) -> Timing | None:
    return timings.Clocked(timings.instant(node.value)) if isinstance(node.value, str) else None


#: What the keys for our own Beat take.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "delivery": ("at_least_once", "at_most_once"),
    "missed_runs": ("latest", "all", "none"),
}
_TIMING_READERS: Mapping[str, Callable[[Node, Reader], Timing | None]] = {
    "every": _every,
    "solar": _solar,
    "at": _at,
}


def _options(fields: Mapping[str, Node], reader: Reader, clocked: bool) -> dict[str, Any]:
    """Return the keyword arguments of the spec that the fields give, besides task and timing."""
    result: dict[str, Any] = {}
    for key, kind in _JSON.items():
        if key in fields and isinstance(fields[key].value, kind):
            result[key] = canonical_json(fields[key].plain())
    for key in _TEXTS:
        if key in fields:
            result[key] = _line(fields[key], key, reader)
    if (description := _text(fields.get("description"))) is not None:
        result["description"] = description
    for key, known in CHOICES.items():
        if key in fields and fields[key].value in known:
            result[key] = fields[key].value
    if "priority" in fields:
        result["priority"] = _whole(fields["priority"].value)
    result["enabled"] = _flag(fields, "enabled", True)
    result["one_off"] = _one_off(fields, reader, clocked)
    return result | _limits(fields, reader)


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _one_off(fields: Mapping[str, Node], reader: Reader, clocked: bool) -> bool:
    if clocked and not _flag(fields, "one_off", True):
        reader.finding(
            "SS139", "`at` runs once, `one_off: false` cannot be meant", fields["one_off"].at(reader.path),
            "leave `one_off` out; Beat crashes on such a row",
        )  # fmt: skip
    return clocked or _flag(fields, "one_off", False)


def _limits(fields: Mapping[str, Node], reader: Reader) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if "expires_after" in fields and "expires_at" in fields:
        reader.finding(
            "SS139", "`expires_after` and `expires_at` exclude each other", fields["expires_at"].at(reader.path),
            "django-celery-beat sends only one of them",
        )  # fmt: skip
    for key, what in _SECONDS.items():
        if key in fields:
            result[key] = _seconds(fields[key], reader, what)
    for key in ("expires_at", "start_at"):
        node = fields.get(key)
        if node is not None and isinstance(node.value, str):
            try:
                result[key] = timings.instant(node.value)
            except TimingError as error:
                reader.finding("SS136", error.message, node.at(reader.path), error.hint)
    if "expires_at" in result and "start_at" in result and result["expires_at"] <= result["start_at"]:
        place = fields["expires_at"].at(reader.path)
        reader.finding("SS139", "`expires_at` is not after `start_at`, it would never run", place)
    return result


_SECONDS = {"expires_after": "expiry", "starting_deadline": "deadline"}


def _seconds(node: Node, reader: Reader, what: str) -> int | None:
    if not isinstance(node.value, str):
        return None
    try:
        microseconds = timings.duration(node.value)
    except TimingError as error:
        reader.finding("SS133", error.message, node.at(reader.path), error.hint)
        return None
    if microseconds % 10**6 or not 0 < microseconds < 2**31 * 10**6:
        hint = "Celery ignores a message's expiry of 0" if what == "expiry" and not microseconds else None
        message = f"`{node.value}` is no {what}: whole seconds, at least 1, at most 68 years"
        reader.finding("SS133", message, node.at(reader.path), hint)
        return None
    return microseconds // 10**6


def _text(node: Node | None) -> str | None:
    return node.value if node is not None and isinstance(node.value, str) else None


def _flag(fields: Mapping[str, Node], key: str, default: bool) -> bool:
    node = fields.get(key)
    return node.value if node is not None and isinstance(node.value, bool) else default


def _ignored(fields: Mapping[str, Node]) -> frozenset[str]:
    node = fields.get("ignore_changes")
    if node is None or not isinstance(node.value, list):
        return frozenset()
    return frozenset(item.value for item in node.value if item.value in Spec.__match_args__)


_PEOPLE_KEYS = frozenset(People.__match_args__)


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
