"""The audit record: one row for each transaction, and each set that it changed, committed with the change."""

from __future__ import annotations

import json
import uuid
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from schedsync.core.observed import Observed
from schedsync.core.origin import Binding, commit_from, recorded_commit
from schedsync.core.schedule import canonical_json
from schedsync.database.apply_failures import forget_failure
from schedsync.database.values import read_values, readable
from schedsync.database.write_request import WriteRequest
from schedsync.models import SyncRun
from schedsync.planning.converter import pause_document
from schedsync.planning.recorded import recorded_change
from schedsync.planning.rolled_back import rolled_back_document

_NOWHERE = Binding()
#: A set takes its last apply with it when it is renamed: ``rename`` is the record of its new name, ``renamed`` of the
#: old one, under which nothing was applied since. They sort in this order where both have the same time.
SAYS_LAST_APPLY = ("apply", "rename", "renamed")


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
) -> None:
    """Write one audit record in the caller's transaction; ``counts`` are the changes by kind."""
    SyncRun.objects.using(using).create(
        id=run or uuid.uuid4(),
        verb=verb,
        set=set_name,
        environment=binding.environment,
        repository=binding.repository,
        path=binding.path,
        commit=recorded_commit(binding),
        checksum=checksum,
        who=who,
        at=at,
        summary=canonical_json(counts),
        changes=changes,
    )


def record_binding(using: str, environment: str | None, who: str, at: datetime) -> None:
    """Write the audit record of a database that is bound to an environment, or to none; no set is concerned."""
    record(using, "bind", "", who, at, {"bind": 1}, binding=Binding(environment))


def record_rename(using: str, old: str, new: str, names: int, who: str, at: datetime) -> None:
    """Write the audit records of a set that gets another name: the new one goes on where the old one was applied."""
    last = last_binding(using, old)
    forget_failure(using, old)
    changes = packed([{"kind": "rename_set", "before": old, "after": new}])
    counts = {"rename_set": names}
    verb = "renamed" if last is None else "rename"
    record(using, verb, new, who, at, counts, binding=last or _NOWHERE, changes=changes)
    record(using, "renamed", old, who, at, counts, changes=changes)


def record_move(using: str, sets: Mapping[str, str], to: str, who: str, at: datetime) -> None:
    """Write the audit records of schedules that move to another set, one for each set; ``sets`` are theirs by name."""
    moves = [{"kind": "move", "name": name, "before": before, "after": to} for name, before in sets.items()]
    by_set: dict[str, list[dict[str, str]]] = {to: moves}
    for move in moves:
        by_set.setdefault(move["before"], []).append(move)
    for set_name, those in by_set.items():
        record(using, "move", set_name, who, at, {"move": len(those)}, changes=packed(those))


def packed(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Return documents as the column ``changes`` holds them."""
    return zlib.compress(json.dumps(list(documents)).encode(), 1)


def record_request(request: WriteRequest, observed: Observed) -> None:
    """Write the audit record of a request, with its changes as in a plan, and the rules that a flag lifted.

    ``observed`` is what the tables held before: a rollback needs it.
    """
    documents: list[dict[str, Any]] = [recorded_change(change, observed) for change in request.changes]
    documents += [{"kind": "pause", **pause_document(pause)} for pause in request.joined]
    counts = Counter(change.kind for change in request.changes)
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
    )


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
