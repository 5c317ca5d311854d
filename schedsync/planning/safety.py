"""When a plan is refused: each rule names its number, its limit and the hint. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schedsync.core.change import Change
from schedsync.core.names import first_names
from schedsync.core.origin import Binding
from schedsync.core.refusal import Limits, Refusal
from schedsync.core.schedule import completed_at
from schedsync.planning.freezes import freeze_refusals
from schedsync.planning.removal import is_removal

#: A refusal lists this many names; of stops all, if they are few.
_NAMED, _FEW_STOPS = 5, 10


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at beside the changes.

    ``desired`` and ``managed`` are numbers of schedules. ``name_conflicts`` are pairs of a name and the set that
    manages its row, or None. ``older`` is true where the commit does not descend from the one that was applied last.
    ``dirty_files`` are paths of files that differ from the commit. ``in_two_places`` is true where the directory that
    was applied last still belongs to the set, by a configuration of its own. ``at`` is the instant of the plan.
    ``paused`` are names that come under a standing pause: an operator stops those that the files enable.
    ``only_resumes`` is true where no change does more than to end a pause at its time, which no freeze prolongs.
    """

    set: str
    desired: int
    managed: int
    name_conflicts: Sequence[tuple[str, str | None]] = ()
    same_names: Sequence[tuple[str, str]] = ()
    dual_writers: Collection[str] = ()
    now: Binding = field(default_factory=Binding)
    last: Binding | None = None
    older: bool = False
    dirty_files: Sequence[str] = ()
    in_two_places: bool = False
    at: datetime | None = None
    paused: Collection[str] = ()
    only_resumes: bool = False


def is_stop(change: Change, at: datetime | None = None) -> bool:
    """Say whether a change takes a schedule out of service that would run after the instant ``at``."""
    before = change.row.spec if change.row else None
    if before is None or not before.enabled or (at and completed_at(before, at)):
        return False
    if is_removal(change):
        return not change.announced
    return change.after is not None and (not change.after.enabled or bool(at and completed_at(change.after, at)))


def refusals(changes: Sequence[Change], situation: Situation, limits: Limits) -> tuple[Refusal, ...]:
    """Return every refusal of these changes, in the order of the rules."""
    return (
        *_empty(situation, limits),
        *_stops(changes, situation, limits),
        *_name_conflicts(situation),
        *_dual_writers(changes, situation, limits),
        *_older(situation, limits),
        *_moved(situation, limits),
        *_dirty(situation, limits),
        *_frozen(changes, situation, limits),
    )


def _empty(situation: Situation, limits: Limits) -> Iterator[Refusal]:
    if not situation.desired and situation.managed and not limits.allow_empty:
        yield Refusal(
            "empty_set",
            f"the files hold no schedule, but set `{situation.set}` manages {situation.managed}",
            _lifted_by("empty_set", "--allow-empty, to delete them all"),
        )


def _stops(changes: Sequence[Change], situation: Situation, limits: Limits) -> Iterator[Refusal]:
    stops = [change for change in changes if is_stop(change, situation.at) and _is_by_files(change, situation)]
    problem = _excess(len(stops), situation, limits)
    if problem is None:
        return
    names = first_names([change.name for change in stops], _FEW_STOPS if len(stops) <= _FEW_STOPS else _NAMED)
    hint = f"allow it once: --allow-stops {len(stops)}"
    lasting = sum(not is_removal(change) for change in stops)
    if lasting < len(stops) and _excess(lasting, situation, limits) is None:
        # Only a removal can be announced, so that it is no stop any more.
        hint = f"name deleted ones under `removed`, or {hint}"
    yield Refusal("too_many_stops", f"{problem}: {names}", _lifted_by("too_many_stops", hint), len(stops))


def _is_by_files(change: Change, situation: Situation) -> bool:
    """Say whether a stop is more than that of a standing pause: without the pause it would be one, too."""
    spec = change.ledger
    if change.name not in situation.paused or spec is None or not spec.enabled:
        return True
    return situation.at is not None and completed_at(spec, situation.at)


