"""The consequences of several changes in few words: how many they concern, and by name those of an alarm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schedsync.core.change import Change, Consequence
from schedsync.core.timing import clock_text
from schedsync.render.alarms import ALARMING

#: Consequences that a terminal paints red.
LOUD = ALARMING | {"may_restore_run"}
#: More different messages of one code are summed up, if there are words for that.
_MESSAGES_SHOWN = 3
_SUMMED_UP: Mapping[str, str] = {
    "stops": "stop; their runs between {first} and {last} will not happen",
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
    ``names`` are the members that it concerns if it is an alarm that does not concern all.
    """

    code: str
    message: str
    scope: str = ""
    names: tuple[str, ...] = ()

    @property
    def is_loud(self) -> bool:
        """Whether it is painted red."""
        return self.code in LOUD


def effects_of(
    changes: Iterable[tuple[str | None, Change]], size: int, environments: Sequence[str]
) -> Iterator[Effect]:
    """Yield what follows from changes; ``size`` is the number of their names."""
    found: dict[str, dict[str, list[tuple[str | None, str, Consequence]]]] = {}
    for environment, change in changes:
        for each in change.consequences:
            found.setdefault(each.code, {}).setdefault(each.message, []).append((environment, change.name, each))
    for code, by_message in found.items():
        if len(by_message) > _MESSAGES_SHOWN and code in _SUMMED_UP:
            concerned = [entry for entries in by_message.values() for entry in entries]
            yield _effect(code, _summed_up(code, concerned), concerned, size, environments)
        else:
            for message, concerned in by_message.items():
                yield _effect(code, message, concerned, size, environments)


def _summed_up(code: str, concerned: Sequence[tuple[str | None, str, Consequence]]) -> str:
    instants = [each.at for *_, each in concerned if each.at is not None]
    if not instants:
        return _SUMMED_UP[code].partition(";")[0]
    return _SUMMED_UP[code].format(first=_text(min(instants)), last=_text(max(instants)))


def _text(instant: datetime) -> str:
    return f"{clock_text(instant)} UTC"


def _effect(
    code: str,
    message: str,
    concerned: Sequence[tuple[str | None, str, Consequence]],
    size: int,
    environments: Sequence[str],
) -> Effect:
    names = tuple(dict.fromkeys(name for _, name, _ in concerned))
    where = list(dict.fromkeys(environment for environment, *_ in concerned if environment))
    scope = [f"{len(names):,} of {size:,}"] if len(names) < size else []
    if len(where) < len(environments):
        scope.append(f"in {', '.join(where)}")
    return Effect(code, message, ", ".join(scope), names if code in ALARMING and len(names) < size else ())
