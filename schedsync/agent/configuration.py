"""The configuration of an agent: a file of TOML that names all that it follows.

It is believed: it belongs to the place where the agent runs. Nothing that an agent follows can change it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedsync.agent.options import AgentOptions, FollowOptions, keys_in, path_in_repository
from schedsync.agent.toml_places import position_of
from schedsync.config import MAX_CONFIG_BYTES
from schedsync.core.finding import did_you_mean
from schedsync.core.names import set_name_problem
from schedsync.core.published import Place, place_of
from schedsync.core.timing import UNITS, duration
from schedsync.errors import InvalidConfiguration, WrongUsage
from schedsync.git.remote import Remote
from schedsync.schemas.configuration import first_problem
from schedsync.schemas.validator import AGENT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: In seconds: ten years, as for the flags.
_LONGEST = 10 * 366 * 86400
_TIMES = ("interval", "fetch_timeout", "lock_timeout", "settle")
#: What a follow takes from `[agent]` if it says nothing else.
_SHARED = ("environment", "database", "heal", "allow_rewind", "fetch_size", *_TIMES)
_KEYS = ("verify_ssh", "verify_gpg")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process says where the file says nothing.

    ``databases`` are the aliases of DATABASES, and ``using`` is the one of Beat's tables. Fetched objects are kept
    below ``state``.
    """

    databases: tuple[str, ...]
    using: str
    environment: str | None
    state: Path


def read_agent_file(file: Path, around: Surroundings) -> AgentOptions:
    """Return what a file configures; raises InvalidConfiguration, with the place of what is wrong."""
    text = _text(file)
    try:
        table: Mapping[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidConfiguration(str(file), f"not TOML: {error}") from error
    return _Reader(file, text, around).options(table)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise InvalidConfiguration(str(file), "too large for a configuration")
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(str(file), f"cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the table of one file."""

    file: Path
    text: str
    around: Surroundings

    def options(self, table: Mapping[str, Any]) -> AgentOptions:
        if problem := first_problem(table, AGENT):
            raise self._wrong(problem.place, problem.message, problem.hint)
        agent = table["agent"]
        for key in filter(agent.__contains__, _TIMES):
            self._seconds(agent[key], key, ("agent",))
        directory = self._path(agent["directory"]) if "directory" in agent else self.around.state / "follows"
        follows = [
            self._follow(number, {**_chosen(agent, entry), **entry}, directory)
            for number, entry in enumerate(agent["follow"])
        ]
        self._check_names(follows)
        self._check_sets(follows)
        return AgentOptions(follows, agent.get("listen"))

    def _follow(self, number: int, entry: Mapping[str, Any], directory: Path) -> FollowOptions:
        place = ("agent", "follow", number)
        times: dict[str, Any] = {key: self._seconds(entry[key], key, place) for key in _TIMES if key in entry}
        plain: dict[str, Any] = {key: entry[key] for key in ("heal", "allow_rewind", "set") if key in entry}
        if "fetch_size" in entry:
            # TOML's `5.0` is a whole number to a schema.
            plain["fetch_size"] = int(entry["fetch_size"])
        if "tags" in entry and "branch" in entry:
            raise self._wrong((*place, "tags"), "`branch` and `tags` cannot be followed together", "give one of them")
        if "set" in entry and set_name_problem(entry["set"]):
            raise self._wrong((*place, "set"), "`set` takes a name of printable characters")
        try:
            return FollowOptions(
                remote=Remote(entry["repository"], entry.get("branch", "main"), entry.get("tags")),
                using=self._using(entry, place),
                directory=directory / entry["name"],
                name=entry["name"],
                path=path_in_repository(entry.get("path")),
                environment=entry.get("environment", self.around.environment),
                publish=self._publish(entry, place),
                keys=keys_in(*(self._path(entry[key]) if key in entry else None for key in _KEYS)),
                **plain,
                **times,
            )
        except WrongUsage as error:
            raise self._wrong(place, f"`{entry['name']}`: {error.message}", error.hint) from error

    def _using(self, entry: Mapping[str, Any], place: tuple[str | int, ...]) -> str:
        using: str = entry.get("database", self.around.using)
        if using not in self.around.databases:
            hint = did_you_mean(using, self.around.databases) or f"there are: {', '.join(self.around.databases)}"
            raise self._wrong((*place, "database"), f"no database `{using}` in DATABASES", hint)
        return using

    def _publish(self, entry: Mapping[str, Any], place: tuple[str | int, ...]) -> Place | None:
        if "publish" not in entry:
            return None
        try:
            found = place_of(entry["publish"])
        except ValueError as error:
            raise self._wrong((*place, "publish"), str(error)) from error
        return self._path(entry["publish"]) if isinstance(found, Path) else found

    def _seconds(self, text: str, key: str, place: tuple[str | int, ...]) -> float:
        seconds = duration(text) / UNITS["s"]
        if seconds > _LONGEST or (not seconds and key in ("interval", "fetch_timeout")):
            least = "" if key in ("lock_timeout", "settle") else "more than 0, "
            raise self._wrong((*place, key), f"`{key}` is out of range: {least}at most ten years")
        return seconds

    def _path(self, text: str) -> Path:
        return self.file.absolute().parent / text

    def _check_names(self, follows: list[FollowOptions]) -> None:
        seen: set[str] = set()
        for number, follow in enumerate(follows):
            # A file system may take two spellings for one directory.
            if follow.name.lower() in seen:
                raise self._wrong(("agent", "follow", number, "name"), f"two follows have the name `{follow.name}`")
            seen.add(follow.name.lower())

    def _check_sets(self, follows: list[FollowOptions]) -> None:
        """Refuse two follows of one set in one database: each would undo what the other one applies."""
        seen: dict[tuple[object, ...], str] = {}
        for number, follow in enumerate(follows):
            source = (follow.using, follow.remote.url.rstrip("/").removesuffix(".git"), follow.path)
            marks: list[tuple[object, ...]] = [("source", *source)]
            marks += [("set", follow.using, follow.set)] if follow.set is not None else []
            for mark in marks:
                if mark in seen:
                    what = f"set `{follow.set}`" if mark[0] == "set" else "the same files"
                    message = f"`{seen[mark]}` and `{follow.name}` keep {what} in database `{follow.using}`"
                    raise self._wrong(("agent", "follow", number), message, "give one of them another set or database")
                seen[mark] = follow.name

    def _wrong(self, place: tuple[str | int, ...], message: str, hint: str | None = None) -> InvalidConfiguration:
        line, column = position_of(self.text, place)
        return InvalidConfiguration(f"{self.file}:{line}:{column}", message, hint=hint)


def _chosen(agent: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a follow takes from the table of all: its own file of keys replaces one of another kind, too."""
    keys = () if any(key in entry for key in _KEYS) else _KEYS
    return {key: agent[key] for key in (*_SHARED, *keys) if key in agent}