def _excess(stops: int, situation: Situation, limits: Limits) -> str | None:
    """Say why a number of stops is too high; None where it is not."""
    would = f"{stops:,} schedule{'s' * (stops != 1)} would stop"
    if limits.allow_stops is not None:
        more = f"{would}, {limits.allow_stops:,} may (--allow-stops)"
        return more if stops > limits.allow_stops else None
    if not situation.desired and limits.allow_empty:
        return None
    if stops > limits.max_stops:
        return f"{would}, {limits.max_stops:,} may (max_stops)"
    # A single stop is never too large a share.
    share = max(1, situation.managed * limits.max_stop_percent // 100)
    if situation.managed and stops > share:
        return f"{would}, {share:,} of {situation.managed:,} managed may (max_stop_percent: {limits.max_stop_percent})"
    return None


def _lifted_by(rule: str, hint: str) -> str:
    """Name the hint, such as the flag that lifts a rule, and the entry in the configuration that does."""
    return f'{hint}, or in Git `[[safety.allow]]` with `rule = "{rule}"`'


def _name_conflicts(situation: Situation) -> Iterator[Refusal]:
    for name, holder in situation.name_conflicts:
        yield _name_taken(name, holder)
    for name, other in situation.same_names:
        yield Refusal("name_taken", f"`{name}` and `{other}` are one name for this database", "rename one of them")


def _name_taken(name: str, holder: str | None) -> Refusal:
    if holder is None:
        message = f"a row `{name}` exists already, and no set manages it"
        return Refusal("name_taken", message, f"--adopt {name!r}, or `adopt: true` in the file")
    message = f"a row `{name}` exists already, and set `{holder}` manages it"
    hint = f"remove it from these files; or take it over: --adopt-from {holder!r}, or `adopt: {{from: {holder}}}`"
    return Refusal("name_taken", message, hint)


def _dual_writers(changes: Sequence[Change], situation: Situation, limits: Limits) -> Iterator[Refusal]:
    if limits.allow_dual_writer:
        return
    written = {change.name for change in changes if change.after is not None and not is_removal(change)}
    names = sorted(written & set(situation.dual_writers))
    if not names:
        return
    named = first_names([f"`{name}`" for name in names], _NAMED)
    message = f"{named} is also defined in CELERY_BEAT_SCHEDULE; Beat will overwrite this row at its next start"
    if len(names) > 1:
        message = f"{named} are also defined in CELERY_BEAT_SCHEDULE; Beat will overwrite these rows at its next start"
    them = "it" if len(names) == 1 else "them"
    remove = f"remove {them} there (`git apply schedsync-settings.patch`, if an import wrote it)"
    yield Refusal("dual_writer", message, _lifted_by("dual_writer", f"{remove}; --allow-dual-writer"))


def _older(situation: Situation, limits: Limits) -> Iterator[Refusal]:
    if situation.older and not limits.allow_older and situation.last:
        yield Refusal(
            "older_commit",
            f"commit {_short(situation.now.commit)} does not descend from {_short(situation.last.commit)}, "
            "which was applied last",
            _lifted_by("older_commit", "--allow-older"),
        )


def _moved(situation: Situation, limits: Limits) -> Iterator[Refusal]:
    last, now = situation.last, situation.now
    if last is None or limits.allow_move:
        return
    if last.environment != now.environment:
        yield Refusal(
            "other_environment",
            f"set `{situation.set}` was last applied to {_environment(last)}, this is {_environment(now)}",
            _lifted_by("other_environment", "--allow-move, or another set for this environment"),
        )
    if (last.repository and now.repository and last.repository != now.repository) or (
        last.path is not None and now.path is not None and last.path != now.path
    ):
        yield _elsewhere(situation, last)


def _elsewhere(situation: Situation, last: Binding) -> Refusal:
    was, here = _place(last), _place(situation.now)
    if situation.in_two_places:
        # No entry in Git lifts it: one team's configuration must not take the set of another.
        message = (
            f"set `{situation.set}` was last applied from {was}, whose configuration still names it; this is {here}"
        )
        return Refusal("set_in_two_places", message, "give one of them another `set`; --allow-move")
    message = f"set `{situation.set}` was last applied from {was}, this is {here}"
    return Refusal("moved_set", message, _lifted_by("moved_set", "--allow-move"))


def _dirty(situation: Situation, limits: Limits) -> Iterator[Refusal]:
    """Refuse files that differ from the commit; without an environment they are only a warning."""
    if situation.dirty_files and situation.now.environment is not None and not limits.allow_dirty:
        yield Refusal("dirty_files", dirty_text(situation), "commit the changes; --allow-dirty")


def _frozen(changes: Sequence[Change], situation: Situation, limits: Limits) -> tuple[Refusal, ...]:
    if not changes or limits.allow_freeze or situation.only_resumes:
        return ()
    return freeze_refusals(limits, situation.now.environment, situation.at)


def dirty_text(situation: Situation) -> str:
    """Say which files differ from the commit."""
    files = situation.dirty_files
    count = "1 file differs" if len(files) == 1 else f"{len(files):,} files differ"
    return f"{count} from commit {_short(situation.now.commit)}: {first_names(files, _NAMED)}"


def _environment(binding: Binding) -> str:
    return f"environment `{binding.environment}`" if binding.environment else "no environment"


def _place(binding: Binding) -> str:
    return f"`{binding.path}`" + (f" of {binding.repository}" if binding.repository else "")


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "unknown"
