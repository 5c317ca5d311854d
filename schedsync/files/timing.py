"""The timing of a schedule: exactly one of the keys ``crontab``, ``every``, ``solar`` and ``at``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from schedsync.core import timing as timings
from schedsync.core.crontab import FIELDS, FIELDS_BY_NAME, CrontabError, expand, split
from schedsync.core.finding import did_you_mean
from schedsync.core.location import Location
from schedsync.core.timing import Timing, TimingError
from schedsync.files.misspelt import is_misspelt
from schedsync.files.node import Node
from schedsync.files.reporter import Reporter

TIMINGS = ("crontab", "every", "solar", "at")
#: A field's text, the node that contains it, and the offset of the field within that node's text.
_Field = tuple[str, Node, int]


def read_timing(
    name: str, shown: str, place: Location, fields: Mapping[str, Node], reporter: Reporter
) -> Timing | None:
    """Return the timing of a schedule; None, with a finding, if it has none, several, or an invalid one.

    ``name`` seeds `H`; ``shown`` is the name as it is written, with placeholders.
    """
    zone = _zone(fields.get("timezone"), reporter)
    keys = [key for key in TIMINGS if key in fields]
    if not keys and is_misspelt(TIMINGS, fields, reporter.lookups):
        return None
    if len(keys) != 1:
        problem = "has no timing" if not keys else f"has {len(keys)} timings: {', '.join(keys)}"
        where = fields[keys[1]].at(reporter.path) if keys else place
        reporter.finding("SS130", f"`{shown}` {problem}", where, "exactly one of `crontab`, `every`, `solar` and `at`")
        return None
    key = keys[0]
    node = fields[key]
    if key == "crontab":
        return _crontab(node, zone, name, reporter)
    code, read = _OTHER_TIMINGS[key]
    try:
        return read(node)
    except TimingError as error:
        reporter.finding(code, error.message, node.at(reporter.path), error.hint)
        return None


def _zone(node: Node | None, reporter: Reporter) -> str | None:
    if node is None:
        return "UTC"
    if not isinstance(node.value, str):
        return None
    try:
        return timings.canonical_zone(node.value)
    except TimingError as error:
        reporter.finding("SS137", error.message, node.at(reporter.path), _zone_hint(node.value))
        return None


# A wrong zone under `defaults` is looked up for every schedule of the file, among 600 names each time.
@lru_cache(maxsize=256)
def _zone_hint(name: str) -> str:
    return did_you_mean(name, timings.known_zones()) or "an IANA name, such as `Europe/Berlin`"


def _crontab(node: Node, zone: str | None, name: str, reporter: Reporter) -> Timing | None:
    if zone is not None and isinstance(node.value, str) and (known := _plain_crontab(node.value, zone)):
        return known
    fields = _crontab_fields(node, reporter)
    if fields is None:
        return None
    seed = name if any("H" in text for text, _, _ in fields.values()) else ""
    if not _check_fields(fields, node, seed, reporter) or zone is None:
        return None
    try:
        return timings.crontab({key: text for key, (text, _, _) in fields.items()}, zone, seed)
    except CrontabError as error:
        reporter.finding("SS132", error.message, node.at(reporter.path), error.hint)
        return None


def _check_fields(fields: Mapping[str, _Field], node: Node, seed: str, reporter: Reporter) -> bool:
    """Say whether all five fields are right; report each that is not, where its text is wrong."""
    right = True
    for field in FIELDS:
        text, holder, offset = fields.get(field.name, ("*", node, 0))
        try:
            expand(text, field, seed)
        except CrontabError as error:
            reporter.finding("SS131", error.message, holder.at(reporter.path, offset + error.offset), error.hint)
            right = False
    return right


# Most schedules of a large set share their crontabs with others.
@lru_cache(maxsize=65536)
def _plain_crontab(text: str, zone: str) -> Timing | None:
    """Return the crontab of a text without `H`, which is the same for every name; None if it is not right."""
    if "H" in text:
        return None
    try:
        parts = split(text)
        return timings.crontab({field.name: part for field, (part, _) in zip(FIELDS, parts, strict=True)}, zone)
    except CrontabError:
        return None


def _crontab_fields(node: Node, reporter: Reporter) -> dict[str, _Field] | None:
    """Return the fields of a crontab by name; None, with a finding, if it cannot be split into fields."""
    if isinstance(node.value, dict):
        return _mapped_fields({key: node.value[key] for key in FIELDS_BY_NAME if key in node.value}, reporter)
    if not isinstance(node.value, str):
        return None
    try:
        parts = split(node.value)
    except CrontabError as error:
        reporter.finding("SS131", error.message, node.at(reporter.path), error.hint)
        return None
    return {field.name: (text, node, offset) for field, (text, offset) in zip(FIELDS, parts, strict=True)}


def crontab_text(node: Node | None) -> str | None:
    """Return a crontab as it is written: five fields, or an alias; None if there is none."""
    if node is None or not isinstance(node.value, dict):
        return node.value if node is not None and isinstance(node.value, str) else None
    return " ".join(str(node.value[name].value) if name in node.value else "*" for name in FIELDS_BY_NAME)


def _mapped_fields(parts: Mapping[str, Node], reporter: Reporter) -> dict[str, _Field] | None:
    for key, node in parts.items():
        if isinstance(node.value, bool) or not isinstance(node.value, (str, int)):
            message = f"`{key}` takes text or a whole number, not `{node.value}`"
            reporter.finding("SS121", message, node.at(reporter.path))
            return None
    return {key: (str(node.value), node, 0) for key, node in parts.items()}


def _every(node: Node) -> Timing | None:
    if not isinstance(node.value, str):
        return None
    return timings.interval(timings.duration(node.value), 1)


def _solar(node: Node) -> Timing | None:
    values = node.plain()
    if not isinstance(values, dict) or not {"event", "latitude", "longitude"} <= set(values):
        return None
    degrees = (values["latitude"], values["longitude"])
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in degrees):
        return None
    return timings.solar(str(values["event"]), *degrees)


def _at(node: Node) -> Timing | None:
    return timings.Clocked(timings.instant(node.value)) if isinstance(node.value, str) else None


#: By key: the code of a finding about the value, and the function that reads the value or raises TimingError.
_OTHER_TIMINGS: Mapping[str, tuple[str, Callable[[Node], Timing | None]]] = {
    "every": ("SS133", _every),
    "solar": ("SS135", _solar),
    "at": ("SS136", _at),
}
