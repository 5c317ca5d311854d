"""``for_each``: one definition becomes many schedules; its placeholders are checked and filled."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schedsync.core.finding import did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Template
from schedsync.files.for_each_values import value_text
from schedsync.files.names import check_name
from schedsync.files.node import Node
from schedsync.files.parse import read_schedule
from schedsync.files.reporter import Reporter

#: The characters of a name before its placeholders are filled in.
_LONGEST_TEMPLATE = 1_000
_JSON = ("args", "kwargs", "headers")
_TEXTS = ("description", "queue", "renamed_from")
_TEMPLATED = (*_JSON, *_TEXTS)
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_WHOLE = re.compile(r"\{([^{}]*)\}\Z")


def expanded_schedules(
    name: str,
    place: Location,
    fields: Mapping[str, Node],
    values: Mapping[str, Sequence[Any]],
    reporter: Reporter,
    invalid: list[str],
) -> Iterator[Schedule]:
    """Yield the schedules of one definition, whose templates are checked; report each that is not valid.

    The names of these go to ``invalid``.
    """
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        filled_name = str(_filled_text(name, chosen, whole=False))
        reporter.budget.spend((filled_name,))
        filled = {key: filled_field(key, node, chosen) for key, node in fields.items()}
        template = Template(name, tuple(chosen.items()))
        if check_name(filled_name, place, reporter) and (
            schedule := read_schedule(filled_name, place, filled, reporter, template)
        ):
            yield schedule
        else:
            invalid.append(filled_name)


def filled_field(key: str, node: Node, chosen: Mapping[str, Any]) -> Node:
    """Return a field with the placeholders filled that it may have; ``chosen`` are their values."""
    if key in _JSON:
        return _filled_node(node, chosen)
    if key in _TEXTS and isinstance(node.value, str):
        return Node(str(_filled_text(node.value, chosen, whole=False)), node.line, node.column, node.inner)
    return node


def check_templates(
    name: str, place: Location, fields: Mapping[str, Node], values: Mapping[str, Any], reporter: Reporter
) -> bool:
    """Say whether each placeholder of a definition can be filled; if not, report why."""
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
    return _PLACEHOLDER.sub(lambda match: value_text(chosen[match[1]]) if match[1] is not None else match[0][0], text)


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
