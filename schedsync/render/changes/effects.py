"""The consequences of several changes in few words: how many they concern, and by name those of an alarm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from schedsync.core.change import Change, Consequence
from schedsync.core.timing import moment
from schedsync.render.changes.alarms import ALARMING

#: An environment, the name of a schedule, and what follows for it.
_Concerned = tuple[str | None, str, Consequence]
_ZERO = timedelta()
#: Consequences that a terminal paints red.
LOUD = ALARMING | {"may_restore_run"}
#: Told to programs only: it says that the default of ``edit_may_fire`` holds.
_UNTOLD = frozenset({"past_slot_skipped"})
#: More different messages of one code are summed up, if there are words for that.
_MESSAGES_SHOWN = 3
_SUMMED_UP: Mapping[str, str] = {
    "stops": "stop; their next runs, between {first} and {last}, will not happen",
    "fires_at_once": "fire at once, for slots that have passed",
    "fires_late": "fire between {first} and {last} or up to 5 minutes later, for slots that have passed",
    "first_run": "first runs are between {first} and {last}",
    "next_run_moves": "next runs move, to between {first} and {last}",
    "collides": "start together with others, the first at {first}",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """One consequence of a group of changes.

    ``scope`` says for how many of the members and in which environments it holds, empty where it holds for all.
    ``names`` are the members that it concerns if it is an alarm that does not concern all. ``consequence`` is the
    consequence itself, None where different ones are summed up.
    """

    code: str
    message: str
    scope: str = ""
    names: tuple[str, ...] = ()
    consequence: Consequence | None = None

    @property
    def is_loud(self) -> bool:
        """Whether it is painted red."""
        return self.code in LOUD


def effects_of(
    changes: Sequence[tuple[str | None, Change]], size: int, environments: Sequence[str]
) -> Iterator[Effect]:
    """Yield what follows from changes; ``size`` is the number of their names."""
    if len(changes) == 1:
        # Nothing to count or to fold, unless one code is there twice.
        consequences = [each for each in changes[0][1].consequences if each.code not in _UNTOLD]
        if len({each.code for each in consequences}) == len(consequences):
            yield from (Effect(each.code, each.message, consequence=each) for each in consequences)
            return
    found: dict[str, dict[str, list[_Concerned]]] = {}
    for environment, change in changes:
        for each in (each for each in change.consequences if each.code not in _UNTOLD):
            found.setdefault(each.code, {}).setdefault(each.message, []).append((environment, change.name, each))
    for code, by_message in found.items():
        all_of_them = [entry for entries in by_message.values() for entry in entries]
        moved = _moved_alike(all_of_them) if len(by_message) > 1 and code == "next_run_moves" else ""
        if moved or (len(by_message) > _MESSAGES_SHOWN and code in _SUMMED_UP):
            message = moved or _summed_up(code, all_of_them)
            yield _effect(code, message, all_of_them, size, environments)
        else:
            for message, concerned in by_message.items():
                yield _effect(code, message, concerned, size, environments, concerned[0][2])


def _moved_alike(concerned: Sequence[_Concerned]) -> str:
    """Say in which direction and by how much the next runs move, where that is the same way for all; else nothing."""
    moves = [each.at - each.instead_of for *_, each in concerned if each.at and each.instead_of]
    if len(moves) < len(concerned) or not (min(moves) > _ZERO or max(moves) < _ZERO):
        return ""
    least, most = min(map(abs, moves)), max(map(abs, moves))
    span = _span(most) if least == most else f"{_span(least)} to {_span(most)}"
    return f"next runs move {'later' if moves[0] > _ZERO else 'earlier'}, by {span}"


def _span(length: timedelta) -> str:
    """Write a length of time in its largest unit that gives a whole number."""
    seconds = round(length.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            return f"{seconds // size:,} {unit}{'s' * (seconds != size)}"
    return f"{seconds:,} second{'s' * (seconds != 1)}"


def _summed_up(code: str, concerned: Sequence[_Concerned]) -> str:
    instants = [each.at for *_, each in concerned if each.at is not None]
    if not instants:
        return _SUMMED_UP[code].partition(";")[0]
    first, last = min(instants), max(instants)
    return _SUMMED_UP[code].format(first=f"{moment(first, now=last)} UTC", last=f"{moment(last, now=first)} UTC")


def _effect(
    code: str,
    message: str,
    concerned: Sequence[_Concerned],
    size: int,
    environments: Sequence[str],
    consequence: Consequence | None = None,
) -> Effect:
    names = tuple(dict.fromkeys(name for _, name, _ in concerned))
    where = list(dict.fromkeys(environment for environment, *_ in concerned if environment))
    scope = [f"{len(names):,} of {size:,}"] if len(names) < size else []
    if len(where) < len(environments):
        scope.append(f"in {', '.join(where)}")
    return Effect(code, message, ", ".join(scope), names if code in ALARMING and len(names) < size else (), consequence)
