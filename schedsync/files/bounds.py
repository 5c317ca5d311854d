"""The limits of a whole set, checked while it is read and before anything is multiplied.

A few lines must not exhaust the machine that reads them, so there is a limit wherever a short text can become a long
list, a large value, or many messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from schedsync.core.finding import Finding
from schedsync.core.location import Location

MAX_SCHEDULES: Final = 200_000
#: The schedules of all environments together, where schedules differ by environment.
MAX_SCHEDULES_IN_ALL: Final = 1_000_000
MAX_FILES: Final = 10_000
#: The sizes of all files of schedules together.
MAX_SET_BYTES: Final = 128 * 2**20
#: The values in all files, with aliases counted: 25 for each of 200,000 schedules.
MAX_SET_VALUES: Final = 5_000_000
#: The characters of one schedule's `args`, `kwargs` or `headers`; brokers take less.
MAX_ARGUMENTS: Final = 2**20
#: The bytes of the names, arguments and descriptions of all schedules together.
MAX_TEXT: Final = 128 * 2**20
#: The findings in one file, and in all files. More findings would help nobody.
MAX_FINDINGS: Final = 1_000
MAX_FINDINGS_OF_SET: Final = 10_000
#: A message may quote a value, and a value may be as long as a file.
_LONGEST_MESSAGE: Final = 1_000
#: The bytes that each value of the arguments counts for, in addition to its text.
_VALUE: Final = 32


class Halt(Exception):
    """The file cannot be read any further; its last finding says why."""


class TooLarge(Exception):
    """The schedules of the set need more text than a set may have."""


class Findings:
    """The findings of one file; raises Halt at the thousandth."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Add a finding; its message is cut if it quotes a long value."""
        if len(finding.message) > _LONGEST_MESSAGE:
            finding = replace(finding, message=f"{finding.message[: _LONGEST_MESSAGE - 1]}…")
        if finding.hint and len(finding.hint) > _LONGEST_MESSAGE:
            finding = replace(finding, hint=None)
        self.found.append(finding)
        if len(self.found) == MAX_FINDINGS:
            message = f"at least {MAX_FINDINGS:,} findings in this file; the others are not shown"
            self.found.append(Finding("SS104", message, finding.location, "fix these first"))
            raise Halt


class TextBudget:
    """The text that the schedules of a set may still have."""

    def __init__(self) -> None:
        self.left = MAX_TEXT

    def spend(self, texts: tuple[str | None, ...], values: int = 0) -> None:
        """Count the texts of one schedule, and the number of its arguments; raises TooLarge."""
        self.left -= values * _VALUE + sum(len(text) if text.isascii() else 4 * len(text) for text in texts if text)
        if self.left < 0:
            raise TooLarge


@dataclass(frozen=True, slots=True)
class Size:
    """What a file adds to its set: its schedules, the values in it, its findings.

    ``place`` is the definition that makes the most schedules, if any makes more than one.
    """

    schedules: int = 0
    values: int = 0
    findings: int = 0
    place: Location | None = None


class SetSize:
    """The size of a set while its files are read one after another."""

    def __init__(self, environments: int) -> None:
        self.environments = max(environments, 1)
        self.schedules = self.values = self.findings = 0
        self.by_environment = False

    def add(self, path: str, size: Size, by_environment: bool) -> Finding | None:
        """Add a file; returns a finding if the set is larger now than a set may be."""
        self.schedules += size.schedules
        self.values += size.values
        self.findings += size.findings
        self.by_environment = self.by_environment or by_environment
        for count, most, noun, hint in self._limits():
            if count > most:
                place = size.place if noun.startswith("schedules") and size.place else Location(path, 1, 1)
                return too_large(f"{count:,} {noun} up to here; a set has at most {most:,}", place, hint)
        return None

    def _limits(self) -> tuple[tuple[int, int, str, str], ...]:
        in_all = self.schedules * self.environments if self.by_environment else 0
        return (
            (self.schedules, MAX_SCHEDULES, "schedules", "make fewer, or split the set"),
            (in_all, MAX_SCHEDULES_IN_ALL, "schedules in all environments", "choose fewer environments"),
            (self.values, MAX_SET_VALUES, "values, with aliases counted,", "split the set"),
            (self.findings, MAX_FINDINGS_OF_SET, "findings", "fix these first"),
        )


def too_large(message: str, place: Location, hint: str = "split the set") -> Finding:
    """Return the finding that a set is larger than a set may be: nothing of it is used."""
    return Finding("SS116", message, place, hint)


def text_finding(path: str) -> Finding:
    """Return the finding that the texts of the schedules are too long together."""
    message = f"the names, arguments and descriptions of the schedules have more than {MAX_TEXT // 2**20} MB up to here"
    return too_large(message, Location(path, 1, 1), "pass large values by name, and let the task fetch them")
