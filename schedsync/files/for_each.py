"""``for_each``: one definition becomes many schedules; its placeholders are checked and filled."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from schedsync.core.finding import did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.core.secrets import TYPED_MASK, is_typed_mask, masked
from schedsync.files.discover import OutsideError
from schedsync.files.document import Document
from schedsync.files.foreign_text import foreign_text_finding
from schedsync.files.line_breaks import each_line
from schedsync.files.names import check_name
from schedsync.files.node import Node
from schedsync.files.parse import read_schedule
from schedsync.files.reporter import Reporter

_MOST_PLACEHOLDERS = 20
#: The characters of a name before its placeholders are filled in.
_LONGEST_TEMPLATE = 1_000
_JSON = ("args", "kwargs", "headers")
_TEXTS = ("description", "queue", "renamed_from")
_TEMPLATED = (*_JSON, *_TEXTS)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_WHOLE = re.compile(r"\{([^{}]*)\}\Z")


def refers_to_files(document: Document) -> bool:
    """Say whether a ``for_each`` of the document takes its values from another file."""
    return any(
        _file_of(node) is not None
        for _, _, fields in document.schedules
        if "for_each" in fields and isinstance(fields["for_each"].value, dict)
        for node in fields["for_each"].value.values()
    )


def _file_of(node: Node) -> Node | None:
    file = node.value.get("file") if isinstance(node.value, dict) else None
    return file if file is not None and isinstance(file.value, str) else None


def expansion(document: Document, for_each: Node) -> int:
    """Return how many schedules a ``for_each`` makes at most, without making any."""
    if not isinstance(for_each.value, dict) or len(for_each.value) > _MOST_PLACEHOLDERS:
        return 0
    return math.prod(_value_count(document, node) for node in for_each.value.values())


def _value_count(document: Document, node: Node) -> int:
    if isinstance(node.value, list):
        return len(node.value)
    file = _file_of(node)
    if file is None:
        return 0
    try:
        text = document.beside(file.value).decode("utf-8-sig")
    except (OutsideError, OSError, ValueError):
        return 0
    return sum(1 for _ in _value_lines(text))


def expanded_schedules(
    document: Document, name: str, place: Location, fields: Mapping[str, Node], for_each: Node, reporter: Reporter
) -> Iterator[Schedule]:
    """Yield the schedules of one ``for_each``; if anything of it is wrong, report that and yield none."""
    values = _placeholders(document, for_each, reporter)
    if values is None or not _check_templates(name, place, fields, values, reporter):
        return
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        filled_name = str(_filled_text(name, chosen, whole=False))
        reporter.budget.spend((filled_name,))
        if check_name(filled_name, place, reporter):
            filled = {key: _filled_field(key, node, chosen) for key, node in fields.items()}
            if schedule := read_schedule(filled_name, place, filled, reporter, template=name):
                yield schedule


def _filled_field(key: str, node: Node, chosen: Mapping[str, Any]) -> Node:
    if key in _JSON:
        return _filled_node(node, chosen)
    if key in _TEXTS and isinstance(node.value, str):
        return Node(str(_filled_text(node.value, chosen, whole=False)), node.line, node.column, node.inner)
    return node


def _placeholders(document: Document, for_each: Node, reporter: Reporter) -> dict[str, list[Any]] | None:
    """Return the values of each placeholder; None if they cannot be read."""
    if not isinstance(for_each.value, dict):
        return None
    if len(for_each.value) > _MOST_PLACEHOLDERS:
        message = f"{len(for_each.value):,} placeholders; a `for_each` has at most {_MOST_PLACEHOLDERS}"
        reporter.finding("SS150", message, for_each.at(document.path))
        return None
    placeholders: dict[str, list[Any]] = {}
    for key, node in for_each.value.items():
        if key.startswith("\0"):
            return None
        items = _items(document, node, reporter)
        if items is None:
            return None
        placeholders[key] = _distinct(items, reporter)
    return placeholders


def _items(document: Document, node: Node, reporter: Reporter) -> list[tuple[Any, Location]] | None:
    if isinstance(node.value, list):
        return [(item.value, item.at(document.path)) for item in node.value]
    file = _file_of(node)
    return None if file is None else _lines(document, file, reporter)


def _distinct(items: Sequence[tuple[Any, Location]], reporter: Reporter) -> list[Any]:
    """Return the values without those whose text an earlier one has; report each of these."""
    first_places: dict[str, Location] = {}
    values: list[Any] = []
    for value, place in items:
        first = first_places.setdefault(_text(value), place)
        if first is place:
            values.append(value)
        else:
            message = f"the value `{masked(_text(value))[:40]}` is listed twice, first at {first}"
            reporter.finding("SS150", message, place, "two schedules would have the same name")
    return values


def _lines(document: Document, node: Node, reporter: Reporter) -> list[tuple[Any, Location]] | None:
    place = node.at(document.path)
    try:
        data = document.beside(node.value)
        text = data.decode("utf-8-sig")
    except OutsideError:
        reporter.finding("SS105", f"`{node.value}` is outside the directory of the set", place)
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        hint = "the path is relative to this file"
        reporter.finding("SS150", f"`{node.value}` cannot be read: {reason}", place, hint)
        return None
    shown = (PurePosixPath(document.path).parent / node.value).as_posix()
    if foreign := foreign_text_finding(data, shown):
        reporter.report(foreign)
        return None
    lines = [(line, Location(shown, number, 1)) for number, line in _value_lines(text)]
    for line, where in lines:
        if is_typed_mask(line):
            reporter.finding("SS113", TYPED_MASK, where)
    return lines


def _value_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the value of each line that has one."""
    stripped = ((number, line.strip()) for number, line in enumerate(each_line(text), 1))
    return ((number, line) for number, line in stripped if line and not line.startswith("#"))


