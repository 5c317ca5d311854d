"""One definition, many schedules: ``for_each`` expanded, its placeholders checked and filled."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from schedsync.core.finding import did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.files.discover import OutsideError
from schedsync.files.document import Document
from schedsync.files.line_breaks import lines_of
from schedsync.files.node import Node
from schedsync.files.parse import Reader, check_name, read_schedule

#: So many schedules one ``for_each`` may make.
MAX_EXPANSION = 200_000
_JSON = ("args", "kwargs", "headers")
_TEXTS = ("description", "queue", "renamed_from")
_TEMPLATED = (*_JSON, *_TEXTS)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_WHOLE = re.compile(r"\{([^{}]*)\}\Z")


def refers_to_files(document: Document) -> bool:
    """Say whether a ``for_each`` of the document takes its values from another file."""
    return any(
        _file_of(node) is not None
        for _, _, fields in document.entries()
        if "for_each" in fields and isinstance(fields["for_each"].value, dict)
        for node in fields["for_each"].value.values()
    )


def _file_of(node: Node) -> Node | None:
    file = node.value.get("file") if isinstance(node.value, dict) else None
    return file if file is not None and isinstance(file.value, str) else None


def expand(
    document: Document, name: str, place: Location, fields: Mapping[str, Node], for_each: Node, reader: Reader
) -> Iterator[Schedule]:
    """Yield the schedules of one ``for_each``; where it contradicts itself, report that and yield none."""
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
    file = _file_of(node)
    return None if file is None else _lines(document, file, reader)


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
    lines = ((line.strip(), Location(shown, number, 1)) for number, line in enumerate(lines_of(text), 1))
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
