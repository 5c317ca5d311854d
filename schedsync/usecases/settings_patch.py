"""Finds the entries of CELERY_BEAT_SCHEDULE in the modules that the project has imported, and makes the patch."""

from __future__ import annotations

import ast
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from schedsync.git.repository import root_of
from schedsync.importers.settings_patch import unified_diff, without_entries
from schedsync.importers.settings_places import Place, places
from schedsync.usecases.project_code import is_of_project

#: In bytes: a larger file is not searched. The difference of two such files takes seconds at worst.
_LARGEST = 2**18
_MOST_FILES, _MOST_BESIDE = 20_000, 2_000


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
    texts = dict(_texts(root, _imported_files()))
    found = _found(texts, tasks)
    if missing := {name: task for name, task in tasks.items() if name not in found}:
        # Settings can be files that a settings module reads and runs, which are no modules.
        beside = {path: text for path, text in _texts(root, _files_beside_settings()) if path not in texts}
        found |= _found(beside, missing)
        texts |= beside
    result = SettingsPatch()
    done: set[str] = set()
    for path, in_file in sorted(_single(found).items()):
        done |= _patch_file(result, path, texts[path], in_file)
    result.by_hand = {name: tuple(map(_shown, found.get(name, ()))) for name in tasks if name not in done}
    if any(not (root / path).is_relative_to(here) for path in result.deleted):
        result.root = root
    return result


def _found(texts: Mapping[str, str], tasks: Mapping[str, str]) -> dict[str, list[tuple[str, Place]]]:
    """Return the places of each entry, with their files."""
    found: dict[str, list[tuple[str, Place]]] = {}
    for path, text in texts.items():
        for place in _places(text, tasks):
            found.setdefault(place.name, []).append((path, place))
    return found


def _single(found: Mapping[str, list[tuple[str, Place]]]) -> dict[str, list[Place]]:
    """Return, by file, the places of the entries that are defined once, in a literal dictionary."""
    result: dict[str, list[Place]] = defaultdict(list)
    for (path, place), *others in found.values():
        if not others and place.dictionary is not None:
            result[path].append(place)
    return result


def _patch_file(result: SettingsPatch, path: str, text: str, here: list[Place]) -> set[str]:
    """Add the difference of a file to the patch; returns the names of the entries that it deletes."""
    new, gone = _without(text, here), here
    if new is None:
        # One entry that cannot be cut out hides no other.
        gone = [place for place in here if _without(text, [place]) is not None]
        new = _without(text, gone)
    if not gone or new is None:
        return set()
    result.text += unified_diff(path, text, new)
    result.deleted[path] = len(gone)
    return {place.name for place in gone}


def _without(text: str, here: list[Place]) -> str | None:
    entries: dict[tuple[int, int], set[int]] = defaultdict(set)
    for place in here:
        if place.dictionary is not None:
            entries[place.dictionary].add(place.index)
    return without_entries(text, entries)


def _shown(found: tuple[str, Place]) -> str:
    path, place = found
    return f"{path}:{place.line}" + (f" ({place.how})" if place.how else "")


def _imported_files() -> Iterator[str]:
    for module in list(sys.modules.values())[:_MOST_FILES]:
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str):
            yield file


def _files_beside_settings() -> Iterator[str]:
    """Yield the files below the directory of Django's settings module."""
    from django.conf import settings

    module = sys.modules.get(getattr(settings, "SETTINGS_MODULE", ""))
    if file := getattr(module, "__file__", None):
        yield from islice(_files_below(Path(file).parent), _MOST_BESIDE)


def _files_below(directory: Path) -> Iterator[str]:
    """Yield the files below a directory; hidden directories and virtual environments are passed over."""
    for parent, directories, files in os.walk(directory):
        directories[:] = sorted(
            name for name in directories if name[0] != "." and not Path(parent, name, "pyvenv.cfg").exists()
        )
        yield from (str(Path(parent, name)) for name in sorted(files))


def _texts(root: Path, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the path below ``root`` and the text of each file of the project, in the order of the paths."""
    paths: dict[str, Path] = {}
    for file in files:
        if file.endswith(".py") and is_of_project(file):
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
