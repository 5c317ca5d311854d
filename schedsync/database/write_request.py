"""The value that tells one transaction what to write."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schedsync.core.applied_files import AppliedFiles
from schedsync.core.change import Change
from schedsync.core.location import Location
from schedsync.core.observed import Paused
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.rollback import NO_MARKS, Marks
from schedsync.core.rollout import RolloutRules
from schedsync.core.schedule import People, Schedule


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """All that one transaction writes, and the facts for its audit record.

    ``expected`` is the fingerprint of the tables that the plan was made from; None writes without comparing it.
    ``lost_rows`` are names in the ledger whose row and definition are both gone, ``to_record`` schedules whose row
    already has the values of the files. ``locations`` holds, by name, where the files define a schedule and whom they
    name; None leaves the ledger's locations alone. ``joined`` are the pauses of schedules that come under a standing
    pause. ``lifted`` are refusals that a flag lifted, for the audit record; so are ``notes``, documents of their own,
    ``ended``, the pauses that this request ends, ``reason``, and ``pull_request``, which the message of the commit
    names. ``marks`` is what is written about rolled-back schedules. ``files`` is kept for readers that have no files.
    ``rollout`` says how the first runs are watched, None where they are not.
    ``refused_at`` returns what refuses all of it at an instant: a freeze may begin while this waits for the lock.
    """

    using: str
    verb: str
    set: str
    binding: Binding
    checksum: str
    who: str
    now: datetime
    changes: tuple[Change, ...]
    expected: str | None = None
    lost_rows: tuple[str, ...] = ()
    to_record: tuple[Schedule, ...] = ()
    locations: Mapping[str, tuple[Location, People]] | None = None
    joined: tuple[Paused, ...] = ()
    lifted: tuple[Refusal, ...] = ()
    ended: tuple[Paused, ...] = ()
    pull_request: str | None = None
    reason: str | None = None
    marks: Marks = NO_MARKS
    files: AppliedFiles | None = None
    rollout: RolloutRules | None = None
    notes: tuple[Mapping[str, Any], ...] = ()
    refused_at: Callable[[datetime], tuple[Refusal, ...]] = lambda _at: ()
    run: uuid.UUID = field(default_factory=uuid.uuid4)
