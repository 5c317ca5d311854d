"""What a source defines and our files cannot say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotTaken:
    """One definition of a source that was not taken: its name, its line or None, the reason, and the way out."""

    name: str
    reason: str
    hint: str | None = None
    line: int | None = None


class CannotTakeError(ValueError):
    """A value that our files cannot say: the reason, and the way out or None."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
