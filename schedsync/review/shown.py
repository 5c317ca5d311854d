"""Which findings of a review a reader sees, and under which heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schedsync.core.finding import Finding, most_severe_first
from schedsync.review.result import Review

#: The finding that what protects a set changes.
CHANGED_SAFEGUARD = "SS168"
#: Findings about what protects a set: a reviewer reads them before the changes.
SAFEGUARDS = frozenset({CHANGED_SAFEGUARD, "SS170", "SS176"})
#: The finding that an apply would be refused.
REFUSED = "SS164"


@dataclass(frozen=True, slots=True)
class ShownFindings:
    """The new findings about safeguards, the other new ones, errors from before, and how many more are from before.

    The most severe come first. What an apply would be refused for is not among them where the refusals are shown.
    """

    safeguards: Sequence[Finding]
    new: Sequence[Finding]
    errors: Sequence[Finding]
    old: int

    @property
    def changed_safeguards(self) -> list[Finding]:
        """The findings that a safeguard changes."""
        return [finding for finding in self.safeguards if finding.code == CHANGED_SAFEGUARD]

    @property
    def other_errors(self) -> int:
        """How many new errors are not about a changed safeguard."""
        findings = (*self.safeguards, *self.new)
        return sum(finding.severity == "error" and finding.code != CHANGED_SAFEGUARD for finding in findings)


def shown_findings(review: Review) -> ShownFindings:
    """Return the findings of a review by their headings."""
    refused = any(each.plan.refusals for each in review.environments)
    findings = most_severe_first(review.findings)
    new = [each for each in findings if each in review.new and not (refused and each.code == REFUSED)]
    return ShownFindings(
        [each for each in new if each.code in SAFEGUARDS],
        [each for each in new if each.code not in SAFEGUARDS],
        [each for each in findings if each.severity == "error" and each not in review.new],
        sum(each not in review.new and each.severity != "error" for each in findings),
    )
