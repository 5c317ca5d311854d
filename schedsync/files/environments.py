"""From one document to its schedules in one environment.

The order is: documented default, the file's ``defaults``, the schedule, its ``environments.E``; then ``for_each``.
A value replaces the whole value, a timing replaces any other timing, ``null`` restores the documented default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.files.bounds import MAX_FINDINGS, Findings, Halt, TooLarge, text_finding
from schedsync.files.document import Document, Part, Unexpanded
from schedsync.files.for_each import check_templates, expanded_schedules
from schedsync.files.for_each_values import (
    Placeholders,
    for_each_in,
    names_environment,
    placeholders_of,
    source_names,
)
from schedsync.files.names import check_name
from schedsync.files.node import Node
from schedsync.files.parse import read_schedule
from schedsync.files.reporter import Reporter
from schedsync.files.timing import TIMINGS

EXPIRIES = ("expires_after", "expires_at")
#: More keys than a schedule can have.
_MOST_FIELDS = 100
_STRUCTURE = frozenset({"environments", "only_in", "for_each"})


class _Valued(Protocol):
    """A place in a file with a value, which is None for null."""

    @property
    def value(self) -> Any: ...


V = TypeVar("V", bound=_Valued)


def uses_environments(document: Document) -> bool:
    """Say whether any schedule differs by environment."""
    return any(
        "environments" in fields or "only_in" in fields or names_environment(fields)
        for _, _, fields in document.schedules
    )


def check_environments(document: Document, declared: Collection[str], report: Callable[[Finding], None]) -> None:
    """Report environments that the configuration does not declare."""
    for _, _, fields in document.schedules:
        for name, place in _named_environments(document.path, fields):
            if name not in declared:
                known = f"declared: {', '.join(declared)}" if declared else "declare `environments` in schedsync.toml"
                hint = did_you_mean(name, declared) or known
                report(Finding("SS144", f"unknown environment `{name}`", place, hint))


def named_environments(document: Document) -> set[str]:
    """Return the environments that the schedules of a document name, declared or not."""
    return {name for _, _, fields in document.schedules for name, _ in _named_environments(document.path, fields)}


def _named_environments(path: str, fields: Mapping[str, Node]) -> Iterator[tuple[str, Location]]:
    differences, only_in = fields.get("environments"), fields.get("only_in")
    if differences is not None and isinstance(differences.value, dict):
        names = (name for name in differences.value if not name.startswith("\0"))
        yield from ((name, differences.key_at(path, name)) for name in names)
    if only_in is not None and isinstance(only_in.value, list):
        yield from ((item.value, item.at(path)) for item in only_in.value if isinstance(item.value, str))


def part_of(document: Document, environment: str | None) -> Part:
    """Return the part that one document gives in one environment, without schedules that are not valid."""
    findings = Findings(document.path)
    schedules: list[Schedule] = []
    unexpanded: list[Unexpanded] = []
    invalid = list(document.misshapen)
    try:
        schedules += _schedules(document, environment, findings.add, unexpanded, invalid)
    except (Halt, TooLarge) as error:
        schedules = []
        invalid = [*document.misshapen, *(name for name, _, _ in document.schedules)]
        if isinstance(error, TooLarge):
            findings.found.append(text_finding(document.path))
    removed = list(_removed(document))
    return Part(
        tuple(schedules),
        removed=tuple((name, place) for name, place, _ in removed),
        kept_rows=tuple(name for name, _, keeps_row in removed if keeps_row),
        findings=tuple(findings.found),
        unexpanded=tuple(unexpanded),
        invalid=tuple(invalid),
    )


def _schedules(
    document: Document,
    environment: str | None,
    report: Callable[[Finding], None],
    unexpanded: list[Unexpanded],
    invalid: list[str],
) -> Iterator[Schedule]:
    """Yield the schedules in one environment.

    Definitions that cannot be expanded go to ``unexpanded``, the names of those that have errors to ``invalid``.
    """
    defaults = document.section("defaults", dict)
    if len(defaults) > _MOST_FIELDS:
        # Most of these keys are unknown, and reported already. They must not be copied for every schedule.
        defaults = {}
    lookups = iter(range(MAX_FINDINGS))
    for name, place, written in document.schedules:
        reporter = Reporter(document.path, report, document.budget, (name, place.line), lookups)
        if not _exists_in(written, environment):
            continue
        fields = layered(defaults, _without_structure(written))
        if differences := _differences(written, environment):
            fields = layered(fields, differences)
        if for_each := for_each_in(written, environment):
            values = placeholders_of(document, for_each, environment, reporter)
            if values is None or not check_templates(name, place, fields, values, reporter):
                invalid.append(name)
            elif (known := _known(values)) is not None:
                yield from expanded_schedules(name, place, fields, known, reporter, invalid)
            else:
                text = _definition_text(fields, for_each, values)
                unexpanded.append(Unexpanded(name, place, source_names(for_each), text))
        elif check_name(name, place, reporter) and (schedule := read_schedule(name, place, fields, reporter)):
            yield schedule
        else:
            invalid.append(name)


def _known(placeholders: Placeholders) -> Mapping[str, Sequence[Any]] | None:
    """Return the values of all placeholders; None where those of a source are not known."""
    known = {key: values for key, values in placeholders.items() if values is not None}
    return known if len(known) == len(placeholders) else None


def _definition_text(fields: Mapping[str, Node], for_each: Node, placeholders: Placeholders) -> str:
    """Return everything that decides about the schedules of a definition, except the values of its sources."""
    plain = {key: node.plain() for key, node in fields.items()}
    return json.dumps([plain, for_each.plain(), placeholders], sort_keys=True, default=str)


def _without_structure(written: Mapping[str, Node]) -> Mapping[str, Node]:
    if _STRUCTURE.isdisjoint(written):
        return written
    return {key: node for key, node in written.items() if key not in _STRUCTURE}


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
    # The check of the shape has reported that `task` cannot be null.
    fields = {key: value for key, value in node.value.items() if key not in _STRUCTURE}
    return {key: value for key, value in fields.items() if key != "task" or value.value is not None}


def layered(below: Mapping[str, V], above: Mapping[str, V]) -> dict[str, V]:
    """Return the fields of two layers as one; the upper layer replaces fields of the lower one, null takes one away."""
    if not below:
        return {key: node for key, node in above.items() if node.value is not None}
    replaced: set[str] = set()
    for group in (TIMINGS, EXPIRIES):
        if any(key in above and above[key].value is not None for key in group):
            replaced.update(group)
    fields = {
        key: node for key, node in below.items() if key not in replaced and key not in above and node.value is not None
    }
    fields.update((key, node) for key, node in above.items() if node.value is not None)
    return fields


def _removed(document: Document) -> Iterator[tuple[str, Location, bool]]:
    """Yield each name under `removed`, its place, and whether its row stays."""
    for item in document.section("removed", list):
        fields = item.value if isinstance(item.value, dict) else {"name": item}
        name, keep_row = fields.get("name"), fields.get("keep_row")
        if name is not None and isinstance(name.value, str):
            yield name.value, name.at(document.path), keep_row is not None and keep_row.value is True
