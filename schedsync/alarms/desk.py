"""Claims the alarms that this process may send, and writes a letter for each kind of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from schedsync.alarms.settings import NotifySetting
from schedsync.core.alarm import Alarm, Kind, Letter, Noted, Phase
from schedsync.core.alarm_text import letter
from schedsync.database.alarms import claim, claim_end, noted_alarms
from schedsync.database.clock import database_time
from schedsync.planning.alarms import Calm, decide, tells_end

#: How many alarms of one look count.
_MOST = 10_000


@dataclass
class Desk:
    """Knows the database ``using``, the setting, and the environment that this process names, or None.

    ``calm`` keeps an alarm that comes and goes from ending; without it an alarm ends at once. ``has_noted`` says that
    alarms were on at the last look.
    """

    using: str
    setting: NotifySetting
    environment: str | None = None
    calm: Calm | None = None
    has_noted: bool = field(default=True)

    def look(self, on: Iterable[Alarm], kinds: Collection[Kind], scope: str = "") -> list[Letter]:
        """Compare what is on with what was noted for these kinds and this scope; returns the letters to send.

        Their alarms are claimed: no other process sends them. Raises what the database raises.
        """
        seen = {alarm.key: alarm for alarm in islice(on, _MOST) if alarm.kind in kinds}
        noted = noted_alarms(self.using, kinds, scope)
        self.has_noted = bool(noted or seen)
        if not self.has_noted:
            return []
        now = database_time(self.using)
        if self.calm is not None:
            noted = self.calm.lasting(noted, seen, now)
        decision = decide(seen.values(), noted, self.setting.rules, now)
        wanted = [*decision.begun, *decision.repeated]
        claimed = claim(self.using, wanted, self.setting.rules.remind_after) if wanted else set()
        ended = claim_end(self.using, [alarm.key for alarm in decision.over]) if decision.over else set()
        over = [alarm for alarm in decision.over if alarm.key in ended and tells_end(alarm, self.setting.rules)]
        return [
            *self._letters(Phase.BEGUN, [alarm for alarm in decision.begun if alarm.key in claimed]),
            *self._letters(Phase.REPEATED, [alarm for alarm in decision.repeated if alarm.key in claimed]),
            *self._letters(Phase.OVER, over),
        ]

    def _letters(self, phase: Phase, alarms: Sequence[Alarm | Noted]) -> list[Letter]:
        """Return one letter for each kind: ten thousand schedules that are overdue are one letter."""
        by_kind = {kind: [alarm for alarm in alarms if alarm.kind is kind] for kind in Kind}
        return [letter(phase, some, self.environment) for some in by_kind.values() if some]
