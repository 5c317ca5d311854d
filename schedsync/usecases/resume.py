"""Lets paused and held schedules run again, those that a selector chooses, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from schedsync.core.names import counted
from schedsync.core.observed import Observed, Paused, Row
from schedsync.core.pausing import Resumed, ResumeOrder
from schedsync.core.selector import Candidate, Selector, selector_text, texts_in_records
from schedsync.core.standing import Standing
from schedsync.core.timing import Clocked
from schedsync.database import audit, selected
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.pauses import why_done
from schedsync.database.standing import end_standing, read_standing
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Failed, WrongUsage
from schedsync.planning.converter import pause_document
from schedsync.planning.standing import standing_document
from schedsync.usecases.catch_up import CatchUp, catch_up_of, catch_up_text
from schedsync.usecases.monitors import settle_muted
from schedsync.usecases.pause import choose_managed, row_is_gone


def resume(
    using: str, order: ResumeOrder, wait: WaitOptions, progress: Callable[[str], None] = lambda _step: None
) -> Resumed:
    """End pauses; a schedule that is named exactly is released too where a human holds it.

    A schedule does not fire for a slot in the past; with ``catch_up`` the ticks that fell due meanwhile count as
    missed. Raises Failed where none of the schedules is paused, WrongUsage where the selector fits nothing that is
    managed, Locked where another apply holds the lock for too long.
    """

    def choose(managed: Sequence[Candidate]) -> set[str]:
        try:
            chosen = choose_managed(using, order.selector, managed)
        except WrongUsage:
            exact = order.selector.among({candidate.name for candidate in managed})
            if not any(pause.selector in (order.selector, exact) for pause in read_standing(using)):
                raise
            # Schedules of a standing pause may be deleted meanwhile; what is left of them is resumed.
            chosen = [candidate for candidate in managed if exact.fits(candidate)]
        progress(f"resuming {counted(len(chosen), 'schedule')}")
        return {candidate.name for candidate in chosen}

    def write(observed: Observed, managed: Sequence[Candidate], actor: str, at: datetime) -> Resumed:
        selector = order.selector.among({candidate.name for candidate in managed})
        work = _Resume(using, order, observed, at, selector.names)
        return work.write(selector, managed, actor, wait.say)

    resumed = wait_for_lock(
        lambda: selected.change_selected(using, choose, write, order.environment), wait.lock, wait.sleep
    )
    resumed.monitors = settle_muted(using, resumed.running)
    return resumed


class _Resume:
    """One transaction of ``resume``: decides schedule by schedule, then writes all of them at once."""

    def __init__(self, using: str, order: ResumeOrder, observed: Observed, at: datetime, named: frozenset[str]) -> None:
        self.using, self.order, self.observed, self.at, self.named = using, order, observed, at, named
        self.result = Resumed(order.selector)
        self.ended: dict[str, Paused] = {}
        self.enabled: list[Row] = []

    def write(
        self, selector: Selector, managed: Sequence[Candidate], actor: str, say: Callable[[str], None]
    ) -> Resumed:
        """Write what is decided; raises Failed where nothing changes."""
        for name in sorted(self.observed.ledger):
            self._decide(name)
        self._decide_standing(selector, managed)
        result = self.result
        if not (result.running or result.stopped or self.ended or result.ended):
            raise self._nothing()
        self._say_catch_up(say)
        selected.delete_pauses(self.using, self.ended)
        enable = selected.enable_rows_to_catch_up if self.order.catch_up else selected.enable_rows
        enable(self.using, self.enabled, self.at)
        end_standing(self.using, result.ended)
        self._record(selector, actor)
        return result

    def _decide(self, name: str) -> None:
        """Decide about one schedule: where it is listed, whether its pause ends, and whether its row is enabled."""
        row, pause = self.observed.rows.get(name), self.observed.pauses.get(name)
        if row is None:
            self._decide_gone(name, pause)
            return
        wanted, stopped = self.observed.ledger[name].was_enabled, row.spec is None or not row.spec.enabled
        done = self._why_done(row, pause)
        if pause is None and (done or not (wanted and stopped)):
            self.result.untouched.append(name)
            return
        if name not in self.named and (pause is None or (pause.was_held and stopped)):
            self.result.held.append(name)
        elif wanted and not done:
            self.result.running.append(name)
            if stopped:
                self.enabled.append(row)
        else:
            self.result.stopped.append(name)
        if pause is not None:
            self.ended[name] = pause

    def _decide_gone(self, name: str, pause: Paused | None) -> None:
        if self.named == {name} and len(self.observed.ledger) == 1:
            raise row_is_gone(self.observed.ledger[name])
        if pause is None:
            self.result.untouched.append(name)
        else:
            self.result.stopped.append(name)
            self.ended[name] = pause

    def _why_done(self, row: Row, pause: Paused | None) -> str | None:
        if self.order.catch_up and pause is not None and _fell_due_in(row, pause, self.at):
            return None
        return why_done(row, self.at, paused=pause is not None)

    def _decide_standing(self, selector: Selector, managed: Sequence[Candidate]) -> None:
        """Decide which standing pauses end: that of this selector, and those under which no schedule is paused now.

        Others go on for schedules that come later.
        """
        resumed = [candidate for candidate in managed if candidate.name in self.ended]
        left = self.observed.pauses.keys() - self.ended.keys()
        paused = [candidate for candidate in managed if candidate.name in left]
        ended: list[Standing] = []
        lasting: list[Standing] = []
        for pause in self.observed.standing:
            if pause.ended(self.at):
                continue
            if pause.selector == selector:
                ended.append(pause)
            elif any(map(pause.selector.fits, resumed)):
                (lasting if any(map(pause.selector.fits, paused)) else ended).append(pause)
        self.result.ended, self.result.lasting = tuple(ended), tuple(lasting)

    def _nothing(self) -> Failed:
        names = sorted(self.observed.ledger)
        if len(names) > 1 or not names:
            hint = "a schedule that a human has disabled is released by its name" if self.result.held else None
            return Failed(f"none of the {len(names):,} schedules is paused", hint=hint)
        if self.result.held:
            hint = "release it by its name: `schedsync resume NAME`"
            return Failed(f"`{names[0]}` is held, and not paused", hint=hint)
        return Failed(f"`{names[0]}` is neither paused nor held", hint=self._why_stopped(names[0]))

    def _why_stopped(self, name: str) -> str | None:
        """Return as a hint why a schedule that is neither paused nor held does not run; None where it does."""
        row, managed = self.observed.rows.get(name), self.observed.ledger[name]
        if managed.removing is not None:
            return "no file defines it any more, and it waits to be deleted; to keep it, define it again"
        done = row and why_done(row, self.at, paused=False)
        return done or (None if managed.was_enabled else "Git has it disabled; enable it in the files")

    def _say_catch_up(self, say: Callable[[str], None]) -> None:
        if self.order.catch_up and self.enabled:
            total = CatchUp()
            for row in self.enabled:
                total += catch_up_of(row, self.at, enabled=True)
            say(catch_up_text(total))

    def _record(self, selector: Selector, actor: str) -> None:
        """Write the audit record: which schedules, by which selector, and the pauses that end."""
        touched = {*self.result.running, *self.result.stopped, *self.ended}
        texts = texts_in_records(selector, touched)
        documents = {
            name: {"selector": texts[name], "how": "hand", "runs": name in self.result.running}
            | ({"ends": pause_document(self.ended[name])} if name in self.ended else {})
            for name in sorted(touched)
        }
        sets = {name: entry.set for name, entry in self.observed.ledger.items()}
        selected.record_selected(self.using, "resume", sets, actor, self.at, documents)
        # The record of the schedules names the pause of this selector already.
        untold = [pause for pause in self.result.ended if not documents or pause.selector != selector]
        if untold:
            self._record_ended(untold, selector, actor)

    def _record_ended(self, pauses: Sequence[Standing], selector: Selector, actor: str) -> None:
        """Write the audit record of standing pauses: they are of no set, and can end without any schedule."""
        chosen = selector_text(selector)
        changes = [{"kind": "resume", "selector": chosen, "ends": standing_document(pause)} for pause in pauses]
        counts = {"resume": len(changes)}
        audit.record(self.using, "resume", "", actor, self.at, counts, changes=audit.packed(changes))


def _fell_due_in(row: Row, pause: Paused, at: datetime) -> bool:
    """Say whether a clocked row's time came during a pause, and its expiry did not."""
    spec = row.spec
    if spec is None or row.problems or not isinstance(spec.timing, Clocked) or row.total_run_count:
        return False
    return pause.since <= spec.timing.at <= at and (spec.expires_at is None or spec.expires_at > at)
