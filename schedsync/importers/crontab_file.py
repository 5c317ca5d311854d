"""The lines of a crontab file as values: user format and system format, as cron reads them.

python-crontab, which django-celery-beat installs, is not used: it knows no line numbers, takes a line that it cannot
read for a comment, and cuts a command at `#`, which cron does not.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schedsync.core.crontab import FIELDS, CrontabError, split
from schedsync.core.names import shortened
from schedsync.core.timing import Crontab, TimingError, canonical_zone, crontab
from schedsync.errors import WrongUsage
from schedsync.importers.command_name import name_of, unique
from schedsync.importers.not_taken import CannotTakeError, NotTaken

#: In bytes. cron itself accepts 10,000 lines of at most 1,000 characters.
LARGEST = 2**20
_MOST_LINES = 10_000
_VARIABLE = re.compile(r"""\s*(["']?)([A-Za-z_]\w*)\1\s*=(.*)\Z""", re.ASCII)
_REVERSED = re.compile(r"\b(\d{1,4})-(\d{1,4})\b", re.ASCII)
SPLIT = "make a schedule for each kind of day, as `import crontab --split` does"
BOTH_DAYS = "cron runs it on the days of the month and also on the days of the week; Celery only where both match"


@dataclass(frozen=True, slots=True)
class CronLine:
    """One line that runs a command; ``user`` is None in a user's own crontab.

    With ``split``, a line has two of these where cron runs it on days of the month and on days of the week.
    """

    line: int
    name: str
    timing: Crontab
    command: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class CrontabFile:
    """The lines of a file in their order, and those that were not taken.

    ``has_zone`` says whether a `CRON_TZ` gives the time zone of each line; ``tz_line`` is the line of a `TZ`, which
    does not move cron's times. ``variables`` are the names that the file sets for its commands.
    """

    lines: tuple[CronLine, ...]
    not_taken: tuple[NotTaken, ...]
    has_zone: bool
    tz_line: int | None = None
    variables: tuple[str, ...] = ()


def is_system_crontab(path: Path) -> bool:
    """Say whether a file has a column for the user, by its place: /etc/crontab, and files in a cron.d."""
    return path.resolve().as_posix() == "/etc/crontab" or path.resolve().parent.name == "cron.d"


def read_crontab(path: Path, zone: str = "UTC", *, system: bool | None = None, split_days: bool = False) -> CrontabFile:
    """Read a crontab file; raises WrongUsage if it is no text file, or too large.

    ``zone`` is the time zone of lines without `CRON_TZ`. Without ``system``, the place of the file decides.
    """
    text = _text_of(path)
    return parse_crontab(
        text, zone, system=is_system_crontab(path) if system is None else system, split_days=split_days
    )


def crontab_text(data: bytes, name: str) -> str:
    """Return the bytes of a crontab as text; raises WrongUsage if they are not text, or too large."""
    if len(data) > LARGEST:
        raise WrongUsage(f"`{name}` is no crontab: it is larger than {LARGEST // 2**20} MB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WrongUsage(f"`{name}` is no crontab: line {line:,} is not UTF-8") from error
    if (lines := text.count("\n")) > _MOST_LINES:
        raise WrongUsage(f"`{name}` is no crontab: {lines:,} lines are more than {_MOST_LINES:,}")
    return text


def _text_of(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise WrongUsage(f"`{path}` is no crontab: it is not a regular file")
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise WrongUsage(f"`{path}` cannot be read: {error.strerror}") from error
    return crontab_text(data, str(path))


def parse_crontab(text: str, zone: str = "UTC", *, system: bool = False, split_days: bool = False) -> CrontabFile:
    """Return what the lines of a crontab define; a line that cannot be taken hides no other."""
    reader = _Reader(zone, system)
    # Not splitlines(): a form feed or a line separator is no new line for cron.
    for number, line in enumerate(text.split("\n"), 1):
        reader.read(number, line.strip(" \t\r"))
    # Named before any is left out: a line has the same name with and without ``split_days``.
    lines, both = list(unique(reader.lines)), Counter(line.line for line in reader.lines)
    not_split = [] if split_days else [line for line in lines if both[line.line] > 1]
    refused = {line.line: NotTaken(line.name, BOTH_DAYS, SPLIT, line.line) for line in reversed(not_split)}
    return CrontabFile(
        tuple(line for line in lines if line.line not in refused),
        tuple(sorted([*reader.not_taken, *refused.values()], key=lambda item: item.line or 0)),
        reader.has_zone,
        reader.tz_line,
        tuple(dict.fromkeys(reader.variables)),
    )


class _Reader:
    """The lines so far, and the time zone that counts for the next one; None if it is unknown."""

    def __init__(self, zone: str, system: bool) -> None:
        self.zone: str | None = zone
        self.system = system
        self.lines: list[CronLine] = []
        self.not_taken: list[NotTaken] = []
        self.is_zone_given = False
        self.has_zone = True
        self.tz_line: int | None = None
        self.variables: list[str] = []

    def read(self, number: int, line: str) -> None:
        if not line or line.startswith("#"):
            return
        if match := _VARIABLE.match(line):
            self._variable(number, match[2], match[3])
            return
        self.has_zone &= self.is_zone_given
        command = ""
        try:
            fields, command, user = _parts(line, self.system)
            if self.zone is None:
                raise CannotTakeError("the `CRON_TZ` above it is no known time zone")
            for timing in _timings(fields, self.zone):
                self.lines.append(CronLine(number, name_of(command), timing, command, user))
        except CannotTakeError as error:
            name = name_of(command) if command else f"line {number:,}"
            self.not_taken.append(NotTaken(name, error.reason, error.hint, number))

    def _variable(self, number: int, name: str, value: str) -> None:
        if name == "TZ":
            self.tz_line = self.tz_line or number
        if name != "CRON_TZ" and not name.startswith("MAIL"):
            self.variables.append(name)
        if name == "CRON_TZ":
            self.is_zone_given = True
            try:
                self.zone = canonical_zone(value.strip(" \t\"'"))
            except TimingError:
                self.zone = None


def _parts(line: str, system: bool) -> tuple[list[str], str, str | None]:
    """Return the five fields, the command, and the user of a line."""
    if line.startswith("@"):
        alias, *rest = line.split(None, 1)
        fields = _fields_of_alias(alias)
    else:
        *fields, last = (line.split(None, 5) + [""] * 6)[:6]
        rest = [last] if last else []
    user: str | None = None
    if system and rest:
        user, *rest = rest[0].split(None, 1)
    if not rest:
        raise CannotTakeError("it has no command" + (" after the user" if system else ""))
    return fields, rest[0], user


def _fields_of_alias(alias: str) -> list[str]:
    if alias == "@reboot":
        raise CannotTakeError("`@reboot` runs when the host starts, which Beat cannot see", "start it with the host")
    try:
        return [text for text, _ in split(alias)]
    except CrontabError as error:
        raise CannotTakeError(error.message, error.hint) from None


def _timings(fields: list[str], zone: str) -> Iterator[Crontab]:
    texts = dict(zip((field.name for field in FIELDS), fields, strict=True))
    days = texts["day_of_month"], texts["day_of_week"]
    # cron asks for either day only where neither field begins with a star: `*/2` and `1` must both match.
    if any(text.startswith("*") for text in days):
        yield _timing(texts, zone)
        return
    # A list, so that no part is taken if the other one cannot be.
    yield from [_timing(texts | {"day_of_week": "*"}, zone), _timing(texts | {"day_of_month": "*"}, zone)]


def _timing(texts: dict[str, str], zone: str) -> Crontab:
    for name, text in texts.items():
        for low, high in _REVERSED.findall(text):
            if int(low) > int(high):
                raise CannotTakeError(f"{name}: cron rejects the reversed range `{low}-{high}`")
    try:
        return crontab(texts, zone)
    except CrontabError as error:
        raise CannotTakeError(shortened(error.message, 200), error.hint) from None
