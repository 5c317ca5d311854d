"""What became of a commit, for those who pushed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from schedsync.core.finding import Finding
from schedsync.core.refusal import Refusal

State = Literal["pending", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Section:
    """More about a commit: a title, and lines of Markdown, in which text from outside is code already."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What became of a commit.

    ``counts`` are the changes by kind, None if it was applied earlier than this process knows. ``problem`` says why it
    was not applied, and ``hint`` the way out. ``findings`` are the errors in its files. ``left`` are the names of
    schedules that others edited, ``held`` of those that people stopped, ``unconfirmed`` of those that another program
    wrote back.
    """

    commit: str
    state: State
    counts: Mapping[str, int] | None = None
    problem: str = ""
    hint: str | None = None
    findings: tuple[Finding, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    left: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    sections: tuple[Section, ...] = field(default=())

    @property
    def needs_a_look(self) -> bool:
        """Whether it says more than that nothing changed: only then a comment is made."""
        told = (self.problem, self.findings, self.refusals, self.left, self.unconfirmed, self.sections)
        return any(told) or any((self.counts or {}).values())
