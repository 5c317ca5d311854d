"""Finds the entries of CELERY_BEAT_SCHEDULE in the modules that the project has imported, and makes the patch."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schedsync.git.repository import root_of
from schedsync.importers.settings_patch import unified_diff, without_entries
from schedsync.importers.settings_places import Place, places
from schedsync.usecases.project_code import is_of_project

#: In bytes, and in modules; larger ones are not searched.
_LARGEST = 2**20
_MOST_MODULES = 20_000


@dataclass(slots=True)
class SettingsPatch:
    """The patch, "" where nothing can be patched; the number of entries that it deletes, by file.

    ``by_hand`` are the entries that it does not delete, with the places where each is defined, if they are known.
    ``root`` is the directory that the patch is for, if the working directory is not it or below it.
    """

    text: str = ""
    deleted: dict[str, int] = field(default_factory=dict)
    by_hand: dict[str, tuple[str, ...]] = field(default_factory=dict)
    root: Path | None = None


def settings_patch(tasks: Mapping[str, str]) -> SettingsPatch:
    """Return the patch that deletes entries; ``tasks`` are their names with the task of each.

    An entry is deleted if exactly one literal dictionary has it: of two, nobody knows which one counts elsewhere.
    """
    here = Path.cwd().resolve()
    root = root_of(Path()) or here
    texts = dict(_texts(root))
    found: dict[str, list[tuple[str, Place]]] = defaultdict(list)
    for path, text in texts.items():
        for place in _places(text, tasks):
            found[place.name].append((path, place))
    result = SettingsPatch()
    for path, text in texts.items():
        _patch_file(result, path, text, [place for each, place in _single(found) if each == path])
    done = {place.name for path, place in _single(found) if path in result.deleted}
    result.by_hand = {name: tuple(map(_shown, found[name])) for name in tasks if name not in done}
    if any(not (root / path).is_relative_to(here) for path in result.deleted):
        result.root = root
    return result


def _single(found: Mapping[str, list[tuple[str, Place]]]) -> Iterator[tuple[str, Place]]:
    """Yield the places of the entries that are defined once, in a literal dictionary."""
    for here in found.values():
        if len(here) == 1 and here[0][1].dictionary is not None:
            yield here[0]


def _patch_file(result: SettingsPatch, path: str, text: str, here: list[Place]) -> None:
    entries: dict[tuple[int, int], set[int]] = defaultdict(set)
    for place in here:
        if place.dictionary is not None:
            entries[place.dictionary].add(place.index)
    new = without_entries(text, entries) if entries else None
    if new is not None:
        result.text += unified_diff(path, text, new)
        result.deleted[path] = len(here)


def _shown(found: tuple[str, Place]) -> str:
    path, place = found
    return f"{path}:{place.line}" + (f" ({place.how})" if place.how else "")


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the path below ``root`` and the text of each module of the project, in the order of the paths."""
    paths: dict[str, Path] = {}
    for module in list(sys.modules.values())[:_MOST_MODULES]:
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.endswith(".py") and is_of_project(file):
            path = Path(file).resolve()
            if path.is_relative_to(root):
                paths[path.relative_to(root).as_posix()] = path
    for name, path in sorted(paths.items()):
        if (text := _read(path)) is not None and _is_plain(name):
            yield name, text


def _read(path: Path) -> str | None:
    """Return the text of a module that could define an entry; None for any other, and for what is not UTF-8."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    has_odd_lines = "\r" in text.replace("\r\n", "") or "\f" in text
    return text if "schedule" in text.lower() and not has_odd_lines else None


def _is_plain(path: str) -> bool:
    """Say whether a patch can name a path without quotes."""
    return path.isprintable() and not set(path) & set('"\\')


def _places(text: str, tasks: Mapping[str, str]) -> list[Place]:
    try:
        return list(places(ast.parse(text), tasks))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
