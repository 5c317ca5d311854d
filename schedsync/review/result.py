"""What a review says: for each environment what a change of the files does, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schedsync.calendar.load import Load
from schedsync.core.adoption import Adoption
from schedsync.core.change import Rename
from schedsync.core.finding import Finding, has_errors
from schedsync.core.origin import Web
from schedsync.core.refusal import Limits
from schedsync.planning.converter import change_document, finding_document, refusal_document
from schedsync.planning.plan import Plan
from schedsync.planning.snapshot import Snapshot

#: The version of the document; see schemas/review.v1.schema.json.
VERSION = 1
#: How many digits of a commit's id people read.
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be reviewed: two revisions, ``head`` None for the work tree, ``base`` None for where it began.

    ``pictures`` asks for the load before the change too. ``directory`` is the one with the configuration, where a
    repository has several; ``base_directory`` is another one that the set had at the base.
    """

    base: str | None = None
    head: str | None = None
    path: str | None = None
    environment: str | None = None
    limits: Limits = field(default_factory=Limits)
    adopt: Adoption = field(default_factory=Adoption)
    snapshot: Snapshot | None = None
    pictures: bool = False
    directory: Path | None = None
    base_directory: Path | None = None


@dataclass(frozen=True)
class EnvironmentReview:
    """What the change does in one environment; ``before`` and ``after`` are the load pictures of a week.

    ``not_compared`` is the number of definitions that differ, and whose schedules are not known. ``broken_files`` has
    for each changed file with errors on one side how many schedules of the other are not compared, and
    ``moved_submodules`` is the number of submodules at another commit. ``reowned`` has the owners before and after of
    each schedule that differs in a key that makes no change of its row.
    """

    environment: str | None
    plan: Plan
    before: Load
    after: Load
    not_compared: int = 0
    broken_files: tuple[int, ...] = ()
    moved_submodules: int = 0
    reowned: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Say whether everything was compared."""
        return not self.unknown

    @property
    def unknown(self) -> int:
        """How many definitions, schedules and submodules were not compared; of a file that hides how many, one."""
        return self.not_compared + self.moved_submodules + sum(max(count, 1) for count in self.broken_files)

    def owners(self) -> Iterator[tuple[str, str]]:
        """Yield an owner and a schedule for each that had or gets this owner, and that the files change."""
        for change in self.plan.changes:
            earlier = self.plan.observed.ledger.get(change.old_name if isinstance(change, Rename) else change.name)
            for owner in (change.people.owner, earlier.people.owner if earlier else None):
                if owner is not None:
                    yield owner, change.name
        for name, owners in self.reowned.items():
            yield from ((owner, name) for owner in owners)


@dataclass(frozen=True)
class Review:
    """Two revisions compared: ``head`` is None for the work tree; ``new`` are the findings that ``base`` had not.

    ``base_name`` and ``head_name`` are how the user or CI named them, None if nobody did. ``approvals`` says who must
    approve changes of the schedules of an owner. ``web`` is where people can read the files, None if that is not known.
    ``repository`` is the name of the repository: its URL without credentials, or its directory.
    """

    base: str
    head: str | None
    environments: Sequence[EnvironmentReview]
    findings: Sequence[Finding]
    new: frozenset[Finding]
    base_name: str | None = None
    approvals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    web: Web | None = None
    head_name: str | None = None
    repository: str | None = None

    @property
    def base_text(self) -> str:
        """The base as people read it: its name, and the first digits of the commit."""
        short = self.base[:_SHORT]
        return (
            short if self.base_name is None or self.base.startswith(self.base_name) else f"{self.base_name} at {short}"
        )

    def shows(self, finding: Finding) -> bool:
        """Say whether a reviewer has to see a finding: it is new, or an error."""
        return finding in self.new or finding.severity == "error"

    def approvals_needed(self) -> Iterator[tuple[str, tuple[str, ...], int]]:
        """Yield each owner whose schedules change, who must approve that, and how many of the schedules change."""
        names: dict[str, set[str]] = {}
        for each in self.environments if self.approvals else ():
            for owner, name in each.owners():
                names.setdefault(owner, set()).add(name)
        for owner in sorted(names.keys() & self.approvals.keys()):
            yield owner, self.approvals[owner], len(names[owner])

    def document(self) -> dict[str, Any]:
        """Return the review as JSON values."""
        return {
            "version": VERSION,
            "base": self.base,
            "base_name": self.base_name,
            "head": self.head,
            "environments": [
                {
                    "environment": each.environment,
                    "summary": each.plan.summary(),
                    "changes": [change_document(change) for change in each.plan.changes],
                    "refusals": [refusal_document(refusal) for refusal in each.plan.refusals],
                }
                for each in self.environments
            ],
            "findings": [finding_document(finding) | {"new": finding in self.new} for finding in self.findings],
            "approvals": [
                {"owner": owner, "by": list(by), "changes": count} for owner, by, count in self.approvals_needed()
            ],
            "failure_reason": "invalid" if has_errors(self.findings) else None,
        }
