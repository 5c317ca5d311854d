"""The values of a ``for_each``: written in the file, read from a text file, or given by a source of the application.

An environment may replace them. The keys stay the same, because the schedule's name has the same placeholders
everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from schedsync.core.finding import Finding, did_you_mean
from schedsync.core.location import Location
from schedsync.core.secrets import TYPED_MASK, is_typed_mask, masked
from schedsync.core.sources import Source
from schedsync.files.discover import OutsideError
from schedsync.files.document import Document
from schedsync.files.foreign_text import foreign_text_finding
from schedsync.files.line_breaks import each_line
from schedsync.files.node import Node
from schedsync.files.reporter import Reporter

_MOST_PLACEHOLDERS: Final = 20
#: The only placeholder in the name of a file.
_ENVIRONMENT: Final = "{environment}"


#: The values of each placeholder, None where nothing here knows its source.
Placeholders = Mapping[str, Sequence[Any] | None]


def for_each_in(fields: Mapping[str, Node], environment: str | None) -> Node | None:
    """Return the ``for_each`` of a schedule in one environment, None without any."""
    own = fields.get("for_each")
    if own is None or environment is None:
        return own
    replacement = _replacements(fields).get(environment, own)
    # Other keys are reported; the placeholders of the name would be reported a second time.
    return replacement if _keys(replacement) == _keys(own) else own


def _keys(for_each: Node) -> set[str]:
    return set(for_each.value) if isinstance(for_each.value, dict) else set()


def _replacements(fields: Mapping[str, Node]) -> Mapping[str, Node]:
    """Return what each environment writes in the place of the ``for_each``."""
    holder = fields.get("environments")
    if holder is None or not isinstance(holder.value, dict):
        return {}
    written = {name: node.value for name, node in holder.value.items() if isinstance(node.value, dict)}
    return {name: differences["for_each"] for name, differences in written.items() if "for_each" in differences}


def _all_of(fields: Mapping[str, Node]) -> Iterator[Node]:
    """Yield the values of all placeholders of a schedule, in every environment."""
    if "for_each" in fields:
        for node in (fields["for_each"], *_replacements(fields).values()):
            if isinstance(node.value, dict):
                yield from node.value.values()


def refers_to_files(document: Document) -> bool:
    """Say whether a ``for_each`` of the document takes its values from another file."""
    return any(_named(node, "file") for _, _, fields in document.schedules for node in _all_of(fields))


def refers_to_sources(document: Document) -> bool:
    """Say whether a ``for_each`` of the document takes its values from a source."""
    return any(_named(node, "source") for _, _, fields in document.schedules for node in _all_of(fields))


def names_environment(fields: Mapping[str, Node]) -> bool:
    """Say whether a schedule takes values from a file whose name contains the environment."""
    files = (_named(node, "file") for node in _all_of(fields))
    return any(_ENVIRONMENT in file.value for file in files if file is not None)


def _named(node: Node, kind: str) -> Node | None:
    """Return the name of the file or of the source that gives the values; None if nothing of this kind does."""
    name = node.value.get(kind) if isinstance(node.value, dict) else None
    return name if name is not None and isinstance(name.value, str) else None


def check_keys(document: Document, report: Callable[[Finding], None]) -> None:
    """Report each environment whose ``for_each`` has other keys than the schedule's own."""
    for _, _, fields in document.schedules:
        replacements = _replacements(fields)
        if replacements and "for_each" not in fields:
            for node in replacements.values():
                message = "`for_each` of an environment, but the schedule itself has none"
                hint = "add one to the schedule: its values are for the other environments"
                report(Finding("SS150", message, node.at(document.path), hint))
        elif replacements and isinstance(fields["for_each"].value, dict):
            for node in replacements.values():
                _compare_keys(document.path, fields["for_each"].value, node, report)


def _compare_keys(path: str, own: Mapping[str, Node], node: Node, report: Callable[[Finding], None]) -> None:
    if not isinstance(node.value, dict):
        return
    known = [key for key in own if not key.startswith("\0")]
    unknown = [key for key in node.value if key not in own and not key.startswith("\0")]
    for key in unknown:
        hint = did_you_mean(key, known) or f"its keys: {', '.join(known)}"
        report(Finding("SS150", f"the schedule's own `for_each` has no `{key}`", node.key_at(path, key), hint))
    missing = [key for key in known if key not in node.value]
    if missing and not unknown:
        names = ", ".join(f"`{key}`" for key in missing)
        hint = "an environment replaces the whole `for_each`, so it needs the same keys"
        report(Finding("SS150", f"the `for_each` of an environment lacks {names}", node.at(path), hint))


def expansion(document: Document, fields: Mapping[str, Node], environments: Collection[str]) -> int:
    """Return how many schedules a definition makes in one environment at most, without making any."""
    if "for_each" not in fields:
        return 1
    return max(_count(document, for_each_in(fields, name), name) for name in (None, *environments))


def _count(document: Document, for_each: Node | None, environment: str | None) -> int:
    if for_each is None or not isinstance(for_each.value, dict) or len(for_each.value) > _MOST_PLACEHOLDERS:
        return 0
    return math.prod(_value_count(document, node, environment) for node in for_each.value.values())


