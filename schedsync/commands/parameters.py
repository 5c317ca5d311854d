"""The types of the values that options take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from schedsync.calendar.clock_times import ClockTime, clock_time
from schedsync.core.published import Away, Place, place_of
from schedsync.core.timing import TimingError, canonical_zone, duration, instant

#: In seconds: ten years.
_LONGEST = 10 * 366 * 86400
_DURATION = re.compile(r"[0-9]{1,12}[a-z]{1,2}\Z")
_RATES = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_COMMIT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A duration such as ``24h`` or ``90s``, or 0, in seconds; with ``positive`` it must be more than 0."""

    name = "duration"

    def __init__(self, *, positive: bool = False) -> None:
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; a value that is no duration is wrong usage."""
        if isinstance(value, (int, float)):
            return float(value)
        try:
            seconds = 0.0 if value == "0" else duration(value) / 10**6
        except TimingError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)
        if seconds > _LONGEST or (self.positive and not seconds):
            least = "more than 0, " if self.positive else ""
            self.fail(f"`{value}` is out of range: {least}at most ten years", param, ctx)
        return seconds


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """An instant with its offset, such as ``2026-12-24T18:00:00+01:00``."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the instant in UTC; any other text is wrong usage."""
        if isinstance(value, datetime):
            return value
        try:
            return instant(str(value))
        except TimingError as error:
            self.fail(f"{error.message}; {error.hint}" if error.hint else error.message, param, ctx)


@dataclass(frozen=True, slots=True)
class SentRate:
    """How often to send at most: the text, and the least time between two messages."""

    text: str = ""
    gap: timedelta = timedelta(0)


class Rate(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A rate such as ``10/m``."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SentRate:
        """Return the rate; any other text is wrong usage."""
        if isinstance(value, SentRate):
            return value
        number, slash, unit = str(value).partition("/")
        if not slash or unit not in _RATES or not (number.isascii() and number.isdigit() and 0 < len(number) < 7):
            self.fail(f"`{value}` is no rate; write a whole number and /s, /m or /h, such as `10/m`", param, ctx)
        if not int(number):
            self.fail(f"`{value}` sends nothing; write `1/h` or more", param, ctx)
        return SentRate(str(value), _RATES[unit] / int(number))


class WholeNumber(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A whole number within a range. Unlike click's own type, it adds no formula such as `[x>=0]` to the help."""

    name = "integer"

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; any other value is wrong usage."""
        number = int(click.INT.convert(value, param, ctx))
        if number < self.least or (self.most is not None and number > self.most):
            end = "" if self.most is None else f", at most {self.most:,}"
            self.fail(f"{number} is not in the range: at least {self.least}{end}", param, ctx)
        return number


class Report(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A format and the file to write it to, such as ``markdown=plan.md``."""

    name = "report"

    def __init__(self, formats: Iterable[str]) -> None:
        self.formats = list(formats)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Return the format and the file; any other value is wrong usage."""
        if isinstance(value, tuple):
            return value
        format_, equals, file = str(value).partition("=")
        if not equals or not file or format_ not in self.formats:
            known = ", ".join(self.formats)
            self.fail(f"`{value}` is no FORMAT=FILE; formats: {known}", param, ctx)
        return format_, Path(file)


@dataclass(frozen=True, slots=True)
class SourceName:
    """A source to compare with: its kind, and the file or the revision; "" for the settings."""

    kind: str
    value: str = ""


class Source(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """``settings``, ``crontab:FILE``, a snapshot's file, or a Git revision."""

    name = "source"
    kinds = ("crontab", "system-crontab", "snapshot", "revision")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SourceName:
        """Return the kind and the value; a word alone is a snapshot if it is a file or ends in .json, else a revision.

        No revision of Git holds a colon, unless it names a file of a commit.
        """
        if isinstance(value, SourceName):
            return value
        kind, colon, rest = str(value).partition(":")
        if colon and kind in self.kinds and rest:
            return SourceName(kind, rest)
        if value == "settings":
            return SourceName("settings")
        if kind in ("", "settings", "crontab", "system-crontab") or (colon and kind in self.kinds):
            self.fail(
                f"`{value}` is no source; write `settings`, `crontab:FILE`, `FILE.json` or a revision", param, ctx
            )
        return SourceName("snapshot" if value.endswith(".json") or Path(value).is_file() else "revision", value)


class Zone(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """The name of a time zone, such as ``Europe/Berlin``."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the canonical name; an unknown one is wrong usage."""
        try:
            return canonical_zone(str(value))
        except TimingError as error:
            self.fail(f"{error.message}; such as `Europe/Berlin`", param, ctx)


class Clock(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """An instant with its offset, or a wall-clock time in a zone that is not known yet; see ``calendar.clock_times``.

    With ``or_duration`` also a duration such as ``24h``, which becomes a timedelta.
    """

    name = "time"

    def __init__(self, *, or_duration: bool = False) -> None:
        self.or_duration = or_duration

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> ClockTime | timedelta:
        """Return the time; any other text is wrong usage."""
        if isinstance(value, (ClockTime, timedelta)):
            return value
        if self.or_duration and _DURATION.match(str(value)):
            return timedelta(seconds=Seconds(positive=True).convert(value, param, ctx))
        try:
            return clock_time(str(value))
        except TimingError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


class SnapshotPlace(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A file, an address, an object in a bucket, or a file in a branch; with ``exists`` a file must be there."""

    name = "place"

    def __init__(self, *, exists: bool) -> None:
        self.file: click.Path = click.Path(exists=exists, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Return the place; a text that names none is wrong usage."""
        if isinstance(value, Away):
            return value
        try:
            place = place_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return Path(str(self.file.convert(value, param, ctx))) if isinstance(place, Path) else place


class CommitId(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """The full id of a commit."""

    name = "commit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in lower case; any other text is wrong usage."""
        text = str(value).strip().lower()
        if not _COMMIT_ID.match(text):
            self.fail(
                "not the full id of a commit: 40 or 64 hexadecimal digits, as `git rev-parse HEAD` prints", param, ctx
            )
        return text
