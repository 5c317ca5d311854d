"""Changes which set manages a schedule: a set gets another name, schedules move to another set, or no set keeps them.

Only the ledger is written, behind the apply lock. A release moves the last run, too, where a run was passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import transaction

from schedsync.core.adoption import is_glob, matches
from schedsync.core.change import Release
from schedsync.core.finding import did_you_mean
from schedsync.core.names import first_names
from schedsync.core.observed import Managed, Observed
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.database import audit
from schedsync.database.actor import who
from schedsync.database.applied_files import forget_empty_sets, give_files_to_set
from schedsync.database.clock import now
from schedsync.database.controls import controls_in_settings
from schedsync.database.environment import named_environment, refusals_of, require_environment
from schedsync.database.faults import database_errors
from schedsync.database.ledger import give_to_set
from schedsync.database.lock import read_only_transaction, take
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.notify import bump, publish
from schedsync.database.observe import every_entry, observe_pauses
from schedsync.database.release import for_our_beat
from schedsync.database.rollbacks import give_marks_to_set
from schedsync.database.transaction import WaitOptions
from schedsync.database.write import write
from schedsync.database.write_request import WriteRequest
from schedsync.errors import Failed, Refused, WrongUsage
from schedsync.planning.controls import refused_sets

T = TypeVar("T")
#: How many unknown names, or sets, a message names.
_NAMED = 5
#: Looking for a similar name among more than this takes too long.
_MOST_SIMILAR = 10_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """The entries of the ledger that a call is about; ``sets`` are the sizes of all sets, by their names.

    ``paused`` and ``for_our_beat`` name those among the entries that are paused, or have a value that only schedsync's
    own Beat reads: a release ends the pause, and loses the value.
    """

    entries: tuple[Managed, ...]
    sets: Mapping[str, int]
    paused: tuple[str, ...] = ()
    for_our_beat: tuple[str, ...] = ()

    @property
    def set_of(self) -> dict[str, str]:
        """The set that manages each entry, by the entry's name."""
        return {entry.name: entry.set for entry in self.entries}


def choose(using: str, patterns: Sequence[str], set_name: str | None) -> Chosen:
    """Return the entries whose names fit a pattern, of one set or of all; without patterns, all of them.

    Raises WrongUsage where a pattern fits no entry, or the set manages none.
    """
    with database_errors(using), read_only_transaction(using):
        entries = every_entry(using)
        sets = Counter(entry.set for entry in entries)
        if set_name is not None:
            _require_set(set_name, sets)
            entries = [entry for entry in entries if entry.set == set_name]
        chosen = tuple(_matching(entries, patterns))
        names = {entry.name for entry in chosen}
        paused = tuple(sorted(observe_pauses(using).keys() & names))
        return Chosen(chosen, sets, paused, tuple(for_our_beat(using, names)))


def _require_set(name: str, sets: Collection[str]) -> None:
    if name not in sets:
        known = first_names([f"`{known}`" for known in sorted(sets)], _NAMED)
        hint = did_you_mean(name, sets) or (f"the ledger knows {known}" if known else "the ledger is empty")
        raise WrongUsage(f"no schedule belongs to a set `{name}`", hint=hint)


def _matching(entries: Sequence[Managed], patterns: Sequence[str]) -> Iterable[Managed]:
    """Return the entries that fit a pattern, in their order; raises WrongUsage for patterns that fit none."""
    if not patterns:
        return entries
    by_name = {entry.name: entry for entry in entries}
    names = {pattern for pattern in patterns if pattern in by_name}
    unknown = []
    for pattern in dict.fromkeys(patterns):
        fitting = {name for name in by_name if matches(pattern, name)} if is_glob(pattern) else set()
        names |= fitting
        if not fitting and pattern not in by_name:
            unknown.append(pattern)
    if unknown:
        raise _unknown(unknown, list(by_name))
    return [entry for name, entry in by_name.items() if name in names]


def _unknown(patterns: Sequence[str], known: Sequence[str]) -> WrongUsage:
    named = first_names([f"`{pattern}`" for pattern in patterns], _NAMED)
    verb = "is" if len(patterns) == 1 else "are"
    hint = did_you_mean(patterns[0], known[:_MOST_SIMILAR])
    return WrongUsage(f"{named} {verb} not managed", hint=hint or "give names, or a glob in quotes: 'sync-*'")


def check_allowed(using: str, sets: Iterable[str], environment: str | None) -> None:
    """Raise Refused where the environment is another one, or a set must not be changed from here.

    The environment must be the one that the database belongs to, and that each of the sets was last applied to.
    """
    controls, named = controls_in_settings(), environment or named_environment()
    refused = [refusal for name in dict.fromkeys(sets) for refusal in refused_sets(name, (), {}, controls)]
    with database_errors(using):
        refused += refusals_of(using, named) or _applied_elsewhere(using, sets, named)
    if refused:
        raise Refused(refused)