def _value_count(document: Document, node: Node, environment: str | None) -> int:
    if isinstance(node.value, list):
        return len(node.value)
    if source := _named(node, "source"):
        known = document.sources(source.value, environment)
        return len(known.values) if known else 0
    file = _named(node, "file")
    name = None if file is None else _file_name(file.value, environment)
    if name is None:
        return 0
    try:
        text = document.beside(name).decode("utf-8-sig")
    except (OutsideError, OSError, ValueError):
        return 0
    return sum(1 for _ in _value_lines(text))


def _file_name(written: str, environment: str | None) -> str | None:
    """Return the name of a file with the environment filled in; None if it needs one and none is chosen."""
    if _ENVIRONMENT not in written:
        return written
    return None if environment is None else written.replace(_ENVIRONMENT, environment)


def placeholders_of(
    document: Document, for_each: Node, environment: str | None, reporter: Reporter
) -> Placeholders | None:
    """Return the values of each placeholder; report what is wrong, and return None if they cannot be read."""
    if not isinstance(for_each.value, dict):
        return None
    if len(for_each.value) > _MOST_PLACEHOLDERS:
        message = f"{len(for_each.value):,} placeholders; a `for_each` has at most {_MOST_PLACEHOLDERS}"
        reporter.finding("SS150", message, for_each.at(document.path))
        return None
    if any(key.startswith("\0") for key in for_each.value):
        return None
    try:
        return {key: _values(document, node, environment, reporter) for key, node in for_each.value.items()}
    except _NoValues:
        return None


class _NoValues(Exception):
    """The values of a placeholder cannot be read; that is reported."""


def _values(document: Document, node: Node, environment: str | None, reporter: Reporter) -> Sequence[Any] | None:
    """Return the values of one placeholder, None where nothing here knows its source; raises _NoValues."""
    if isinstance(node.value, list):
        return _distinct([(item.value, item.at(document.path)) for item in node.value], reporter)
    if source := _named(node, "source"):
        known = document.sources(source.value, environment)
        return None if known is None else _given(known, source.at(document.path), reporter)
    file = _named(node, "file")
    items = None if file is None else _lines(document, file, environment, reporter)
    if items is None:
        raise _NoValues
    return _distinct(items, reporter)


def _given(source: Source, place: Location, reporter: Reporter) -> Sequence[Any]:
    if source.problem is None:
        return source.values
    reporter.finding("SS152", str(masked(source.problem)), place, source.hint)
    raise _NoValues


def source_names(for_each: Node) -> tuple[str, ...]:
    """Return the names of the sources that give values of a ``for_each``."""
    sources = (_named(node, "source") for node in for_each.value.values())
    return tuple(dict.fromkeys(source.value for source in sources if source is not None))


def _distinct(items: Sequence[tuple[Any, Location]], reporter: Reporter) -> list[Any]:
    """Return the values without those whose text an earlier one has; report each of these."""
    first_places: dict[str, Location] = {}
    values: list[Any] = []
    for value, place in items:
        first = first_places.setdefault(value_text(value), place)
        if first is place:
            values.append(value)
        else:
            message = f"the value `{masked(value_text(value))[:40]}` is listed twice, first at {first}"
            reporter.finding("SS150", message, place, "two schedules would have the same name")
    return values


def _lines(
    document: Document, node: Node, environment: str | None, reporter: Reporter
) -> list[tuple[Any, Location]] | None:
    name = _file_name(node.value, environment)
    if name is None:
        hint = "give `--environment`, or set SCHEDSYNC_ENVIRONMENT"
        reporter.finding(
            "SS150", f"`{node.value}` needs an environment, and none is chosen", node.at(document.path), hint
        )
        return None
    data = _content(document, name, node, reporter)
    if data is None:
        return None
    shown = (PurePosixPath(document.path).parent / name).as_posix()
    if foreign := foreign_text_finding(data, shown):
        reporter.report(foreign)
        return None
    lines = [(line, Location(shown, number, 1)) for number, line in _value_lines(data.decode("utf-8-sig"))]
    for line, where in lines:
        if is_typed_mask(line):
            reporter.finding("SS113", TYPED_MASK, where)
    return lines


def _content(document: Document, name: str, node: Node, reporter: Reporter) -> bytes | None:
    """Return the bytes of a text file; None, with a finding, if it cannot be read or is not UTF-8."""
    try:
        data = document.beside(name)
        data.decode("utf-8-sig")
    except OutsideError:
        message = f"`{name}` is outside the directory of the set"
        reporter.finding("SS105", message, node.at(document.path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        reporter.finding("SS150", f"`{name}` cannot be read: {reason}", node.at(document.path), _hint(name))
    else:
        return data
    return None


def _hint(name: str) -> str:
    if "{" in name:
        return f"the only placeholder in the name of a file is `{_ENVIRONMENT}`"
    return "the path is relative to this file"


def _value_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the value of each line that has one."""
    stripped = ((number, line.strip()) for number, line in enumerate(each_line(text), 1))
    return ((number, line) for number, line in stripped if line and not line.startswith("#"))


def value_text(value: Any) -> str:
    """Return the text of a value, as it is in a name."""
    return str(value).lower() if isinstance(value, bool) else str(value)
