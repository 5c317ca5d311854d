"""The way out of a rename that cannot be done in one apply."""

from __future__ import annotations

from collections.abc import Mapping

from schedsync.core.schedule import Schedule


def rename_hint(schedule: Schedule, schedules: Mapping[str, Schedule]) -> str:
    """Return how to rename a schedule whose former name is still used.

    A swap is refused because the tables cannot tell, at the next apply, that it was done: it would be done again.
    """
    old = str(schedule.renamed_from)
    if schedule.name in _former_names(old, schedules):
        return (
            "to swap names, use two applies: rename each schedule to a free name, such as "
            f"`{schedule.name}-new: {{renamed_from: {old}}}`, and then to its new name"
        )
    return (
        f"use two applies: rename `{old}` to `{schedule.name}`, and then define `{old}` again; or remove `renamed_from`"
    )


def _former_names(name: str | None, schedules: Mapping[str, Schedule]) -> list[str]:
    names: list[str] = []
    while name is not None and name in schedules and name not in names:
        names.append(name)
        name = schedules[name].renamed_from
    return [*names, name] if name is not None else names
