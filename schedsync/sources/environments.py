"""From the documents of a set to its schedules in one environment.

The order is: documented default, the file's ``defaults``, the schedule, its ``environments.E``; then ``for_each``.
A value replaces the whole value, a timing replaces any other timing, ``null`` restores the documented default.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import Desired, Schedule
from schedsync.sources.files import OutsideError
from schedsync.sources.node import Node
from schedsync.sources.parse import TIMINGS, Reader, check_name, read_schedule

#: So many schedules one ``for_each`` may make.
MAX_EXPANSION = 200_000
_EXPIRIES = ("expires_after", "expires_at")
_STRUCTURE = frozenset({"environments", "only_in", "for_each"})
_JSON = ("args", "kwargs", "headers")
_TEXTS = ("description", "queue", "renamed_from")
_TEMPLATED = (*_JSON, *_TEXTS)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_WHOLE = re.compile(r"\{([^{}]*)\}\Z")


@dataclass(frozen=True, slots=True)
class Document:
    """One file that could be read as YAML: its path, its content, and the files of the set by their path from it."""

    path: str
    root: Node
    beside: Callable[[str], bytes]

    def section(self, key: str, kind: type) -> Any:
        """Return what stands under a top-level key, or an empty value where that has another type."""
        node = self.root.value.get(key) if isinstance(self.root.value, dict) else None
        return node.value if node is not None and isinstance(node.value, kind) else kind()

    def entries(self) -> Iterator[tuple[str, Location, Mapping[str, Node]]]:
        """Yield each schedule's name, its place, and its fields as written."""
        if not isinstance(self.root.value, dict):
            return
        holder: Node = self.root.value.get("schedules", self.root)
        for name, node in self.section("schedules", dict).items():
            if isinstance(node.value, dict) and not name.startswith("\0"):
                yield name, holder.key_at(self.path, name), node.value


@dataclass(frozen=True, slots=True)
class Part:
    """What one file says in one environment: its schedules, the names it removes, and what was found."""

    schedules: tuple[Schedule, ...] = ()
    removed: tuple[tuple[str, Location], ...] = ()
    findings: tuple[Finding, ...] = ()


def uses_environments(document: Document) -> bool:
    """Say whether any schedule differs by environment."""
    return any("environments" in fields or "only_in" in fields for _, _, fields in document.entries())


def check_environments(document: Document, known: Collection[str], report: Callable[[Finding], None]) -> None:
    """Report environments that the configuration does not declare."""
    for _, _, fields in document.entries():
        for name, place in _named_environments(document.path, fields):
            if name not in known:
                declared = f"declared: {', '.join(known)}" if known else "declare `environments` in schedsync.toml"
                hint = did_you_mean(name, known) or declared
                report(Finding("SS144", f"unknown environment `{name}`", place, hint))


def _named_environments(path: str, fields: Mapping[str, Node]) -> Iterator[tuple[str, Location]]:
    differences, only_in = fields.get("environments"), fields.get("only_in")
    if differences is not None and isinstance(differences.value, dict):
        names = (name for name in differences.value if not name.startswith("\0"))
        yield from ((name, differences.key_at(path, name)) for name in names)
    if only_in is not None and isinstance(only_in.value, list):
        yield from ((item.value, item.at(path)) for item in only_in.value if isinstance(item.value, str))


def part_of(document: Document, environment: str | None) -> Part:
    """Return what one document says in one environment; what cannot be meant is among its findings, and left out."""
    findings: list[Finding] = []
    schedules = tuple(_schedules(document, environment, findings.append))
    return Part(schedules, tuple(_removed(document)), tuple(findings))


def combined(parts: Iterable[Part], report: Callable[[Finding], None]) -> Desired:
    """Return what the files of a set say together; what contradicts between them is reported and left out."""
    parts = list(parts)
    removed = {name: place for part in parts for name, place in part.removed}
    desired = Desired.of(_unique([schedule for part in parts for schedule in part.schedules], report), removed)
    _check_announcements(desired, report)
    return desired


def _schedules(document: Document, environment: str | None, report: Callable[[Finding], None]) -> Iterator[Schedule]:
    defaults = document.section("defaults", dict)
    reader = Reader(document.path, report)
    for name, place, written in document.entries():
        if not _exists_in(written, environment):
            continue
        fields = _layered(defaults, {k: v for k, v in written.items() if k not in _STRUCTURE})
        if differences := _differences(written, environment):
            fields = _layered(fields, differences)
        if "for_each" in written:
            yield from _each(document, name, place, fields, written["for_each"], reader)
        elif check_name(name, place, reader) and (schedule := read_schedule(name, place, fields, reader)):
            yield schedule


