"""Where the findings of one file go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from schedsync.core.finding import Finding, Severity
from schedsync.core.location import Location
from schedsync.files.bounds import MAX_FINDINGS, TextBudget


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reports findings about the file at ``path``; ``budget`` is the text that the set may still have.

    ``schedule`` are the name and the line of the schedule that is read.
    ``lookups`` has an item for each time that the keys of a schedule may still be compared with the known keys.
    """

    path: str
    report: Callable[[Finding], None]
    budget: TextBudget = field(default_factory=TextBudget)
    schedule: tuple[str, int] | None = None
    lookups: Iterator[int] = field(default_factory=lambda: iter(range(MAX_FINDINGS)), repr=False)

    def finding(
        self, code: str, message: str, place: Location, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        """Report one finding."""
        name, line = self.schedule or (None, 0)
        # A value of the file's defaults is no schedule's own.
        is_own = place.line >= line
        self.report(Finding(code, message, place, hint, severity, schedule=name if is_own else None))
