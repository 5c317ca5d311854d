"""Where a managed schedule is defined, with addresses for a browser where the repository's host is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schedsync.core.location import Location
from schedsync.core.observed import Managed
from schedsync.core.origin import Binding, commit_from, recorded_text
from schedsync.git.web import web_of_url
from schedsync.render.comment.links import place_address


@dataclass(frozen=True, slots=True)
class Place:
    """The set, place and commit of a schedule as text; ``url`` shows the file at the commit, ``edit_url`` as it is now.

    The addresses are None where the set was not applied from a repository whose host is known.
    """

    set: str
    place: str
    commit: str
    url: str | None = None
    edit_url: str | None = None


def place_of(entry: Managed, last: Binding | None) -> Place:
    """Return where an entry of the ledger is defined; ``last`` is where its set was applied from last."""
    location, last = entry.location, last or Binding()
    text = f"{location.path}:{location.line}" if location else ""
    place = Place(entry.set, text, recorded_text(entry.commit))
    web = web_of_url(last.repository, commit_from(entry.commit)[0])
    path = location and in_repository(location.path, last.path)
    if web is None or location is None or path is None:
        return place
    there = Location(path, location.line, location.column)
    # Each host takes HEAD for the latest commit of the default branch: there the file can be edited.
    url, edit_url = (place_address(there, each) for each in (web, replace(web, head="HEAD")))
    return replace(place, url=url, edit_url=edit_url)


def in_repository(path: str, set_path: str | None) -> str | None:
    """Return a file's path within the repository; None where it cannot be told.

    ``path`` is as the user of the last apply gave it, ``set_path`` that of the set's directory within the repository.
    """
    parts, base = path.split("/"), (set_path or ".").split("/")
    if base == ["."]:
        return None if path.startswith(("/", "..")) else path
    for start in range(len(parts) - len(base), -1, -1):
        if parts[start : start + len(base)] == base:
            return "/".join(parts[start:])
    for shared in range(len(base) - 1, 0, -1):
        if parts[:shared] == base[-shared:]:
            return "/".join([*base[:-shared], *parts])
    return None
