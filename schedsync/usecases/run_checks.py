"""What every run by hand needs: the schedules that are selected, the Celery app, and that nothing is paused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery import current_app

from schedsync.beat.by_hand import Runnable, read_runnable
from schedsync.core.names import counted, first_names, shortened
from schedsync.core.open_run import OpenRun
from schedsync.core.refusal import Refusal
from schedsync.core.selector import Candidate, Selector
from schedsync.core.timing import moment
from schedsync.database.candidates import candidates
from schedsync.database.clock import now
from schedsync.database.environment import named_environment, require_environment
from schedsync.database.full_pause import full_pause
from schedsync.database.observe import observe_pauses
from schedsync.database.open_runs import open_now
from schedsync.errors import Failed, Refused
from schedsync.usecases.selection import choose
from schedsync.usecases.snapshot import application_of

#: How many schedules a message names.
NAMED = 5
#: What a refusal means for a run by hand.
NOT_SENT = "nothing was sent"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The schedules that are selected, by name: what can be sent of them, and the sets that manage them.

    ``open_runs`` are the runs that have not ended, of schedules with ``overlap: skip``.
    """

    runnable: dict[str, Runnable]
    sets: dict[str, str]
    registered: Collection[str] = field(default_factory=frozenset)
    open_runs: dict[str, OpenRun] = field(default_factory=dict)

    @property
    def set(self) -> str:
        """The set that manages all of them, or empty."""
        sets = set(self.sets.values())
        return sets.pop() if len(sets) == 1 else ""

    def note(self, name: str, at: datetime) -> str:
        """Say what a user should know about a schedule that is sent now; empty where there is nothing."""
        loaded, notes = self.runnable[name].loaded, []
        if not self.runnable[name].enabled:
            notes.append("it is disabled, and Beat does not send it")
        if loaded.expires is not None and loaded.expires <= at:
            notes.append("its `expires_at` has passed, so workers discard the message")
        if loaded.task not in self.registered:
            notes.append(f"the application does not register the task `{shortened(loaded.task)}`")
        if (run := self.open_runs.get(name)) is not None and run.since is not None:
            where = f"runs on {run.worker} since" if run.started_at else "waits in its queue since"
            notes.append(f"its last run has not ended: task {run.task_id} {where} {moment(run.since, now=at)} UTC")
        return "; ".join(notes)


def choose_schedules(using: str, selector: Selector, environment: str | None) -> tuple[Any, Chosen]:
    """Return the project's Celery app, and the schedules that a selector means.

    Raises WrongUsage where it fits none, Refused where the database belongs to another environment, Failed where one
    of them cannot run.
    """
    registered = frozenset(application_of(current_app).tasks)
    require_environment(using, environment or named_environment())
    found = choose(selector, candidates(using))
    runnable, reasons = read_runnable(using, [each.name for each in found])
    if reasons:
        named = [f"`{shortened(name)}`: {reason}" for name, reason in sorted(reasons.items())]
        raise Failed(f"nothing was sent, {first_names(named, NAMED)}", hint="`schedsync doctor` names the rows")
    return current_app, Chosen(runnable, _sets(found), registered, _open_runs(using, runnable))


def _open_runs(using: str, runnable: Mapping[str, Runnable]) -> dict[str, OpenRun]:
    """Return the runs that have not ended, by the names of their schedules: Beat would not send these now."""
    loaded = {each.loaded.row_id: each.loaded for each in runnable.values() if each.loaded.skips}
    limits = {row_id: (each.managed.max_runtime or 0, each.expires_after) for row_id, each in loaded.items()}
    return {loaded[row_id].name: run for row_id, run in open_now(using, limits).items()}


def _sets(found: Sequence[Candidate]) -> dict[str, str]:
    return {each.name: each.set or "" for each in found}


def disabled_of(using: str, chosen: Chosen) -> list[str]:
    """Return the names of the schedules that are disabled, also without a pause."""
    disabled = [name for name, runnable in chosen.runnable.items() if not runnable.enabled]
    pauses = observe_pauses(using) if disabled else {}
    return sorted(name for name in disabled if name not in pauses or pauses[name].was_held)


def require_no_pause(using: str, names: Collection[str]) -> None:
    """Raise Refused while everything is paused, or one of the schedules is."""
    if refusals := tuple(_paused(using, names)):
        raise Refused(refusals, NOT_SENT)


def _paused(using: str, names: Collection[str]) -> Iterator[Refusal]:
    at, everything = now(), full_pause(using)
    if everything is not None and everything.is_on(at):
        way_out = "end the pause by `schedsync resume --all`, or send nevertheless with `--allow-paused`"
        yield Refusal("paused", everything.text(at), way_out)
    pauses = [pause for name, pause in observe_pauses(using).items() if name in names and not pause.ended(at)]
    for pause in pauses[:NAMED]:
        message = f"`{shortened(pause.name)}` is paused by {pause.who}: {pause.reason}"
        yield Refusal("paused", message, "--allow-paused", schedule=pause.name)
    if len(pauses) > NAMED:
        more = counted(len(pauses) - NAMED, "more schedule is", "more schedules are")
        yield Refusal("paused", f"{more} paused", "--allow-paused")
