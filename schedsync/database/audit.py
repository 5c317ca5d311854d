"""The audit record: one row for each transaction, and each set that it changed, committed with the change."""

from __future__ import annotations

import json
import os
import uuid
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from schedsync.core.observed import Observed, Paused
from schedsync.core.origin import Binding, commit_from, recorded_commit
from schedsync.core.pipeline import pipeline_of
from schedsync.core.schedule import canonical_json
from schedsync.database.apply_failures import forget_failure
from schedsync.database.bulk import rows_of
from schedsync.database.history_names import write_names
from schedsync.database.rights import may_insert
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.database.write_request import WriteRequest
from schedsync.models import HistoryName, SyncRun
from schedsync.planning.converter import pause_document
from schedsync.planning.named import Named, named_in
from schedsync.planning.recorded import followed_documents, recorded_change
from schedsync.planning.rolled_back import rolled_back_document

_NOWHERE = Binding()
#: A set takes its last apply with it when it is renamed: ``rename`` is the record of its new name, ``renamed`` of the
#: old one, under which nothing was applied since. They sort in this order where both have the same time.
SAYS_LAST_APPLY = ("apply", "rename", "renamed")


class Packed(bytes):
    """Documents as the column ``changes`` holds them, and the names that they are about."""

    named: tuple[Named, ...] = ()


def record(
    using: str,
    verb: str,
    set_name: str,
    who: str,
    at: datetime,
    counts: Mapping[str, int],
    *,
    run: uuid.UUID | None = None,
    binding: Binding = _NOWHERE,
    checksum: str = "",
    changes: bytes = b"",
    reason: str | None = None,
    pull_request: str | None = None,
    names: Iterable[str] = (),
) -> None:
    """Write one audit record in the caller's transaction; ``counts`` are the changes by kind.

    ``changes`` are as from :func:`packed`. ``names`` are further schedules that the record is about; its changes do not
    name them. ``pull_request`` counts where CI's variables name none.
    """
    run = run or uuid.uuid4()
    values = {
        "id": run,
        "verb": verb,
        "set": set_name,
        **_place_of(binding),
        "checksum": checksum,
        "who": who,
        "at": at,
        "summary": canonical_json(counts),
        "changes": bytes(changes),
    }
    if not has_table(using, HistoryName):
        _record_before_migration(using, values)
        return
    named = _to_index(using, changes, names)
    count = None if named is None else len(named)
    SyncRun.objects.using(using).create(**values, **_of_job(pull_request), reason=reason, names=count)
    write_names(using, run, at, named or ())


def _place_of(binding: Binding) -> dict[str, str | None]:
    return {
        "environment": binding.environment,
        "repository": binding.repository,
        "path": binding.path,
        "commit": recorded_commit(binding),
    }


def _of_job(pull_request: str | None) -> dict[str, str | None]:
    """Return what CI's variables say of its job; ``pull_request`` counts where they name none."""
    pipeline = pipeline_of(os.environ)
    return {"pull_request": pipeline.pull_request or pull_request, "pipeline": pipeline.pipeline, "job": pipeline.job}


def _to_index(using: str, changes: bytes, names: Iterable[str]) -> tuple[Named, ...] | None:
    """Return the schedules by which a record can be found; None where a later apply has to find them."""
    if changes and not isinstance(changes, Packed):
        return None
    named = (*(changes.named if isinstance(changes, Packed) else ()), *map(Named, names))
    # A role with the rights of an older version goes on working; an apply with the right finds the names.
    return None if named and not may_insert(using, HistoryName) else named


def _record_before_migration(using: str, values: Mapping[str, Any]) -> None:
    """Write the columns that were always there: a new Beat or pipeline may run before `migrate` does."""
    fields = [field for field in SyncRun._meta.concrete_fields if field.attname in values]
    rows: Any = rows_of(SyncRun, using)
    rows._insert([SyncRun(**values)], fields=fields, using=using)


def record_binding(using: str, before: str | None, environment: str | None, who: str, at: datetime) -> None:
    """Write the audit record of a database that is bound to an environment, or to none; no set is concerned."""
    changes = packed([{"kind": "bind", "before": before, "after": environment}])
    record(using, "bind", "", who, at, {"bind": 1}, binding=Binding(environment), changes=changes)


