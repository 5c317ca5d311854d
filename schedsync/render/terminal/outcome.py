"""What an apply or a pause did, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedsync.core.names import first_names
from schedsync.core.rollback import SHORT, RolledBack
from schedsync.planning.outcome import Outcome
from schedsync.render.monitors import settled_lines
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import DONE, printable

_NAMED = 5


def outcome(value: Outcome, paint: Paint = plain, rolled_back: Sequence[RolledBack] | None = None) -> str:
    """Write what an apply did, and whether it is known to hold.

    ``rolled_back`` is what a rollback keeps from now on; None for an apply.
    """
    if not value.changes and not rolled_back:
        done = "No row changed, the ledger was brought in step" if value.run else "Nothing to do, nothing was written"
        return "\n".join([done, *_loaded(value), *_monitors(value)])
    counts = value.summary()
    done = ", ".join(f"{counts[kind]:,} {word}" for kind, word in DONE.items() if counts[kind])
    run = f" in run {str(value.run)[:SHORT]}" if value.run else ""
    verb = "Applied" if rolled_back is None else "Rolled back"
    lines = [paint(f"{verb}{run}: {done or 'no row changed'}", "green")]
    if value.repaired:
        lines.append(paint(f"Written back by somebody else and applied again: {_some(value.repaired)}", "yellow"))
    if not value.unconfirmed and not (value.loaded and value.is_loaded):
        after = f" after {value.settled:g} s" if value.settled else ""
        lines.append(f"Read back{after}: the tables hold it")
    return "\n".join([*lines, *_loaded(value), *_monitors(value), *_way_on(value, rolled_back)])


def _monitors(value: Outcome) -> Iterator[str]:
    yield from map(printable, settled_lines(value.monitors))


def _way_on(value: Outcome, rolled_back: Sequence[RolledBack] | None) -> Iterator[str]:
    """Yield how to undo what was done."""
    if rolled_back:
        names = "it" if len(rolled_back) == 1 else "them"
        yield f"Applies leave {names} alone until the files change, or: schedsync rollback --end"
    elif value.run and not value.unconfirmed:
        yield f"To go back: schedsync rollback {str(value.run)[:SHORT]}"


def _loaded(value: Outcome) -> Iterator[str]:
    if value.loaded:
        count = len(value.loaded)
        yield f"{'1 Beat has' if count == 1 else f'{count:,} Beats have'} loaded it: {_some(value.loaded)}"


def _some(names: Sequence[str]) -> str:
    return printable(first_names(names, _NAMED))
