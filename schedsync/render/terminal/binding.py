"""The environment that a database is bound to, as text."""

from __future__ import annotations

from collections.abc import Sequence

from schedsync.core.names import first_names
from schedsync.render.words import printable

#: How many Beats a line names.
_NAMED = 5


def bound_text(environment: str | None) -> str:
    """Write what the database is bound to."""
    if environment is None:
        return "This database is bound to no environment"
    return f"This database belongs to `{printable(environment)}`"


def intent_text(before: str | None, after: str | None, enabled: int, strangers: Sequence[str]) -> list[str]:
    """Write what binding a database does; ``strangers`` are the live Beats that name something else."""
    lines = [f"{bound_text(before)}; it has {enabled:,} enabled schedules"]
    if after is None:
        return [*lines, "With `--none`, each Beat on it may send them, also one that names an environment"]
    lines.append(f"After this, only a Beat that names `{printable(after)}` sends them")
    if strangers:
        lines.append(f"Beats that stop sending: {printable(first_names(strangers, _NAMED))}")
    return lines
