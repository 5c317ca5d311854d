"""What can go wrong, drawn once.

::

    SchedsyncError               exit  failure_reason
    ├── Failed                      1  failed                 a failure that wrote nothing
    │   ├── InvalidSet              1  invalid                the files have findings of severity error
    │   └── InvalidConfiguration    1  invalid_configuration  schedsync.toml cannot be used
    ├── Refused                     3  refused                a safety rule says no
    │   └── CommitRefused           3  refused                an agent may not apply what its remote has
    ├── Stale                       4  stale                  the tables or the files have changed since the plan
    ├── Locked                      5  locked                 another apply holds the lock
    ├── NotConfirmed                6  not_confirmed          committed, but the rows were changed back
    ├── NotLoaded                   6  not_loaded             committed, but not every Beat has loaded it in time
    ├── FirstRunFailed              6  first_run_failed       committed, but a first run failed or did not start
    ├── WrongUsage                 64  usage                  the command line is wrong
    │   └── UnknownSchedule        64  usage                  no schedule has or had the name
    └── Unavailable                69  unavailable            the database or a part of the clone cannot be used

An exception carries data and composes its own message; its ``hint`` names the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.core.refusal import Refusal


class SchedsyncError(Exception):
    """A failure that is printed as a message, without a traceback."""

    exit_code: ClassVar[int] = 1
    failure_reason: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Failed(SchedsyncError):
    """A failure that wrote nothing."""


class InvalidSet(Failed):
    """The files have findings of severity error, so there is nothing to compare."""

    failure_reason = "invalid"

    def __init__(self, findings: Sequence[Finding]) -> None:
        count = sum(finding.severity == "error" for finding in findings)
        super().__init__(f"{count} error{'s' * (count != 1)} in the files, nothing was compared or written")
        self.findings = tuple(findings)


class InvalidConfiguration(Failed):
    """schedsync.toml, or the table in pyproject.toml, cannot be used."""

    failure_reason = "invalid_configuration"

    def __init__(self, path: str, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {problem}", hint=hint)
        self.path = path


class Refused(SchedsyncError):
    """At least one safety rule says no; ``effect`` says what was not done."""

    exit_code = 3
    failure_reason = "refused"

    def __init__(self, refusals: Sequence[Refusal], effect: str = "nothing was written") -> None:
        super().__init__(f"refused, {effect}")
        self.effect = effect
        self.refusals = tuple(refusals)


class CommitRefused(Refused):
    """An agent may not apply ``commit``, which its remote has: it is rewound, or not signed by a given key."""

    def __init__(self, refusals: Sequence[Refusal], commit: str) -> None:
        super().__init__(refusals)
        self.commit = commit


class Stale(SchedsyncError):
    """The tables or the files have changed since the plan was made."""

    exit_code = 4
    failure_reason = "stale"

    def __init__(self, what: str) -> None:
        super().__init__(f"the plan is stale: {what}", hint="plan again, and review what has changed")


class Locked(SchedsyncError):
    """Another apply holds the lock."""

    exit_code = 5
    failure_reason = "locked"

    def __init__(self) -> None:
        super().__init__("another apply holds the lock, nothing was written", hint="try again when it is done")


class NotConfirmed(SchedsyncError):
    """The transaction was committed, but some rows do not have the written values afterwards."""

    exit_code = 6
    failure_reason = "not_confirmed"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"committed, but not confirmed: {first_names(names, 5)}",
            hint="run `schedsync plan`; if it shows them again, another program writes these rows back",
        )
        self.names = tuple(names)


class NotLoaded(SchedsyncError):
    """The transaction was committed, but not every Beat has loaded the change in time."""

    exit_code = 6
    failure_reason = "not_loaded"

    def __init__(self, behind: Sequence[str]) -> None:
        who = f"not loaded in time by {', '.join(behind)}" if behind else "no Beat of schedsync's own is running"
        super().__init__(
            f"committed, but {who}",
            hint="see `schedsync status` and Beat's log; without `--wait`, apply does not wait for Beat",
        )
        self.behind = tuple(behind)


class FirstRunFailed(SchedsyncError):
    """The transaction was committed, but the first runs of some changed schedules failed, or did not start."""

    exit_code = 6
    failure_reason = "first_run_failed"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"committed, but not well at first: {first_names(names, 5)}",
            hint="`schedsync why NAME` says more of a run; `schedsync rollback` takes the apply back",
        )
        self.names = tuple(names)


class WrongUsage(SchedsyncError):
    """The command line, or an argument of a call, is wrong."""

    exit_code = 64
    failure_reason = "usage"


class UnknownSchedule(WrongUsage):
    """No schedule has the name that was given, and none had it."""


class Unavailable(SchedsyncError):
    """The database cannot be reached, is not migrated, or takes no writes; or a clone lacks what is to be compared."""

    exit_code = 69
    failure_reason = "unavailable"
