"""The entries of CELERY_BEAT_SCHEDULE become drafts; their rows say only what the settings do not say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from schedsync.core.observed import Row
from schedsync.core.schedule import ROW_FIELDS, Schedule, Spec, differing
from schedsync.importers.celery_settings import BeatSchedule
from schedsync.importers.draft import Draft, LeftOut
from schedsync.importers.not_taken import NotTaken
from schedsync.importers.rows import Tables, chosen, completed, same_but_for_case
from schedsync.importers.spelling import fields_of

_OF_BEAT = "Beat has a row of this name itself: leave it in the settings"
#: Beat's start writes an entry into its row, but keeps these columns if the entry does not give them.
_KEPT = ("enabled", "one_off", "description", "start_at")


@dataclass(slots=True)
class EntryCandidates:
    """The drafts of the entries that can be taken, and the names that are left out.

    ``rows`` are the names that are rows too, with the fields in which the row differs. ``stopped`` are those that are
    disabled because their row is.
    """

    drafts: list[Draft] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)


def entry_candidates(read: BeatSchedule, tables: Tables, patterns: Sequence[str]) -> EntryCandidates:
    """Return the drafts of the entries whose names fit a pattern; without patterns, of all entries.

    Raises WrongUsage where a pattern fits no entry.
    """
    result = EntryCandidates()
    items: list[Schedule | NotTaken] = [*read.schedules, *read.not_taken]
    names = chosen({item.name for item in items}, patterns, "entry")
    sets = {entry.name: entry.set for entry in tables.managed}
    rows = {row.name: row for row in tables.rows}
    spelled = {name.casefold(): name for name in sets}
    for item in sorted((item for item in items if item.name in names), key=lambda item: item.name):
        row = rows.get(item.name)
        spec = None if isinstance(item, NotTaken) else _with_row(item, row, read)
        reason = next(_reasons(item, spec, sets, row, tables, spelled), None)
        if reason is not None or spec is None:
            result.left_out.append(LeftOut(item.name, reason or "", spec))
            continue
        spelled[item.name.casefold()] = item.name
        fields = fields_of(spec, tables.zone, read.typed.get(item.name))
        result.drafts.append(Draft(item.name, fields, {item.name: spec}))
        if row is not None:
            _note(result, item.name, spec, row, read)
    return result


def _with_row(schedule: Schedule, row: Row | None, read: BeatSchedule) -> Spec:
    """Return the spec as Beat's next start would leave it in the row, but complete: with the expiry of the settings."""
    spec = schedule.spec
    if row is None or row.spec is None:
        return spec
    said = read.columns.get(schedule.name, frozenset())
    kept = {name: getattr(row.spec, name) for name in _KEPT if name not in said}
    if spec.expires_at is None and spec.expires_after is None:
        kept["expires_at"] = row.spec.expires_at
    return replace(spec, **kept)


def _reasons(
    item: Schedule | NotTaken,
    spec: Spec | None,
    sets: dict[str, str],
    row: Row | None,
    tables: Tables,
    spelled: dict[str, str],
) -> Iterator[str]:
    """Yield why an entry is left out, the first reason first."""
    name = item.name
    if name.lower().startswith("celery."):
        yield _OF_BEAT
    if name in sets:
        yield f"set `{sets[name]}` manages it already: compare both, then delete the entry"
    if isinstance(item, NotTaken):
        yield f"{item.reason} ({item.hint})" if item.hint else item.reason
    if row is not None and (row.problems or row.spec is None):
        problem = next((f", {problem.message}" for problem in row.problems), "")
        yield f"its row is broken{problem}: mend or delete the row first"
    if reason := completed(spec, row, tables.now):
        yield reason
    if spelled.get(name.casefold()) == name:
        yield "two keys have this name"
    if twin := same_but_for_case(name, spelled):
        yield twin


def _note(result: EntryCandidates, name: str, spec: Spec, row: Row, read: BeatSchedule) -> None:
    """Note that an entry is a row too, and how the row differs."""
    if row.spec is None:
        return
    result.rows[name] = tuple(field for field in differing(spec, row.spec) if field in ROW_FIELDS)
    if not row.spec.enabled and "enabled" not in read.columns.get(name, ()):
        result.stopped.append(name)
