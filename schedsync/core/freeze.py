"""A freeze: an entry of the configuration that says when nothing is applied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schedsync.core.crontab import FIELDS, CrontabError, split
from schedsync.core.finding import did_you_mean
from schedsync.core.timing import (
    Crontab,
    TimingError,
    canonical_zone,
    crontab,
    duration,
    duration_text,
    timing_form,
)

#: The code of the refusal of an apply in a freeze.
FROZEN = "frozen"
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=366)


class FreezeError(ValueError):
    """A value of ``[[freeze]]`` that cannot be used: its key, the message, and the remedy or None."""

    def __init__(self, key: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.key, self.message, self.hint = key, message, hint


@dataclass(frozen=True, slots=True)
class Freeze:
    """One entry of ``[[freeze]]``: a freeze begins at each slot of ``starts`` and ends after ``duration``.

    A duration is elapsed time, also where the clock changes. ``environments`` are those that it holds; none means all.
    """

    starts: Crontab
    duration: timedelta
    reason: str
    environments: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" in {', '.join(f'`{name}`' for name in self.environments)}" if self.environments else ""
        return f"`{self.starts}` for {self.duration_text}{where}: {self.reason}"

    @property
    def duration_text(self) -> str:
        """The duration, as the configuration has it."""
        return duration_text(round(self.duration.total_seconds()))

    def holds(self, environment: str | None) -> bool:
        """Say whether it holds an apply for an environment; one that names none may be for any of them."""
        return environment is None or not self.environments or environment in self.environments

    def covers(self, other: Freeze) -> bool:
        """Say whether its windows contain those of another one with the same start."""
        everywhere = not self.environments or (
            bool(other.environments) and set(other.environments) <= set(self.environments)
        )
        return self.starts == other.starts and self.duration >= other.duration and everywhere


def freeze_from(values: Mapping[str, Any], environments: Collection[str]) -> Freeze:
    """Read one entry of ``[[freeze]]``; ``environments`` are those that the configuration declares."""
    names = tuple(values.get("environments", ()))
    for name in names:
        if name not in environments:
            hint = did_you_mean(name, environments) or "declare it under `environments`"
            raise FreezeError("environments", f"no environment `{name}` is declared", hint)
    reason = str(values["reason"]).strip()
    if not reason or not reason.isprintable():
        raise FreezeError("reason", "it takes one line of text")
    return Freeze(_starts(values), _length(values["duration"]), reason, names)


def freeze_document(freeze: Freeze) -> dict[str, Any]:
    """Return a freeze as JSON values, as an entry of ``[[freeze]]`` has them."""
    besides = {"reason": freeze.reason, "environments": list(freeze.environments)}
    return {**timing_form(freeze.starts), "duration": freeze.duration_text, **besides}


def _starts(values: Mapping[str, Any]) -> Crontab:
    try:
        zone = canonical_zone(values.get("timezone", "UTC"))
    except TimingError as error:
        raise FreezeError("timezone", error.message, error.hint) from error
    try:
        texts = [text for text, _ in split(values["crontab"])]
        return crontab(dict(zip((field.name for field in FIELDS), texts, strict=True)), zone)
    except CrontabError as error:
        raise FreezeError("crontab", error.message, error.hint) from error


def _length(text: str) -> timedelta:
    try:
        length = timedelta(microseconds=duration(text))
    except (TimingError, OverflowError) as error:
        raise FreezeError("duration", str(error), "write it as `2h` or `3d`") from error
    if not _SHORTEST <= length <= _LONGEST or length % timedelta(seconds=1):
        raise FreezeError("duration", f"`{text}` is out of range: whole seconds, at least 1m, at most 366d")
    return length