def record_rename(using: str, old: str, new: str, names: Collection[str], who: str, at: datetime) -> None:
    """Write the audit records of a set that gets another name: the new one goes on where the old one was applied."""
    last = last_binding(using, old)
    forget_failure(using, old)
    changes = packed([{"kind": "rename_set", "before": old, "after": new}])
    counts = {"rename_set": len(names)}
    verb = "renamed" if last is None else "rename"
    record(using, verb, new, who, at, counts, binding=last or _NOWHERE, changes=changes, names=names)
    record(using, "renamed", old, who, at, counts, changes=changes)


def record_move(using: str, sets: Mapping[str, str], to: str, who: str, at: datetime) -> None:
    """Write the audit records of schedules that move to another set, one for each set; ``sets`` are theirs by name."""
    moves = [{"kind": "move", "name": name, "before": before, "after": to} for name, before in sets.items()]
    by_set: dict[str, list[dict[str, str]]] = {to: moves}
    for move in moves:
        by_set.setdefault(move["before"], []).append(move)
    for set_name, those in by_set.items():
        record(using, "move", set_name, who, at, {"move": len(those)}, changes=packed(those))


def packed(documents: Iterable[Mapping[str, Any]]) -> Packed:
    """Return documents as the column ``changes`` holds them."""
    known = list(documents)
    result = Packed(zlib.compress(json.dumps(known).encode(), 1))
    result.named = named_in(known)
    return result


def record_request(request: WriteRequest, observed: Observed) -> None:
    """Write the audit record of a request, with its changes as in a plan, and the rules that a flag lifted.

    ``observed`` is what the tables held before: a rollback needs it.
    """
    documents: list[dict[str, Any]] = [recorded_change(change, observed) for change in request.changes]
    followed = list(followed_documents(request.to_record, request.lost_rows, observed))
    documents += followed
    # A schedule whose pause ends can come under another one at once.
    documents += [_ended(pause, request) for pause in request.ended]
    documents += [{"kind": "pause", **pause_document(pause)} for pause in request.joined]
    counts = Counter(change.kind for change in request.changes)
    counts.update(str(document["kind"]) for document in followed)
    if request.joined:
        counts["pause"] = len(request.joined)
    documents += [{"kind": "rolled_back", **rolled_back_document(mark)} for mark in request.marks.new]
    documents += [{"kind": "rollback_ended", **rolled_back_document(mark)} for mark in request.marks.over]
    documents += map(dict, request.notes)
    documents += [{"kind": "lift", "rule": each.code, "message": each.message} for each in request.lifted]
    record(
        request.using,
        request.verb,
        request.set,
        request.who,
        request.now,
        counts,
        run=request.run,
        binding=request.binding,
        checksum=request.checksum,
        changes=packed(documents),
        reason=request.reason,
        pull_request=request.pull_request,
    )


def _ended(pause: Paused, request: WriteRequest) -> dict[str, Any]:
    """Return the document of a pause that ends: its time is over, or it has lost its schedule."""
    how = request.verb if pause.ended(request.now) else "lost"
    return {"kind": "resume", "how": how, "name": pause.name, "ends": pause_document(pause)}


def was_committed(using: str, run: uuid.UUID) -> bool:
    """Say whether the transaction with this audit record was committed."""
    committed: bool = SyncRun.objects.using(using).filter(pk=run).exists()
    return committed


def last_binding(using: str, set_name: str) -> Binding | None:
    """Return where a set was last applied from, perhaps under a former name; None where it was never applied."""
    runs = SyncRun.objects.using(using).filter(set=set_name, verb__in=SAYS_LAST_APPLY).order_by("-at", "verb")
    last = read_values(runs[:1], ("verb", "environment", "repository", "path", "commit"))
    if not last or last[0][0] == "renamed":
        return None
    _, environment, repository, path, recorded = map(readable, last[0])
    return Binding(environment, repository, path, *commit_from(recorded))
