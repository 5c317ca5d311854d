"""The kinds of alarm that a reader must see first, in the order of danger, and the headline that counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schedsync.core.change import Change

if TYPE_CHECKING:
    from schedsync.render.changes.folding import Group


@dataclass(frozen=True, slots=True)
class Alarm:
    """One kind of alarm: the title of its section, the codes of its consequences, and the words that count it."""

    title: str
    codes: frozenset[str]
    one: str
    many: str

    def concerns(self, change: Change) -> bool:
        """Say whether a change raises this alarm."""
        return any(each.code in self.codes for each in change.consequences)


#: The most dangerous first: a change that raises several alarms is shown under the first of them.
ALARMS: Sequence[Alarm] = (
    Alarm("Stops", frozenset({"stops"}), "stops", "stop"),
    Alarm("Never runs", frozenset({"never_runs"}), "never runs", "never run"),
    Alarm("Fires at once", frozenset({"fires_at_once", "fires_late"}), "fires at once", "fire at once"),
    Alarm("Far more often", frozenset({"more_often"}), "runs far more often", "run far more often"),
    Alarm("Taken over", frozenset({"taken_over"}), "is taken over", "are taken over"),
)
#: A delete is shown in the open even where its schedule did not run any more.
DELETED = Alarm("Deleted, did not run", frozenset(), "is deleted", "are deleted")
#: The codes of all alarms.
ALARMING = frozenset[str]().union(*(alarm.codes for alarm in ALARMS))


def is_alarming(change: Change) -> bool:
    """Say whether a change raises any alarm."""
    return not ALARMING.isdisjoint([each.code for each in change.consequences])


def alarm_of(group: Group) -> Alarm | None:
    """Return the most dangerous alarm that any change of a group raises; None if none does."""
    raises_any = any(is_alarming(change) for _, change in group.changes)
    for alarm in ALARMS if raises_any else ():
        if any(alarm.concerns(change) for _, change in group.changes):
            return alarm
    return DELETED if group.first.kind == "delete" else None


def headline(found: Iterable[Group], *, whole: bool = False) -> str:
    """Return how many schedules raise each alarm, as one phrase: "2 stop, 1 fires at once"; empty if none does.

    ``whole`` makes it a sentence of its own: "2 schedules stop, 1 fires at once".
    """
    names: dict[str, set[str]] = {alarm.title: set() for alarm in ALARMS}
    for group in found:
        for _, change in group.changes:
            for alarm in ALARMS if is_alarming(change) else ():
                if alarm.concerns(change):
                    names[alarm.title].add(change.name)
    return raised_text({alarm: len(names[alarm.title]) for alarm in ALARMS}, whole=whole)


def raised_text(counts: Mapping[Alarm, int], *, whole: bool = False) -> str:
    """Return how many schedules raise each alarm, as one phrase; see `headline`."""
    phrases: list[str] = []
    for alarm in (alarm for alarm in ALARMS if counts.get(alarm)):
        count = counts[alarm]
        what = f" schedule{'s' * (count != 1)}" if whole and not phrases else ""
        phrases.append(f"{count:,}{what} {alarm.one if count == 1 else alarm.many}")
    return ", ".join(phrases)