def _check_templates(
    name: str, place: Location, fields: Mapping[str, Node], values: Mapping[str, Any], reporter: Reporter
) -> bool:
    if len(name) > _LONGEST_TEMPLATE:
        message = f"a name of {len(name):,} characters, with placeholders; at most {_LONGEST_TEMPLATE:,}"
        reporter.finding("SS140", message, place)
        return False
    problems = [(place, message, hint) for _, message, hint in _template_problems(name, values)]
    for key in values:
        if not any(match[1] == key for match in _PLACEHOLDER.finditer(name)):
            message = f"the name `{name}` does not contain `{{{key}}}`"
            problems.append((place, message, "schedules would have the same name"))
    for key in _TEMPLATED:
        if key in fields:
            problems += _node_problems(fields[key], values, reporter.path)
    problems += _misplaced(fields, values, reporter.path)
    for where, message, hint in problems:
        reporter.finding("SS151", message, where, hint)
    return not problems


def _misplaced(
    fields: Mapping[str, Node], values: Mapping[str, Any], path: str
) -> Iterator[tuple[Location, str, str | None]]:
    """Yield place, message and hint of each placeholder in a field that is not filled."""
    for key, node in fields.items():
        text = node.value
        if key in _TEMPLATED or not isinstance(text, str):
            continue
        if any(f"{{{placeholder}}}" in text for placeholder in values):
            hint = f"placeholders are filled in the name and in {', '.join(_TEMPLATED)}"
            yield node.at(path), f"`{key}` takes no placeholders", hint


def _node_problems(node: Node, values: Mapping[str, Any], path: str) -> Iterator[tuple[Location, str, str | None]]:
    """Yield place, message and hint of each placeholder in a value that cannot be filled."""
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
    """Yield offset, message and hint of each placeholder in a text that cannot be filled."""
    for match in _PLACEHOLDER.finditer(text):
        if match[0] in ("{", "}"):
            yield match.start(), f"a single `{match[0]}`", f"write `{match[0] * 2}` for a brace"
        elif match[1] is not None and match[1] not in values:
            hint = did_you_mean(match[1], values) or f"known: {', '.join(values)}; `{{{{` is a brace"
            yield match.start(), f"unknown placeholder `{match[0]}`", hint


def _filled_text(text: str, chosen: Mapping[str, Any], *, whole: bool = True) -> Any:
    """Return a text with its placeholders filled; with ``whole``, a single placeholder keeps its value's type."""
    if "{" not in text and "}" not in text:
        return text
    if whole and (match := _WHOLE.match(text)):
        return chosen[match[1]]
    return _PLACEHOLDER.sub(lambda match: _text(chosen[match[1]]) if match[1] is not None else match[0][0], text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled_node(node: Node, chosen: Mapping[str, Any]) -> Node:
    value = node.value
    if isinstance(value, str):
        value = _filled_text(value, chosen)
    elif isinstance(value, list):
        value = [_filled_node(item, chosen) for item in value]
    elif isinstance(value, dict):
        value = {key: _filled_node(item, chosen) for key, item in value.items()}
    filled = Node(value, node.line, node.column, node.inner)
    filled.weight = node.weight
    return filled
