"""Decides which alarms begin, are sent again, or are over, from what is on now and what was noted before."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedsync.core.alarm import NOTICES, URGENT, Alarm, AlarmRules, Kind, Noted
from schedsync.core.quiet_hours import is_quiet

#: An alarm that a process took and has not sent by then may be sent by another one: the first may be dead.
TAKEN_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class AlarmDecision:
    """The alarms to send for the first time, those to send again, and those that are over."""

    begun: tuple[Alarm, ...] = ()
    repeated: tuple[Alarm, ...] = ()
    over: tuple[Noted, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.begun or self.repeated or self.over)


def decide(on: Iterable[Alarm], noted: Iterable[Noted], rules: AlarmRules, now: datetime) -> AlarmDecision:
    """Compare the alarms that are on with the noted ones of the same kinds and scope.

    In quiet hours nothing is decided for alarms that are not urgent: what is still on afterwards is sent then. ``now``
    is by the database's clock.
    """
    known = {alarm.key: alarm for alarm in noted}
    wanted = {alarm.key: alarm for alarm in on if alarm.kind in rules.kinds}
    speaks = _speaking(rules, now)
    begun, repeated = [], []
    for key, alarm in wanted.items():
        if alarm.kind not in speaks:
            continue
        before = known.get(key)
        if before is None or _is_unsent(before, now):
            begun.append(alarm)
        elif before.sent_at is not None and _is_due_again(before, before.sent_at, rules, now):
            repeated.append(alarm)
    over = [alarm for key, alarm in known.items() if key not in wanted and _may_end(alarm, speaks, rules)]
    return AlarmDecision(tuple(begun), tuple(repeated), tuple(over))


def _speaking(rules: AlarmRules, now: datetime) -> Collection[Kind]:
    return rules.kinds & URGENT if is_quiet(rules.quiet_hours, now) else rules.kinds


def _is_unsent(noted: Noted, now: datetime) -> bool:
    return noted.sent_at is None and (noted.claimed_at is None or noted.claimed_at < now - TAKEN_FOR)


def _is_due_again(noted: Noted, sent_at: datetime, rules: AlarmRules, now: datetime) -> bool:
    return noted.kind not in NOTICES and sent_at < now - rules.remind_after


def _may_end(noted: Noted, speaks: Collection[Kind], rules: AlarmRules) -> bool:
    """Say whether an alarm may be noted as over: its end is told, so it waits for the end of quiet hours too."""
    return noted.kind in speaks or noted.kind in NOTICES or noted.kind not in rules.kinds


def tells_end(noted: Noted, rules: AlarmRules) -> bool:
    """Say whether the end of an alarm is sent: only if the alarm was sent, and if its kind has an end."""
    return noted.sent_at is not None and noted.kind not in NOTICES and noted.kind in rules.kinds


@dataclass
class Calm:
    """Lets an alarm end only after it was off for a while: one that comes and goes is one alarm.

    ``span`` is how long. It remembers since when each alarm has been off.
    """

    span: timedelta = timedelta(minutes=5)
    _off_since: dict[str, datetime] = field(default_factory=dict)

    def lasting(self, noted: Iterable[Noted], on: Collection[str], now: datetime) -> list[Noted]:
        """Return the noted alarms that are on, or were off for long enough; the others are left out."""
        found = list(noted)
        self._off_since = {
            alarm.key: self._off_since.get(alarm.key, now) for alarm in found if alarm.key not in on
        }  # fmt: skip
        return [alarm for alarm in found if alarm.key in on or now - self._off_since[alarm.key] >= self.span]
