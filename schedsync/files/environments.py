"""From the documents of a set to its schedules in one environment.

The order is: documented default, the file's ``defaults``, the schedule, its ``environments.E``; then ``for_each``.
A value replaces the whole value, a timing replaces any other timing, ``null`` restores the documented default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.core.schedule import Desired, Schedule
from schedsync.files.document import Document, Part
from schedsync.files.for_each import expand
from schedsync.files.node import Node
from schedsync.files.parse import TIMINGS, Reader, check_name, read_schedule

_EXPIRIES = ("expires_after", "expires_at")
_STRUCTURE = frozenset({"environments", "only_in", "for_each"})


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
            yield from expand(document, name, place, fields, written["for_each"], reader)
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


def _rename_hint(schedule: Schedule, schedules: Mapping[str, Schedule]) -> str:
    """Return the way out where the former name is still used: the rows cannot tell whether a swap is done already."""
    old = str(schedule.renamed_from)
    if schedule.name in _former_names(old, schedules):
        return (
            "to swap names, use two applies: rename each schedule to a free name, such as "
            f"`{schedule.name}-new: {{renamed_from: {old}}}`, and then to its new name"
        )
    return (
        f"use two applies: rename `{old}` to `{schedule.name}`, and then define `{old}` again; or remove `renamed_from`"
    )


def _former_names(name: str | None, schedules: Mapping[str, Schedule]) -> list[str]:
    names: list[str] = []
    while name is not None and name in schedules and name not in names:
        names.append(name)
        name = schedules[name].renamed_from
    return [*names, name] if name is not None else names


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
            report(Finding("SS146", message, schedule.location, _rename_hint(schedule, desired.schedules)))
        elif (first := former.setdefault(old, schedule)) is not schedule:
            message = f"`{old}` became `{first.name}` already, at {first.location}"
            report(Finding("SS146", message, schedule.location))
