"""Finds the audit record of a run by its id, and reads the changes that it holds."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schedsync.core.change import KINDS
from schedsync.core.names import first_names
from schedsync.core.origin import Binding, commit_from
from schedsync.database.bulk import rows_of
from schedsync.database.values import read_values, readable
from schedsync.errors import Failed, WrongUsage
from schedsync.models import SyncRun

#: The verbs whose runs can be rolled back.
VERBS = ("apply", "rollback")
#: In bytes: a damaged record must not fill the memory. Each of 200,000 schedules may have a thousand.
_LARGEST = 2**28
#: How many digits of an id are enough, and how many runs are searched for them, the latest first.
_SHORTEST, _SEARCHED = 4, 100_000
#: How many later runs are read to name the one that changed a schedule again.
_LATER = 50
_COLUMNS = ("id", "verb", "set", "environment", "repository", "path", "commit", "who", "at", "summary")
_UNREAD = (uuid.UUID(int=0), "", "", None, None, None, None, "", None, "{}")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The audit record of a run without its changes; ``binding`` says where its files came from."""

    id: uuid.UUID
    verb: str
    set: str
    environment: str | None
    binding: Binding
    who: str
    at: datetime
    summary: str

    @property
    def changed(self) -> bool:
        """Whether it changed any schedule."""
        try:
            counts = json.loads(self.summary)
            return any(counts.get(kind) for kind in KINDS)
        except (ValueError, AttributeError, RecursionError):
            return True


def find_run(using: str, reference: str) -> RunRecord | None:
    """Return the run with an id, or with an id that begins so; None without.

    Raises WrongUsage where several runs' ids begin so, or the reference is too short.
    """
    digits = reference.replace("-", "").lower()
    if not digits or len(digits) > 32 or any(digit not in "0123456789abcdef" for digit in digits):
        return None
    if len(digits) == 32:
        return _record(using, [uuid.UUID(digits)])
    ids = rows_of(SyncRun, using).order_by("-at").values_list("pk", flat=True)[:_SEARCHED]
    found = [run for run in ids if isinstance(run, uuid.UUID) and run.hex.startswith(digits)]
    if len(digits) < _SHORTEST and found:
        raise WrongUsage(f"`{reference}` is too short for a run", hint=f"give at least {_SHORTEST} digits of its id")
    if len(found) > 1:
        raise WrongUsage(f"{len(found):,} runs begin with `{reference}`", hint="give more digits of the id")
    return _record(using, found)


def _record(using: str, ids: Sequence[uuid.UUID]) -> RunRecord | None:
    rows = rows_of(SyncRun, using).filter(pk__in=ids) if ids else None
    return next(_records(rows), None) if rows is not None else None


def last_run(using: str, set_name: str) -> RunRecord | None:
    """Return the last apply of a set that changed something; None without."""
    rows = rows_of(SyncRun, using).filter(set=set_name, verb="apply").order_by("-at", "pk")[:_SEARCHED]
    return next((record for record in _records(rows) if record.changed), None)


def commit_before(using: str, record: RunRecord) -> str | None:
    """Return the commit that a set was applied from before a run, if that was another one; None if nobody knows."""
    rows = rows_of(SyncRun, using).filter(set=record.set, verb="apply", at__lt=record.at).order_by("-at", "pk")
    commits = (earlier.binding.commit for earlier in _records(rows[:_SEARCHED]))
    return next((commit for commit in commits if commit is not None and commit != record.binding.commit), None)


def _records(rows: Any) -> Iterator[RunRecord]:
    for values in read_values(rows, _COLUMNS):
        run, verb, set_name, environment, repository, path, commit, who, at, summary = map(readable, values, _UNREAD)
        if at is not None:
            binding = Binding(environment, repository, path, *commit_from(commit))
            yield RunRecord(run, verb, set_name, environment, binding, who, at, summary)


def changes_of(using: str, run: uuid.UUID) -> list[Any]:
    """Return the changes of a run as JSON values; raises Failed where they are damaged."""
    packed = rows_of(SyncRun, using).filter(pk=run).values_list("changes", flat=True).first()
    documents = _unpacked(packed)
    if documents is None:
        hint = "roll back to a commit instead: `schedsync rollback COMMIT`"
        raise Failed(f"the changes of run {str(run)[:8]} cannot be read", hint=hint)
    return documents


def _unpacked(packed: Any) -> list[Any] | None:
    if not packed:
        return []
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(bytes(packed), _LARGEST)
        documents = json.loads(text) if unpacking.eof else None
    except (zlib.error, ValueError, TypeError, RecursionError):
        return None
    return documents if isinstance(documents, list) else None


def changed_since(using: str, record: RunRecord, names: Collection[str]) -> str:
    """Return which runs changed one of the names after a run, as text for people; "" where none of the last did."""
    rows = rows_of(SyncRun, using).filter(set=record.set, verb__in=VERBS, at__gt=record.at).order_by("-at", "pk")
    found = [str(run)[:8] for run, packed in rows.values_list("pk", "changes")[:_LATER] if _concerns(packed, names)]
    return first_names(found, 5)


def _concerns(packed: Any, names: Collection[str]) -> bool:
    documents = [each for each in _unpacked(packed) or [] if isinstance(each, dict) and each.get("kind") in KINDS]
    return any(each.get("name") in names or each.get("old_name") in names for each in documents)