def _applied_elsewhere(using: str, sets: Iterable[str], environment: str | None) -> tuple[Refusal, ...]:
    """Return a refusal for each set that was last applied to another environment than the call names."""
    lasts = {name: audit.last_binding(using, name) for name in dict.fromkeys(sets)} if environment else {}
    hint = "give the `--database` of that environment, or the right `-e`"
    return tuple(
        Refusal(
            "other_environment",
            f"set `{name}` was last applied to environment `{last.environment}`, this is `{environment}`",
            hint,
        )
        for name, last in lasts.items()
        if last is not None and last.environment and last.environment != environment
    )


def check_rename(sets: Mapping[str, int], old: str, new: str) -> None:
    """Raise WrongUsage where the old set manages nothing, Refused where the new one manages something already."""
    _require_set(old, sets)
    if count := sets.get(new):
        message = f"a set `{new}` exists already, and manages {count:,} schedule{'s' * (count != 1)}"
        raise Refused([Refusal("set_exists", message, f"`schedsync ledger move --set {old} --to {new}` joins them")])


def rename(using: str, old: str, new: str, wait: WaitOptions, environment: str | None = None) -> int:
    """Give a set another name, in one transaction; returns how many schedules it manages.

    The set's last apply counts for the new name too. Raises as :func:`check_rename`, and Locked where an apply holds
    the lock for too long.
    """

    def rename_set(entries: Sequence[Managed], actor: str, at: datetime) -> int:
        check_rename(Counter(entry.set for entry in entries), old, new)
        names = [entry.name for entry in entries if entry.set == old]
        give_to_set(using, names, new)
        audit.record_rename(using, old, new, names, actor, at)
        give_marks_to_set(using, new, old=old)
        give_files_to_set(using, old, new)
        return len(names)

    return _behind_lock(using, rename_set, [old, new], wait, environment)


def move(using: str, chosen: Chosen, to: str, wait: WaitOptions, environment: str | None = None) -> None:
    """Let another set manage the chosen schedules, in one transaction; those that it manages already are left out.

    Raises Failed where the ledger has changed since they were chosen, Locked where an apply holds the lock for too
    long.
    """
    moving = {name: before for name, before in chosen.set_of.items() if before != to}

    def move_entries(entries: Sequence[Managed], actor: str, at: datetime) -> None:
        _require_unchanged(moving, entries)
        give_to_set(using, moving, to)
        give_marks_to_set(using, to, names=moving)
        audit.record_move(using, moving, to, actor, at)
        forget_empty_sets(using)

    _behind_lock(using, move_entries, [to, *moving.values()], wait, environment)


def release(using: str, chosen: Chosen, wait: WaitOptions, environment: str | None = None) -> None:
    """Stop managing the chosen schedules, in one transaction; their rows stay as they are, and their pauses end.

    Raises Failed where the ledger has changed since they were chosen, Locked where an apply holds the lock for too
    long.
    """

    def release_entries(entries: Sequence[Managed], actor: str, at: datetime) -> None:
        _require_unchanged(chosen.set_of, entries)
        pauses = observe_pauses(using)
        binding = Binding(environment or named_environment())
        for request in _releases(using, chosen, binding, actor, at):
            released = {change.name for change in request.changes}
            write(request, Observed(pauses={name: pause for name, pause in pauses.items() if name in released}))
        forget_empty_sets(using)

    _behind_lock(using, release_entries, chosen.set_of.values(), wait, environment)


def _releases(using: str, chosen: Chosen, binding: Binding, actor: str, at: datetime) -> Iterable[WriteRequest]:
    """Yield one request for each set."""
    by_set: dict[str, list[Release]] = {}
    for entry in chosen.entries:
        change = Release(name=entry.name, location=entry.location, people=entry.people)
        by_set.setdefault(entry.set, []).append(change)
    for set_name, changes in by_set.items():
        yield WriteRequest(using, "release", set_name, binding, "", actor, at, tuple(changes))


def _require_unchanged(chosen: Mapping[str, str], entries: Iterable[Managed]) -> None:
    sets = {entry.name: entry.set for entry in entries}
    if changed := [name for name, before in chosen.items() if sets.get(name) != before]:
        names = first_names([f"`{name}`" for name in changed], _NAMED)
        raise Failed(f"the ledger has changed meanwhile, nothing was written: {names}", hint="call it again")


def _behind_lock(
    using: str,
    change: Callable[[Sequence[Managed], str, datetime], T],
    sets: Collection[str],
    wait: WaitOptions,
    environment: str | None,
) -> T:
    """Call ``change`` with all entries, who is at work and the time, behind the apply lock; then Beat is told."""
    actor, named = who(), environment or named_environment()
    check_allowed(using, sets, named)

    def once() -> T:
        at = now()
        with transaction.atomic(using=using, durable=True):
            take(using, actor, at)
            require_environment(using, named)
            if refused := _applied_elsewhere(using, sets, named):
                raise Refused(refused)
            result = change(every_entry(using), actor, at)
            bump(using, at)
        return result

    with database_errors(using):
        done = wait_for_lock(once, wait.lock, wait.sleep)
    publish()
    return done