def _exists_in(written: Mapping[str, Node], environment: str | None) -> bool:
    only_in = written.get("only_in")
    if environment is None or only_in is None or not isinstance(only_in.value, list):
        return True
    return any(item.value == environment for item in only_in.value)


def _differences(written: Mapping[str, Node], environment: str | None) -> Mapping[str, Node]:
    holder = written.get("environments")
    if environment is None or holder is None or not isinstance(holder.value, dict):
        return {}
    node = holder.value.get(environment)
    if node is None or not isinstance(node.value, dict):
        return {}
    # That `task` cannot be null is said of its shape already.
    return {key: value for key, value in node.value.items() if key != "task" or value.value is not None}


def _layered(below: Mapping[str, Node], above: Mapping[str, Node]) -> dict[str, Node]:
    if not below:
        return {key: node for key, node in above.items() if node.value is not None}
    replaced: set[str] = set()
    for group in (TIMINGS, _EXPIRIES):
        if any(key in above and above[key].value is not None for key in group):
            replaced.update(group)
    result = {
        key: node for key, node in below.items() if key not in replaced and key not in above and node.value is not None
    }
    result.update((key, node) for key, node in above.items() if node.value is not None)
    return result


def _each(
    document: Document, name: str, place: Location, fields: Mapping[str, Node], for_each: Node, reader: Reader
) -> Iterator[Schedule]:
    values = _placeholders(document, for_each, reader)
    if values is None or not _check_templates(name, place, fields, values, reader):
        return
    count = 1
    for some in values.values():
        count *= len(some)
    if count > MAX_EXPANSION:
        reader.finding("SS150", f"{count:,} schedules, more than {MAX_EXPANSION:,} of one `for_each`", place)
        return
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        filled = str(_fill(name, chosen, whole=False))
        if check_name(filled, place, reader):
            own = {key: _own(key, node, chosen) for key, node in fields.items()}
            if schedule := read_schedule(filled, place, own, reader, template=name):
                yield schedule


def _own(key: str, node: Node, chosen: Mapping[str, Any]) -> Node:
    if key in _JSON:
        return _filled(node, chosen)
    if key in _TEXTS and isinstance(node.value, str):
        return Node(str(_fill(node.value, chosen, whole=False)), node.line, node.column, node.inner)
    return node


def _placeholders(document: Document, for_each: Node, reader: Reader) -> dict[str, list[Any]] | None:
    if not isinstance(for_each.value, dict):
        return None
    result: dict[str, list[Any]] = {}
    for key, node in for_each.value.items():
        if key.startswith("\0"):
            return None
        items = _items(document, node, reader)
        if items is None:
            return None
        result[key] = _different(items, reader)
    return result


def _items(document: Document, node: Node, reader: Reader) -> list[tuple[Any, Location]] | None:
    if isinstance(node.value, list):
        return [(item.value, item.at(document.path)) for item in node.value]
    if isinstance(node.value, dict) and isinstance(getattr(node.value.get("file"), "value", None), str):
        return _lines(document, node.value["file"], reader)
    return None


def _different(items: Sequence[tuple[Any, Location]], reader: Reader) -> list[Any]:
    seen: dict[str, Location] = {}
    values: list[Any] = []
    for value, place in items:
        first = seen.setdefault(_text(value), place)
        if first is not place:
            shown = _text(value)[:40]
            reader.finding("SS150", f"the value `{shown}` stands twice, first at {first}", place, "names would repeat")
        else:
            values.append(value)
    return values


def _lines(document: Document, node: Node, reader: Reader) -> list[tuple[Any, Location]] | None:
    place = node.at(document.path)
    try:
        text = document.beside(node.value).decode("utf-8-sig")
    except OutsideError:
        reader.finding("SS105", f"`{node.value}` lies outside the directory of the set", place)
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        reader.finding("SS150", f"`{node.value}` cannot be read: {reason}", place, "a path relative to this file")
        return None
    shown = (PurePosixPath(document.path).parent / node.value).as_posix()
    lines = ((line.strip(), Location(shown, number, 1)) for number, line in enumerate(text.splitlines(), 1))
    return [(line, where) for line, where in lines if line and not line.startswith("#")]


