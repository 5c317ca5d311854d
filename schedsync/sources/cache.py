"""What files said, remembered by the ids of their bytes: a file that did not change is not read again.

A cache may always be lost, and never decides anything: what cannot be read from it, or written to it, is left.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from schedsync import __version__
from schedsync.sources.files import OutsideError, SourceFile
from schedsync.sources.reading import FileReading, read_file
from schedsync.sources.repository import blob_id
from schedsync.sources.stored import restored, stored

#: Entries are forgotten after so many seconds.
KEPT = 30 * 86400
_SCHEMA = "CREATE TABLE IF NOT EXISTS readings (key TEXT PRIMARY KEY, at INTEGER, value TEXT) WITHOUT ROWID"
_MANY = 500
#: What a file may refer to, and the ids of the bytes that were there; None where nothing could be read.
_Referred = dict[str, str | None]


def cache_file() -> Path | None:
    """Return where readings are remembered: below SCHEDSYNC_CACHE_DIR, or the user's cache; None for nowhere."""
    named = os.environ.get("SCHEDSYNC_CACHE_DIR")
    if named == "":
        return None
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return Path(named) / "readings.sqlite3" if named else None
    return Path(named or Path(base) / "schedsync") / "readings.sqlite3"


def read_cached(
    files: Sequence[SourceFile],
    environments: Sequence[str],
    asked: Sequence[str | None],
    cache: Path | None,
    already: Iterable[FileReading] = (),
) -> list[FileReading]:
    """Read files, but for those that were read before: in ``already``, or by the cache.

    ``asked`` are the environments to be looked at. What refers to other files is compared with them.
    """
    keys = {file.path: _key(file, environments, asked) for file in files}
    at_hand = {reading.key: reading for reading in already if not reading.refers}
    known = recalled(cache, [key for key in keys.values() if key not in at_hand])
    result: list[FileReading] = []
    fresh: dict[str, str] = {}
    for file in files:
        key = keys[file.path]
        if key in at_hand:
            result.append(at_hand[key])
            continue
        reading = _known(known.get(key), file)
        if reading is None:
            reading, fresh[key] = _fresh(file, environments, asked)
        result.append(replace(reading, key=key))
    remember(cache, fresh)
    return result


def _key(file: SourceFile, environments: Sequence[str], asked: Sequence[str | None]) -> str:
    blob = file.blob or blob_id(file.content())
    said = json.dumps([_program(), file.path, blob, file.size, list(environments), list(asked)])
    return hashlib.sha256(said.encode()).hexdigest()


@lru_cache(maxsize=1)
def _program() -> str:
    """The identity of the program that reads: another version may read the same bytes otherwise."""
    package = Path(__file__).parents[1]
    states = [path.stat() for room in ("core", "sources", "lint") for path in sorted((package / room).glob("*.py"))]
    return f"{__version__} {version('tzdata')} {hash(tuple((state.st_mtime_ns, state.st_size) for state in states))}"


def _known(text: str | None, file: SourceFile) -> FileReading | None:
    if text is None:
        return None
    try:
        referred, said = json.loads(text)
        if any(_id_of(file.beside, name) != known for name, known in referred.items()):
            return None
        return replace(restored(said, file.path), refers=bool(referred))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _fresh(file: SourceFile, environments: Sequence[str], asked: Sequence[str | None]) -> tuple[FileReading, str]:
    referred: _Referred = {}

    def beside(name: str) -> bytes:
        referred[name] = _id_of(file.beside, name)
        return file.beside(name)

    reading = read_file(replace(file, beside=beside), environments)
    said = stored(reading, asked)
    return replace(reading, refers=bool(referred)), json.dumps([referred, said], separators=(",", ":"))


def _id_of(beside: Callable[[str], bytes], name: str) -> str | None:
    try:
        return blob_id(beside(name))
    except (OSError, OutsideError):
        return None


def recalled(cache: Path | None, keys: Iterable[str]) -> Mapping[str, str]:
    """Return what is remembered under keys."""
    found: dict[str, str] = {}
    wanted = list(keys)
    if cache is None or not cache.is_file():
        return found
    with suppress(sqlite3.Error, OSError), closing(sqlite3.connect(cache, timeout=0.2)) as connection:
        for start in range(0, len(wanted), _MANY):
            some = wanted[start : start + _MANY]
            marks = ",".join("?" * len(some))
            found.update(connection.execute(f"SELECT key, value FROM readings WHERE key IN ({marks})", some))
    return found


def remember(cache: Path | None, values: Mapping[str, str]) -> None:
    """Remember values under keys; where that cannot be done, they are not."""
    if cache is None or not values:
        return
    now = int(time.time())
    with suppress(sqlite3.Error, OSError):
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(sqlite3.connect(cache, timeout=0.2)) as connection, connection:
            connection.execute(_SCHEMA)
            connection.execute("DELETE FROM readings WHERE at < ?", (now - KEPT,))
            rows = [(key, now, value) for key, value in values.items()]
            connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", rows)
