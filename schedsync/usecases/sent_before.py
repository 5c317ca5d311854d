"""Which ticks of the past are known to be sent: by the claim of a schedule's last tick, the journal, and results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import states
from celery.backends.base import DisabledBackend

from schedsync.core.hand_run import PastRequest, PastTick
from schedsync.core.timing import moment
from schedsync.database.bulk import Among, batches
from schedsync.database.journal_sent import SentTicks, row_tick, sent_ticks
from schedsync.models import Claim
from schedsync.usecases.run_checks import Chosen


@dataclass(frozen=True, slots=True)
class Missing:
    """The ticks that nothing knows as sent, and sentences about what is not known."""

    ticks: Sequence[PastTick]
    unknown: tuple[str, ...] = ()


def missing_of(
    using: str, app: Any, request: PastRequest, ticks: Sequence[PastTick], chosen: Chosen, note: Callable[[str], None]
) -> Missing:
    """Return the ticks that neither a claim nor the journal nor a result knows as sent."""
    ids = {name: runnable.loaded.row_id for name, runnable in chosen.runnable.items()}
    note("reading the journal")
    claimed, journal = _claimed(using, ids), sent_ticks(using, ids.values(), request.since, request.until)
    left = [tick for tick in ticks if claimed.get(tick.name) != tick.tick and not _is_known(journal, ids, tick)]
    note(f"asking for the results of {len(left):,} tasks")
    without = _without_results(app, left)
    return Missing(without.ticks, (*_not_in_journal(journal, request), *without.unknown))


def _is_known(journal: SentTicks, ids: dict[str, int], tick: PastTick) -> bool:
    key = row_tick(ids[tick.name], tick.tick)
    return key in journal.sent or key in journal.unsure


def _not_in_journal(journal: SentTicks, request: PastRequest) -> tuple[str, ...]:
    said = []
    if journal.kept_since is None:
        said.append("there is no journal: of each schedule only the last tick is known")
    elif journal.kept_since > request.since:
        said.append(f"the journal knows nothing of the time before {moment(journal.kept_since)} UTC")
    if journal.gaps:
        said.append("parts of the journal are damaged, were not kept, or are too many to read")
    if journal.unsure:
        count = len(journal.unsure)
        ticks = "1 tick of a schedule that is" if count == 1 else f"{count:,} ticks of schedules that are"
        said.append(f"left out {ticks} sent at most once: the connection broke while Beat sent it")
    return tuple(said)


def _claimed(using: str, ids: dict[str, int]) -> dict[str, datetime]:
    """Return the last tick of each schedule that was sent and confirmed."""
    names = {row_id: name for name, row_id in ids.items()}
    claims = Claim.objects.using(using).filter(confirmed=True)
    return {
        names[row_id]: tick
        for batch in batches(sorted(names))
        for row_id, tick in claims.filter(Among(batch)).values_list("row_id", "tick")
    }


def _without_results(app: Any, ticks: Sequence[PastTick]) -> Missing:
    """Leave out the ticks whose task has a result; a task that waits in a queue has none."""
    if not ticks:
        return Missing(ticks)
    if isinstance(app.backend, DisabledBackend):
        return Missing(ticks, ("no result backend is configured",))
    left: list[PastTick] = []
    for number, tick in enumerate(ticks):
        try:
            state = app.backend.get_state(tick.task_id)
        except Exception as error:  # Each backend has errors of its own.
            reason = f"the result backend cannot be asked: {type(error).__name__}"
            return Missing([*left, *ticks[number:]], (reason,))
        if state == states.PENDING:
            left.append(tick)
    return Missing(left)
