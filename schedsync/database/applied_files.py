"""Keeps what the files of a set said at their last apply, one row for each set and environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db import transaction

from schedsync.core.applied_files import AppliedFiles
from schedsync.database.bulk import rows_of
from schedsync.database.rights import may_insert
from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, read_values
from schedsync.models import AppliedFiles as Row
from schedsync.models import ManagedSchedule

#: In bytes. A set whose packed documents are larger is not kept: a server takes no statement of any size.
LARGEST = 8 * 1024 * 1024
#: The freezes of at most this number of sets are shown.
_MOST_SETS = 100
_COLUMNS = ("set", "environment", "commit", "at", "digest")


def keep_files(using: str, files: AppliedFiles) -> None:
    """Write the files of an apply in the caller's transaction; a role or a table of an older version writes nothing."""
    if has_table(using, Row) and may_insert(using, Row):
        _write(using, files)


def _write(using: str, files: AppliedFiles) -> None:
    rows = rows_of(Row, using).filter(set=files.set, environment=files.environment or "")
    if not files.digest:
        rows.delete()
        return
    fits = len(files.desired) + len(files.load) <= LARGEST
    values: dict[str, Any] = {
        "commit": files.commit,
        "at": files.at,
        "digest": files.digest,
        "desired": files.desired if fits else b"",
        "load": files.load if fits else b"",
    }
    if not rows.update(**values):
        rows_of(Row, using).create(set=files.set, environment=files.environment or "", **values)


def kept_digest(using: str, set_name: str, environment: str | None) -> tuple[str | None, str] | None:
    """Return the commit and the digest that are kept; None where nothing is, or this role may not know."""
    rows = rows_of(Row, using).filter(set=set_name, environment=environment or "")
    found: tuple[str | None, str] | None = rows.values_list("commit", "digest").first()
    return found


def note_commit(using: str, files: AppliedFiles) -> None:
    """Note that the files of another commit say the same."""
    rows = rows_of(Row, using).filter(set=files.set, environment=files.environment or "", digest=files.digest)
    rows.update(commit=files.commit, at=files.at)


def write_alone(using: str, files: AppliedFiles) -> None:
    """Write the files of an apply that changes nothing, in a transaction of its own."""
    with transaction.atomic(using=using):
        _write(using, files)


def kept_files(using: str) -> list[AppliedFiles]:
    """Return what is kept of all sets, the newest first, without the documents; damaged rows are left out."""
    if not has_table(using, Row):
        return []
    found = read_values(rows_of(Row, using).order_by("-at", "set"), _COLUMNS)
    sound = (values for values in found if not isinstance(values, Damaged))
    return [
        AppliedFiles(name, environment or None, commit, at, digest) for name, environment, commit, at, digest in sound
    ]


def with_documents(using: str, files: AppliedFiles) -> AppliedFiles:
    """Return files with their documents, which are empty where there are none."""
    rows = rows_of(Row, using).filter(set=files.set, environment=files.environment or "")
    desired, load = rows.values_list("desired", "load").first() or (b"", b"")
    return replace(files, desired=_bytes(desired), load=_bytes(load))


def desired_documents(using: str) -> Iterator[tuple[AppliedFiles, bytes]]:
    """Yield the newest files of each set with their schedules, still packed, in two queries; at most 100 sets."""
    newest: dict[str, AppliedFiles] = {}
    for files in kept_files(using):
        newest.setdefault(files.set, files)
    few = dict(list(newest.items())[:_MOST_SETS])
    if not few:
        return
    rows = rows_of(Row, using).filter(set__in=few).values_list("set", "environment", "desired")
    for set_name, environment, desired in rows.iterator():
        last = few.get(set_name)
        if last is not None and last.environment == (environment or None):
            yield last, _bytes(desired)


def _bytes(value: object) -> bytes:
    # SQLite takes any type in any column.
    return bytes(value) if isinstance(value, (bytes, memoryview)) else b""


def give_files_to_set(using: str, old: str, new: str) -> None:
    """Let the files that are kept follow a set to its new name, in the caller's transaction."""
    if has_table(using, Row) and may_insert(using, Row):
        rows_of(Row, using).filter(set=new).delete()
        rows_of(Row, using).filter(set=old).update(set=new)


def forget_empty_sets(using: str) -> None:
    """Delete what is kept of sets that manage nothing any more, in the caller's transaction."""
    if has_table(using, Row) and may_insert(using, Row):
        managing = ManagedSchedule.objects.using(using).order_by().values_list("set", flat=True).distinct()
        rows_of(Row, using).exclude(set__in=list(managing)).delete()
