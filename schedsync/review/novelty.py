"""Which findings are new since another revision, though lines have moved and files were renamed. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

from schedsync.core.finding import Finding

_NUMBER = re.compile(r"\d+")
_Key = tuple[str, str, str]


class Owners:
    """Tells whose a finding is: the schedule at whose lines it stands, or the file.

    ``lines`` are by path the lines at which schedules begin, in order, and their names as they are written.
    """

    def __init__(self, lines: Mapping[str, Sequence[tuple[int, str]]]) -> None:
        self.lines = lines

    def key(self, finding: Finding) -> _Key:
        """Return what makes a finding the same in two revisions: not its line, and no number that it names.

        A finding about several schedules is shown at one of them; it is the same after that one has gone.
        """
        return finding.code, _NUMBER.sub("", finding.message), "" if finding.names else self._owner(finding)

    def _owner(self, finding: Finding) -> str:
        if finding.location is None:
            return ""
        lines = self.lines.get(finding.location.path, ())
        index = bisect_right(lines, (finding.location.line, "\U0010ffff")) - 1
        return lines[index][1] if index >= 0 else finding.location.path


def new_findings(
    before: Sequence[Finding], owned_before: Owners, after: Sequence[Finding], owned_after: Owners
) -> set[Finding]:
    """Return the findings of ``after`` that ``before`` had not; of several alike as many as were added."""
    left: Counter[_Key] = Counter(owned_before.key(finding) for finding in before)
    new: set[Finding] = set()
    for finding in after:
        key = owned_after.key(finding)
        if left[key]:
            left[key] -= 1
        else:
            new.add(finding)
    return new
