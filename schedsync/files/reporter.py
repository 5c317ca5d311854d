"""Where the findings of one file go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schedsync.core.finding import Finding, Severity
from schedsync.core.location import Location


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reports findings about the file at ``path``."""

    path: str
    report: Callable[[Finding], None]

    def finding(
        self, code: str, message: str, place: Location, hint: str | None = None, severity: Severity = "error"
    ) -> None:
        """Report one finding."""
        self.report(Finding(code, message, place, hint, severity))
