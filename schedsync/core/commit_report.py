"""What became of a commit, for those who pushed it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from schedsync.core.finding import Finding
from schedsync.core.refusal import Refusal

State = Literal["pending", "success", "failure"]
_WORST_FIRST: tuple[State, ...] = ("failure", "pending", "success")


@dataclass(frozen=True, slots=True)
class Section:
    """More about a commit: a title in plain text, and lines of Markdown, in which text from outside is code already.

    ``state`` is that of the commit if it is worse than its own.
    """

    title: str
    lines: tuple[str, ...] = ()
    state: State = "success"


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What became of a commit.

    ``counts`` are the changes by kind, None if it was applied earlier than this process knows. ``problem`` says why it
    was not applied, and ``hint`` the way out. ``findings`` are the errors in its files. ``left`` are the names of
    schedules that others edited, ``held`` of those that people stopped, ``unconfirmed`` of those that another program
    wrote back. ``run`` is the id of the apply.
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
    run: uuid.UUID | None = None
    sections: tuple[Section, ...] = field(default=())

    def with_sections(self, sections: Sequence[Section]) -> CommitReport:
        """Return the report with more to say, in the worst state of all."""
        states = {self.state, *(section.state for section in sections)}
        return replace(self, sections=tuple(sections), state=next(state for state in _WORST_FIRST if state in states))

    @property
    def needs_a_look(self) -> bool:
        """Whether it says more than that nothing changed: only then a comment is made."""
        told = (self.problem, self.findings, self.refusals, self.left, self.unconfirmed, self.sections)
        return any(told) or any((self.counts or {}).values())
