"""What is done at the services that watch schedules, in words; each format styles them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from schedsync.core.names import first_names
from schedsync.core.watch import Kind, Settled, Step

_NAMED = 10
_KINDS: tuple[Kind, ...] = ("create", "change", "delete", "forget")
_DONE = {"create": "created", "change": "changed", "delete": "deleted", "forget": "left to the service"}


def step_lines(steps: Sequence[Step]) -> Iterator[str]:
    """Yield a line for each kind and service: how many monitors, and the names of the first."""
    for kind in _KINDS:
        for service in sorted({step.service for step in steps if step.kind == kind}):
            names = [_named(step) for step in steps if (step.kind, step.service) == (kind, service)]
            yield f"{len(names):,} to {kind} at {service}: {first_names(names, _NAMED)}"


def _named(step: Step) -> str:
    return f"{step.name} ({step.reason})" if step.reason else step.name


def settled_lines(value: Settled | None) -> Iterator[str]:
    """Yield what was done at the services, and what could not be done."""
    if value is None or value.is_silent:
        return
    done = ", ".join(f"{value.done[kind]:,} {_DONE[kind]}" for kind in _KINDS if value.done.get(kind))
    if done:
        yield f"Monitors: {done}"
    for failure in value.failures[:_NAMED]:
        where = " ".join(filter(None, [failure.service, f"`{failure.name}`" if failure.name else ""]))
        yield f"Monitors: {f'{where}: ' if where else ''}{failure.message}"
    if len(value.failures) > _NAMED:
        yield f"Monitors: and {len(value.failures) - _NAMED:,} more failures"
    if value.waiting:
        yield f"Monitors: {value.waiting:,} wait{'s' * (value.waiting == 1)} for the next apply, which tries again"


def settled_document(value: Settled) -> dict[str, Any]:
    """Return the same as JSON values."""
    return {
        "done": {kind: value.done.get(kind, 0) for kind in _KINDS},
        "failures": [failure._asdict() for failure in value.failures],
        "waiting": value.waiting,
    }
