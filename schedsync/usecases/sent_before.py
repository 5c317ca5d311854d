"""Which ticks of the past are known to be sent: by the claim of a schedule's last tick, the journal, and results."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import states
from celery.backends.base import DisabledBackend

from schedsync.core.hand_run import PastRequest, PastTick
from schedsync.core.names import counted
from schedsync.core.open_run import PASSED_BY
from schedsync.core.timing import Interval, Timing, moment
from schedsync.database.bulk import Among, batches
from schedsync.database.journal_sent import RowTick, SentTicks, row_tick, sent_ticks
from schedsync.database.reigns import reigns
from schedsync.models import Claim
from schedsync.usecases.run_checks import Chosen

#: What a Beat sends after its last sign of life may be this much later.
_RENEWAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Missing:
    """The ticks that nothing knows as sent, and sentences about what is not known."""

    ticks: Sequence[PastTick]
    unknown: tuple[str, ...] = ()


def missing_of(
    using: str, app: Any, request: PastRequest, ticks: Sequence[PastTick], chosen: Chosen, note: Callable[[str], None]
) -> Missing:
    """Return the ticks that neither a claim nor the journal nor a result knows as sent."""
    loaded = {name: runnable.loaded for name, runnable in chosen.runnable.items()}
    ids = {name: each.row_id for name, each in loaded.items()}
    spans = {name: _span(each.timing) for name, each in loaded.items()}
    until = request.until + timedelta(microseconds=max(spans.values(), default=1))
    note("reading the journal")
    journal = sent_ticks(using, ids.values(), request.since, until)
    sent, unsure = _Known(journal.sent | _claimed(using, ids)), _Known(journal.unsure)
    left, at_most_once = [], 0
    for tick in ticks:
        of_tick = *row_tick(ids[tick.name], tick.tick), spans[tick.name]
        if not sent.has(*of_tick):
            is_unsure = unsure.has(*of_tick)
            at_most_once += is_unsure
            left += [] if is_unsure else [tick]
    note(f"asking for the results of {counted(len(left), 'task')}")
    without = _without_results(app, left)
    unknown = (*_not_in_journal(journal, request, at_most_once), *_lost(using, request), *without.unknown)
    return Missing(without.ticks, unknown)


def _span(timing: Timing) -> int:
    """Return for how many microseconds after a tick something that was sent counts as this tick.

    The ticks of an interval move when its row is paused or edited: what was sent before has other ticks than the grid
    of today.
    """
    return timing.microseconds if isinstance(timing, Interval) else 1


class _Known:
    """Ticks that are known, by row and in order."""

    def __init__(self, ticks: Iterable[RowTick]) -> None:
        self._by_row: dict[int, list[int]] = {}
        for row_id, tick in sorted(ticks):
            self._by_row.setdefault(row_id, []).append(tick)

    def has(self, row_id: int, tick: int, span: int) -> bool:
        """Say whether a row has a tick from this one on, and before the end of a span of microseconds."""
        known = self._by_row.get(row_id, [])
        following = bisect_left(known, tick)
        return following < len(known) and known[following] < tick + span


def _not_in_journal(journal: SentTicks, request: PastRequest, at_most_once: int) -> tuple[str, ...]:
    said = []
    if journal.kept_since is None:
        said.append("there is no journal: of each schedule only the last tick is known")
    elif journal.kept_since > request.since:
        said.append(f"the journal knows nothing of the time before {moment(journal.kept_since)} UTC")
    if journal.gaps:
        said.append("parts of the journal are damaged, were not kept, or are too many to read")
    if at_most_once:
        ticks = "1 tick of a schedule that is" if at_most_once == 1 else f"{at_most_once:,} ticks of schedules that are"
        said.append(f"left out {ticks} sent at most once: the connection broke while Beat sent it")
    return tuple(said)


def _lost(using: str, request: PastRequest) -> Iterator[str]:
    """Say that a Beat was killed: it writes its records with each renewal of its lease."""
    ends = [reign.until for reign in reigns(using, request.since - _RENEWAL, request.until) if not reign.until_known]
    if any(end is not None and end <= request.until for end in ends):
        yield "a Beat was killed in that time: its last records are lost, so what it sent then may be sent again"


def _claimed(using: str, ids: dict[str, int]) -> set[RowTick]:
    """Return the last tick of each schedule that was sent and confirmed."""
    claims = Claim.objects.using(using).filter(confirmed=True).exclude(batch=PASSED_BY)
    return {
        row_tick(row_id, tick)
        for batch in batches(sorted(ids.values()))
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
