"""Which mapping of a file is which, and the order of its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from schedsync.core.crontab import FIELDS_BY_NAME

#: The keys of a schedule in the order in which people read them: what runs, when, with what, how, and for whom.
SCHEDULE_KEYS: Final = (
    "task", "for_each", "crontab", "every", "solar", "at", "timezone", "args", "kwargs", "headers", "queue",
    "exchange", "routing_key", "priority", "expires_after", "expires_at", "start_at", "one_off", "missed_runs",
    "starting_deadline", "delivery", "overlap", "max_runtime", "monitor", "enabled", "disabled_reason", "edit_may_fire",
    "description", "owner", "runbook", "labels", "ignore_changes", "environments", "only_in", "renamed_from", "adopt",
)  # fmt: skip
#: `adopt` is first, because it is to be removed after one apply.
DEFAULTS_KEYS: Final = ("adopt", *(key for key in SCHEDULE_KEYS if key != "adopt"))
#: A key of the author's own, such as `x-often`, has the rank of this one.
OWN_KEYS: Final = "x-"
ROOT_KEYS: Final = ("version", OWN_KEYS, "defaults", "schedules", "removed")
MERGE: Final = "<<"
#: The keys whose values are durations, such as `5m`.
DURATIONS: Final = frozenset({"every", "expires_after", "starting_deadline", "max_runtime", "grace"})
#: The keys whose values are instants, which need no quotes.
INSTANTS: Final = frozenset({"at", "expires_at", "start_at"})


@dataclass(frozen=True, slots=True)
class Role:
    """What a mapping is in the format: the order of its keys, and the roles of the mappings below it.

    Without ``keys`` its order is its author's. ``each`` is the role of all values that ``inner`` does not name.
    ``has_fields`` says whether its keys are fields of a schedule.
    """

    keys: Sequence[str] = ()
    inner: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    each: Role | None = None
    has_fields: bool = False

    def below(self, key: str) -> Role:
        """Return the role of the value of a key."""
        return self.inner.get(key) or self.each or FREE

    def rank(self, key: str) -> int | None:
        """Return the place of a key among the others; None for a key that the format does not know."""
        if key == MERGE:
            return -1
        if self is ROOT and key.startswith(OWN_KEYS):
            key = OWN_KEYS
        return self.keys.index(key) if key in self.keys else None


FREE: Final = Role()
_TIMINGS: Final = {"crontab": Role(tuple(FIELDS_BY_NAME)), "solar": Role(("event", "latitude", "longitude"))}
_MONITOR: Final = {"monitor": Role(("grace", "max_runtime"), has_fields=True)}
_INNER: Final = {**_TIMINGS, **_MONITOR}
_OVERRIDES: Final = Role(SCHEDULE_KEYS, _INNER, has_fields=True)
_SCHEDULE: Final = Role(SCHEDULE_KEYS, {**_INNER, "environments": Role(each=_OVERRIDES)}, has_fields=True)
_DEFAULTS: Final = Role(DEFAULTS_KEYS, _INNER, has_fields=True)
ROOT: Final = Role(ROOT_KEYS, {"defaults": _DEFAULTS, "schedules": Role(each=_SCHEDULE)})
