"""Notices of a plan: findings that would repeat for each schedule are one finding with a count and the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from schedsync.core.adoption import Adoption
from schedsync.core.finding import Finding, Severity
from schedsync.core.location import Location
from schedsync.core.names import first_names
from schedsync.core.observed import Observed
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import Desired, Schedule

#: A name and its place in the files.
Named = tuple[str, Location | None]
#: How many names the message of a finding holds.
NAMES_SHOWN = 5


def folded(
    code: str, named: Sequence[Named], one: str, many: str, hint: str | None = None, severity: Severity = "warning"
) -> Iterator[Finding]:
    """Yield one finding for all names, or none without names.

    ``one`` is the message for a single name, with `{name}` in it; ``many`` has `{count}`, and the first names follow.
    """
    names = tuple(name for name, _ in named)
    if len(names) == 1:
        yield Finding(code, one.replace("{name}", names[0]), named[0][1], hint, severity)
    elif names:
        message = f"{many.replace('{count}', f'{len(names):,}')}: {first_names(names, NAMES_SHOWN)}"
        yield Finding(code, message, _common([place for _, place in named]), hint, severity, names)


def _common(places: Sequence[Location | None]) -> Location | None:
    return places[0] if len(set(places)) == 1 else None


def refusal_findings(refusals: Iterable[Refusal], place: Location | None = None) -> Iterator[Finding]:
    """Yield each refusal of an apply as an error at a place."""
    for refusal in refusals:
        yield Finding("SS164", f"an apply would be refused: {refusal.message}", place, refusal.override)


def completed(desired: Desired, names: Sequence[str]) -> Iterator[Finding]:
    """Yield a warning about schedules that have no run ahead."""
    named = [(name, desired.schedules[name].location) for name in names if name in desired.schedules]
    yield from folded("SS160", named, "`{name}` is completed", "{count} schedules are completed", "remove it")


def announcements(desired: Desired, observed: Observed) -> Iterator[Finding]:
    """Yield findings on `renamed_from`, `adopt` and `removed`: what is done, and removed names whose rows stay."""
    yield from _done(_carried_out(desired, observed))
    yield from _rows_left(desired, observed)


def _carried_out(desired: Desired, observed: Observed) -> Mapping[str, list[Named]]:
    """Return, by key of the files, the names whose announcement has been carried out."""
    ledger = observed.ledger
    ours = [schedule for schedule in desired.schedules.values() if schedule.name in ledger]
    kept = {name for name, *_ in _old_names_that_stay(desired, observed)}
    renamed = [each for each in ours if each.renamed_from and each.renamed_from not in ledger.keys() | kept]
    adopted = [schedule for schedule in ours if schedule.adopt or schedule.adopt_from is not None]
    left = {name for name, *_ in _rows_that_stay(desired, observed)}
    removed = [(name, place) for name, place in desired.removed.items() if name not in ledger and name not in left]
    return {"adopt": _named(adopted, "adopt"), "renamed_from": _named(renamed, "renamed_from"), "removed": [*removed]}


def _named(schedules: Sequence[Schedule], key: str) -> list[Named]:
    return [(schedule.name, schedule.at(key)) for schedule in schedules]


def _done(carried_out: Mapping[str, list[Named]]) -> Iterator[Finding]:
    """Yield one finding for each file with something that is done."""
    files: dict[str, list[tuple[str, str, Location]]] = {}
    for key, named in carried_out.items():
        for name, place in named:
            if place is not None:
                files.setdefault(place.path, []).append((key, name, place))
    for _, done in sorted(files.items()):
        yield _done_in_file(done)


def _done_in_file(done: Sequence[tuple[str, str, Location]]) -> Finding:
    key, name, first = min(done, key=lambda item: item[2])
    if len(done) == 1:
        subject = f"`{name}` under `removed`" if key == "removed" else f"`{key}` of `{name}`"
        return Finding("SS161", f"{subject} is done, remove the line", first, severity="info")
    names = tuple(f"{key}: {name}" for key, name, _ in done)
    if len({place for *_, place in done}) == 1:
        message = f"`{key}` is done for {len(done):,} schedules, remove the line"
        return Finding("SS161", message, first, None, "info", names)
    counts = Counter(key for key, *_ in done)
    listed = _listed([f"{count:,} `{key}`" for key, count in counts.items()])
    hint = "remove the lines; `--format json` names the schedules"
    return Finding("SS161", f"{listed} are done and can be removed", first, hint, "info", names)


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _rows_that_stay(desired: Desired, observed: Observed) -> Iterator[tuple[str, Location, str | None]]:
    """Yield each name under `removed` whose row this set does not manage, its place, and the set that manages it."""
    for name, place in desired.removed.items():
        if name in observed.rows and name not in observed.ledger and name not in desired.kept_rows:
            yield name, place, observed.elsewhere.get(name)


def _old_names_that_stay(desired: Desired, observed: Observed) -> Iterator[tuple[str, Location, str | None]]:
    """Yield each name under `renamed_from` whose row keeps it, the place, and the set that manages the row."""
    for schedule in desired.schedules.values():
        old, holder = schedule.renamed_from, observed.elsewhere.get(schedule.renamed_from or "")
        if old is None or old not in observed.rows or old in observed.ledger or old in desired.schedules:
            continue
        is_new = schedule.name not in observed.ledger and schedule.name not in observed.rows
        if not (is_new and Adoption().takes(schedule, holder)):
            yield old, schedule.location, holder


def _rows_left(desired: Desired, observed: Observed) -> Iterator[Finding]:
    for key, left, hint_of in (
        ("removed", _rows_that_stay(desired, observed), _hint),
        ("renamed_from", _old_names_that_stay(desired, observed), _hint_of_rename),
    ):
        by_holder: dict[str | None, list[Named]] = {}
        for name, place, holder in left:
            by_holder.setdefault(holder, []).append((name, place))
        for holder, named in by_holder.items():
            manages = f"set `{holder}` manages it" if holder else "no set manages it"
            manage = f"set `{holder}` manages them" if holder else "no set manages them"
            yield from folded(
                "SS177",
                named,
                f"`{{name}}` is under `{key}`, but its row stays as it is: {manages}",
                f"{{count}} names are under `{key}`, but their rows stay as they are, because {manage}",
                hint_of(holder),
            )


def _hint_of_rename(holder: str | None) -> str:
    adopt = f"`adopt: {{from: {holder}}}`" if holder else "`adopt: true`"
    return f"the new schedule runs beside it; to rename the row, add {adopt} before the new name has a row"


def _hint(holder: str | None) -> str:
    if holder is None:
        return "to delete the row, adopt it by `adopt: true` first, or delete it in the admin; else remove the line"
    return f"if it belongs to set `{holder}` now, remove the line; to delete the row, remove it in that set's files"
