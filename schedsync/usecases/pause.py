"""Pauses the schedules that a selector chooses, in one transaction. No apply undoes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from schedsync.core.finding import did_you_mean
from schedsync.core.names import counted, first_names
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.pausing import PauseOrder, Pauses
from schedsync.core.selector import Candidate, Selector, selector_text, texts_in_records
from schedsync.core.standing import Standing
from schedsync.database import audit, selected
from schedsync.database.faults import database_errors
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.standing import write_standing
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Failed, NotConfirmed, WrongUsage
from schedsync.planning.converter import pause_document
from schedsync.planning.standing import standing_document
from schedsync.usecases.monitors import settle_muted
from schedsync.usecases.selection import MOST_SIMILAR, NAMED, choose


def pause(
    using: str, order: PauseOrder, wait: WaitOptions, progress: Callable[[str], None] = lambda _step: None
) -> Pauses:
    """Stop managed schedules; a second pause of a schedule replaces the first, which the audit record keeps.

    A first one that lasts longer stays, unless the schedule is named, or the same selector paused it.

    Raises WrongUsage where the selector fits nothing that is managed, NotConfirmed where another process enables a row
    again, Locked where another apply holds the lock for too long.
    """
    if not order.reason.strip():
        raise WrongUsage("a pause needs a reason", hint="give `--reason TEXT`, for the people who see it later")

    def choose(managed: Sequence[Candidate]) -> set[str]:
        chosen = choose_managed(using, order.selector, managed)
        progress(f"pausing {counted(len(chosen), 'schedule')}")
        return {candidate.name for candidate in chosen}

    def write(observed: Observed, managed: Sequence[Candidate], actor: str, at: datetime) -> Pauses:
        return _write(using, order, observed, managed, actor, at)

    paused = wait_for_lock(
        lambda: selected.change_selected(using, choose, write, order.environment), wait.lock, wait.sleep
    )
    _hold(using, {pause.name for pause in (*paused.pauses, *paused.kept)}, wait)
    return replace(paused, monitors=settle_muted(using, [pause.name for pause in paused.pauses]))


def _write(
    using: str, order: PauseOrder, observed: Observed, managed: Sequence[Candidate], actor: str, at: datetime
) -> Pauses:
    rows = {name: observed.rows[name] for name in sorted(observed.ledger) if name in observed.rows}
    gone = tuple(sorted(observed.ledger.keys() - rows.keys()))
    if not rows:
        raise row_is_gone(observed.ledger[gone[0]])
    until = order.until
    selector = order.selector.among({candidate.name for candidate in managed})
    befores = {name: observed.pauses[name] for name in rows if name in observed.pauses}
    replaced, kept = dict(befores), {}
    for name, before in befores.items():
        if _is_kept(before, selector, until, observed.standing, at):
            kept[name] = replaced.pop(name)
    pauses = tuple(
        Paused(name, order.reason, actor, at, until, _was_held(row, observed.ledger[name], befores.get(name)))
        for name, row in rows.items()
        if name not in kept
    )
    selected.write_pauses(using, pauses, rows.values())
    standing = Standing(selector, order.reason, actor, at, until) if selector.stands else None
    if standing is not None:
        write_standing(using, standing)
    sets = {name: entry.set for name, entry in observed.ledger.items()}
    selected.record_selected(using, "pause", sets, actor, at, _documents(selector, pauses, replaced), order.reason)
    if standing is not None and not pauses:
        changes = [{"kind": "pause", **standing_document(standing), "selector": selector_text(selector)}]
        audit.record(using, "pause", "", actor, at, {"pause": 1}, changes=audit.packed(changes), reason=order.reason)
    return Pauses(selector, pauses, tuple(replaced.values()), gone, standing, tuple(kept.values()))


def _is_kept(
    before: Paused, selector: Selector, until: datetime | None, standing: Iterable[Standing], at: datetime
) -> bool:
    """Say whether a pause lasts longer than the new one, and stays: a name or the same selector replaces it."""
    if until is None or before.name in selector.names or before.ended(at):
        return False
    if any(pause.selector == selector and _is_of(before, pause) for pause in standing):
        return False
    return before.until is None or before.until > until


def _is_of(pause: Paused, standing: Standing) -> bool:
    return (pause.who, pause.since, pause.reason, pause.until) == (
        standing.who,
        standing.since,
        standing.reason,
        standing.until,
    )


def _was_held(row: Row, managed: Managed, before: Paused | None) -> bool:
    if before is not None:
        return before.was_held
    if managed.removing is not None:
        return managed.removing.held
    return managed.was_enabled and row.spec is not None and not row.spec.enabled


def row_is_gone(managed: Managed) -> Failed:
    """Return the error about a schedule whose row somebody has deleted."""
    does = "forgets it" if managed.removing else "makes it again"
    return Failed(f"`{managed.name}` is managed, but its row is gone", hint=f"`schedsync apply` {does}")


def _documents(
    selector: Selector, pauses: Sequence[Paused], replaced: Mapping[str, Paused]
) -> dict[str, dict[str, Any]]:
    documents = {}
    texts = texts_in_records(selector, [pause.name for pause in pauses])
    for pause in pauses:
        document = pause_document(pause) | {"selector": texts[pause.name]}
        if before := replaced.get(pause.name):
            document["replaces"] = pause_document(before)
        documents[pause.name] = document
    return documents


def _hold(using: str, names: set[str], wait: WaitOptions) -> None:
    """Read back after a poll of Beat, which can undo the pause with a stale row just as it can an apply.

    A pause that has ended meanwhile, by its time or by `resume`, is over, and not undone.
    """
    if wait.settle > 0:
        wait.say(f"paused; waiting {wait.settle:g} s for a poll of Beat, to see that it holds")
        wait.sleep(wait.settle)
    with database_errors(using):
        undone = selected.enabled_again(using, names)
        if not undone:
            return
        selected.disable_again(using, undone.values())
        if left := selected.enabled_again(using, undone):
            raise NotConfirmed(sorted(left))


def choose_managed(using: str, selector: Selector, managed: Sequence[Candidate]) -> list[Candidate]:
    """Return the managed schedules that a selector fits; raises WrongUsage as :func:`choose` does.

    A name that is not managed is an error that says which similar one is, also where this database takes the two for
    one name.
    """
    names = {candidate.name for candidate in managed}
    unknown = sorted(selector.names - names)
    for name in unknown[:NAMED]:
        if (other := selected.name_for_database(using, name)) is not None:
            raise WrongUsage(
                f"`{name}` is not managed; `{other}` is, which this database takes for one name with it",
                hint=f"give `{other}`",
            )
    if unknown:
        named = first_names([f"`{name}`" for name in unknown], NAMED)
        hint = did_you_mean(unknown[0], sorted(names)[:MOST_SIMILAR])
        hint = hint or "only schedules that a set manages can be paused or resumed"
        raise WrongUsage(f"{named} {'is' if len(unknown) == 1 else 'are'} not managed", hint=hint)
    return choose(selector, managed, "managed schedule")