def _check_templates(
    name: str, place: Location, fields: Mapping[str, Node], values: Mapping[str, Any], reader: Reader
) -> bool:
    problems = [(place, message, hint) for _, message, hint in _template_problems(name, values)]
    for key in values:
        if not any(match[1] == key for match in _PLACEHOLDER.finditer(name)):
            problems.append((place, f"`{{{key}}}` does not stand in the name `{name}`", "names would repeat"))
    for key in _TEMPLATED:
        if key in fields:
            problems += _node_problems(fields[key], values, reader.path)
    problems += _elsewhere(fields, values, reader.path)
    for where, message, hint in problems:
        reader.finding("SS151", message, where, hint)
    return not problems


def _elsewhere(
    fields: Mapping[str, Node], values: Mapping[str, Any], path: str
) -> Iterator[tuple[Location, str, str | None]]:
    for key, node in fields.items():
        text = node.value
        if key not in _TEMPLATED and isinstance(text, str) and any(f"{{{one}}}" in text for one in values):
            hint = f"they are filled in the name, in {', '.join(_TEMPLATED)}"
            yield node.at(path), f"`{key}` takes no placeholders", hint


def _node_problems(node: Node, values: Mapping[str, Any], path: str) -> Iterator[tuple[Location, str, str | None]]:
    value = node.value
    if isinstance(value, str):
        yield from ((node.at(path, at), message, hint) for at, message, hint in _template_problems(value, values))
    elif isinstance(value, list):
        for item in value:
            yield from _node_problems(item, values, path)
    elif isinstance(value, dict):
        if len(value) == 1 and (key := next(iter(value))) in values and value[key].value is None:
            yield node.at(path), f"`{{{key}}}` without quotes is a mapping", f'write "{{{key}}}"'
            return
        for item in value.values():
            yield from _node_problems(item, values, path)


def _template_problems(text: str, values: Mapping[str, Any]) -> Iterator[tuple[int, str, str | None]]:
    for match in _PLACEHOLDER.finditer(text):
        if match[0] in ("{", "}"):
            yield match.start(), f"a single `{match[0]}`", f"write `{match[0] * 2}` for a brace"
        elif match[1] is not None and match[1] not in values:
            hint = did_you_mean(match[1], values) or f"known: {', '.join(values)}; `{{{{` is a brace"
            yield match.start(), f"unknown placeholder `{match[0]}`", hint


def _fill(text: str, chosen: Mapping[str, Any], *, whole: bool = True) -> Any:
    if "{" not in text and "}" not in text:
        return text
    if whole and (match := _WHOLE.match(text)):
        return chosen[match[1]]
    return _PLACEHOLDER.sub(lambda match: _text(chosen[match[1]]) if match[1] is not None else match[0][0], text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(node: Node, chosen: Mapping[str, Any]) -> Node:
    value = node.value
    if isinstance(value, str):
        value = _fill(value, chosen)
    elif isinstance(value, list):
        value = [_filled(item, chosen) for item in value]
    elif isinstance(value, dict):
        value = {key: _filled(item, chosen) for key, item in value.items()}
    return Node(value, node.line, node.column, node.inner)


def _removed(document: Document) -> Iterator[tuple[str, Location]]:
    for item in document.section("removed", list):
        if isinstance(item.value, str):
            yield item.value, item.at(document.path)


def _unique(found: Sequence[Schedule], report: Callable[[Finding], None]) -> Iterator[Schedule]:
    seen: dict[str, Schedule] = {}
    folded: dict[str, Schedule] = {}
    for schedule in found:
        name = schedule.name
        if name in seen:
            message = f"`{name}` stands twice, first at {seen[name].location}"
            report(Finding("SS141", message, schedule.location, "names are unique in a set"))
            continue
        seen[name] = schedule
        twin = folded.setdefault(name.casefold(), schedule)
        if twin is not schedule:
            message = f"`{name}` differs only in case from `{twin.name}` at {twin.location}"
            report(Finding("SS142", message, schedule.location, "MariaDB and MySQL take both for one name"))
            continue
        yield schedule


def _check_announcements(desired: Desired, report: Callable[[Finding], None]) -> None:
    former: dict[str, Schedule] = {}
    for name, place in desired.removed.items():
        if name in desired.schedules:
            where = desired.schedules[name].location
            report(Finding("SS145", f"`{name}` is removed here, and stands at {where}", place, "drop one of the two"))
    for schedule in desired.schedules.values():
        old = schedule.renamed_from
        if old is None:
            continue
        if old in desired.schedules:
            message = f"`{schedule.name}` is renamed from `{old}`, which still stands in the set"
            report(Finding("SS146", message, schedule.location))
        elif (first := former.setdefault(old, schedule)) is not schedule:
            message = f"`{old}` became `{first.name}` already, at {first.location}"
            report(Finding("SS146", message, schedule.location))
