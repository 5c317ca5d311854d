"""The audit record: one row for each transaction that changed something, committed with the change."""

from __future__ import annotations

import json
import uuid
import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from schedsync.core.origin import Binding, commit_from, recorded_commit
from schedsync.core.schedule import canonical_json
from schedsync.database.values import read_values, readable
from schedsync.database.write_request import WriteRequest
from schedsync.models import SyncRun
from schedsync.planning.converter import change_document

_NOWHERE = Binding()


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


def record_request(request: WriteRequest) -> None:
    """Write the audit record of a request, with its changes as in a plan."""
    documents = [change_document(change) for change in request.changes]
    record(
        request.using,
        request.verb,
        request.set,
        request.who,
        request.now,
        Counter(change.kind for change in request.changes),
        run=request.run,
        binding=request.binding,
        checksum=request.checksum,
        changes=zlib.compress(json.dumps(documents).encode(), 1),
    )


def was_committed(using: str, run: uuid.UUID) -> bool:
    """Say whether the transaction with this audit record was committed."""
    committed: bool = SyncRun.objects.using(using).filter(pk=run).exists()
    return committed


def last_binding(using: str, set_name: str) -> Binding | None:
    """Return where a set was last applied from; None where it was never applied."""
    runs = SyncRun.objects.using(using).filter(set=set_name, verb="apply").order_by("-at")
    last = read_values(runs[:1], ("environment", "repository", "path", "commit"))
    if not last:
        return None
    environment, repository, path, recorded = map(readable, last[0])
    return Binding(environment, repository, path, *commit_from(recorded))
