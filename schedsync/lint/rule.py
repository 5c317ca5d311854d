"""What a lint rule is: a code, a text that teaches, examples that are its tests, and a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from schedsync.core.application import Application
from schedsync.core.finding import Severity
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule

#: How many schedules may start in one minute, unless the configuration has ``max_starts``.
MAX_STARTS = 30


@dataclass(frozen=True, slots=True)
class Options:
    """What the configuration says about the rules.

    ``select``, ``extend_select`` and ``ignore`` are codes, or prefixes of codes; without ``select`` all rules run but
    those with ``opt_in``. ``severities`` are by code. ``queues`` are the known queues, empty where none are configured.
    ``queue_waits`` are the seconds that a message may wait, by queue; `*` is for all other queues.
    ``place`` is where a finding about the options themselves is shown.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    max_starts: int = MAX_STARTS
    queues: tuple[str, ...] = ()
    queue_waits: Mapping[str, int] = field(default_factory=dict)
    place: Location | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Context:
    """What rules look at: all schedules, the time, the options, and the application or None."""

    schedules: Sequence[Schedule]
    now: datetime
    options: Options = field(default_factory=Options)
    application: Application | None = None


class Found(NamedTuple):
    """One problem of one schedule: a message of one line, the key at fault, and the remedy.

    ``names`` are the names of all schedules that it is about, where it is about several and is shown at one of them.
    """

    schedule: Schedule
    message: str
    key: str | None = None
    hint: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; ``each`` looks at one schedule at a time, ``whole`` at all of them.

    ``bad`` and ``good`` are examples of YAML under ``schedules:``: the rule reports the first, and not the second.
    ``needs_application`` is true where it compares with a snapshot, or with values of the configuration.
    ``package`` is the name and the version of the package that the rule is from, None for our own; we fill it in.
    """

    code: str
    name: str
    summary: str
    severity: Severity
    why: str = ""
    remedy: str = ""
    bad: str = ""
    good: str = ""
    package: str | None = None
    opt_in: bool = False
    needs_application: bool = False
    each: Callable[[Schedule, Context], Iterable[Found]] | None = None
    whole: Callable[[Context], Iterable[Found]] | None = None

    def chosen(self, options: Options) -> bool:
        """Say whether the options choose this rule."""
        if _matches(self.code, options.ignore):
            return False
        if _matches(self.code, options.extend_select):
            return True
        return not self.opt_in if options.select is None else _matches(self.code, options.select)


def _matches(code: str, prefixes: Sequence[str]) -> bool:
    return any(code.startswith(prefix) for prefix in prefixes)
