"""What the files say as one JSON document, and read back; a plan can be made from it where there are no files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schedsync.core.freeze import Freeze, freeze_document, freeze_from
from schedsync.core.location import Location
from schedsync.core.schedule import NOBODY, Desired, Schedule, Template, canonical_json, spec_text
from schedsync.planning.converter import checked_spec, people_document, people_from

#: The version of the document. Another one is not read.
_VERSION = 1
_HEAD = f'{{"version":{_VERSION},'
_FREEZES = '"freezes":'
#: The flags of a schedule, with their defaults; those with another value are in the document.
_FLAGS: Mapping[str, Any] = {"edit_may_fire": False, "renamed_from": None, "adopt": False, "adopt_from": None}


@dataclass(frozen=True, slots=True)
class KeptDesired:
    """What the files say.

    ``grace`` is for how long a schedule that they no longer define stays disabled before its delete. ``freezes`` say
    when nothing is applied.
    """

    desired: Desired
    grace: timedelta | None = None
    freezes: tuple[Freeze, ...] = ()


def desired_text(kept: KeptDesired) -> str:
    """Return what the files say as a document in JSON, in one line, with all values as the files have them.

    It is put together from the texts of the specs, which are cached.
    """
    desired = kept.desired
    removed = [[name, *place] for name, place in desired.removed.items()]
    besides = canonical_json([removed, kept.grace and kept.grace.total_seconds()])
    schedules = ",".join(map(_text, desired.schedules.values()))
    return f'{_HEAD}{_freezes_text(kept.freezes)}"schedules":[{schedules}],"besides":{besides}}}'


def _freezes_text(freezes: tuple[Freeze, ...]) -> str:
    return f"{_FREEZES}{canonical_json(list(map(freeze_document, freezes)))}," if freezes else ""


def _text(schedule: Schedule) -> str:
    head = canonical_json({"name": schedule.name, "at": schedule.location, **_besides(schedule)})
    return f'{head[:-1]},"spec":{spec_text(schedule.spec)}}}'


def _besides(schedule: Schedule) -> dict[str, Any]:
    """Return what a schedule has besides its spec and its place, where that is no default."""
    flags = {name: value for name, default in _FLAGS.items() if (value := getattr(schedule, name)) != default}
    optional = {
        "people": schedule.people != NOBODY and people_document(schedule.people),
        "ignore_changes": sorted(schedule.ignore_changes),
        "template": schedule.template and schedule.template.name,
    }
    return flags | {name: value for name, value in optional.items() if value}


def desired_from(values: Mapping[str, Any]) -> KeptDesired:
    """Read what the files said; raises ValueError, KeyError or TypeError where the document has another form."""
    if values["version"] != _VERSION:
        raise ValueError("another version of schedsync made it")
    places, grace = values["besides"]
    removed = {name: Location(*place) for name, *place in places}
    desired = Desired.of(map(_schedule, values["schedules"]), removed)
    freezes = _freezes_from(values.get("freezes", ()))
    return KeptDesired(desired, None if grace is None else timedelta(seconds=grace), freezes)


def freezes_in(beginning: str) -> tuple[Freeze, ...]:
    """Read the freezes from the beginning of a document: a reader who wants no more need not parse all schedules.

    Raises ValueError, KeyError or TypeError where they have another form, or are longer than that.
    """
    if not beginning.startswith(_HEAD + _FREEZES):
        return ()
    entries, _ = json.JSONDecoder().raw_decode(beginning, len(_HEAD + _FREEZES))
    return _freezes_from(entries)


def _freezes_from(entries: Iterable[Mapping[str, Any]]) -> tuple[Freeze, ...]:
    return tuple(freeze_from(entry, entry["environments"]) for entry in entries)


def _schedule(values: Mapping[str, Any]) -> Schedule:
    path, line, column = values["at"]
    people, template = values.get("people"), values.get("template")
    flags = {name: values.get(name, default) for name, default in _FLAGS.items()}
    return Schedule(
        name=values["name"],
        spec=checked_spec(values["spec"]),
        location=Location(path, line, column),
        people=people_from(people) if people else NOBODY,
        ignore_changes=frozenset(values.get("ignore_changes", ())),
        template=Template(template) if template else None,
        **flags,
    )
