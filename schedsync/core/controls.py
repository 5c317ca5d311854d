"""Controls: which tasks, queues and starts schedules may have, and which sets an apply may write.

Django's settings hold them against the authors of the files; the configuration of the files can only narrow them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schedsync.core.timing import LONGEST_INTERVAL, Interval, TimingError, duration

#: The names of the controls; the Django settings have the same names, in capitals after ``SCHEDSYNC_``.
KEYS = ("allowed_tasks", "allowed_queues", "minimum_period", "allowed_sets")


@dataclass(frozen=True, slots=True)
class Controls:
    """The controls of one place; None where a control is not set, an empty tuple allows nothing.

    ``allowed_tasks``, ``allowed_queues`` and ``allowed_sets`` are patterns of ``fnmatch``. ``in_files`` says that the
    configuration of the files sets them, not Django's settings; it has no ``allowed_sets``.
    """

    allowed_tasks: tuple[str, ...] | None = None
    allowed_queues: tuple[str, ...] | None = None
    minimum_period: timedelta | None = None
    in_files: bool = False
    allowed_sets: tuple[str, ...] | None = None

    def named(self, key: str) -> str:
        """Return the name of a control as its place spells it."""
        return f"`[safety] {key}`" if self.in_files else setting_name(key)


NO_CONTROLS = Controls()


def setting_name(key: str) -> str:
    """Return the name of the Django setting of a control."""
    return f"SCHEDSYNC_{key.upper()}"


def controls_from(values: Mapping[str, Any], *, in_files: bool = False) -> Controls:
    """Read controls from plain values by the names of ``KEYS``; raises InvalidControl for a value that is none."""
    return Controls(
        _patterns("allowed_tasks", values.get("allowed_tasks")),
        _patterns("allowed_queues", values.get("allowed_queues")),
        _period(values.get("minimum_period")),
        in_files,
        _patterns("allowed_sets", values.get("allowed_sets")),
    )


class InvalidControl(ValueError):
    """A control has an invalid value; ``key`` is its name, ``problem`` says what it takes instead."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key} {problem}")
        self.key = key
        self.problem = problem


def _patterns(key: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    # A text is a sequence of texts too: `"shop.*"` would mean the pattern `*` among others, which allows everything.
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise InvalidControl(key, f"takes a list of patterns, such as `['shop.*']`, not {value!r}")
    for pattern in value:
        if not isinstance(pattern, str) or not pattern.strip():
            raise InvalidControl(key, f"takes patterns such as `shop.*`, not {pattern!r}")
    return tuple(value) if isinstance(value, (list, tuple)) else tuple(sorted(value))


def _period(value: object) -> timedelta | None:
    if value is None:
        return None
    problem = f"takes a duration such as `5m`, or seconds, more than 0 and at most a century, not {value!r}"
    try:
        if isinstance(value, timedelta):
            period = value
        elif isinstance(value, str):
            period = timedelta(microseconds=duration(value))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            period = timedelta(seconds=value)
        else:
            raise InvalidControl("minimum_period", problem)
    except (TimingError, OverflowError, ValueError) as error:
        raise InvalidControl("minimum_period", problem) from error
    if not timedelta() < period <= timedelta(microseconds=LONGEST_INTERVAL):
        raise InvalidControl("minimum_period", problem)
    return period


def controls_document(controls: Controls) -> dict[str, Any]:
    """Return controls as JSON values."""
    return {
        "allowed_tasks": _listed(controls.allowed_tasks),
        "allowed_queues": _listed(controls.allowed_queues),
        "minimum_period": controls.minimum_period and period_text(controls.minimum_period),
        "allowed_sets": _listed(controls.allowed_sets),
    }


def _listed(patterns: tuple[str, ...] | None) -> list[str] | None:
    return None if patterns is None else list(patterns)


def period_text(period: timedelta) -> str:
    """Return a time as the shortest duration, such as ``5m``."""
    return str(Interval(period // timedelta(microseconds=1)))[len("every ") :]
