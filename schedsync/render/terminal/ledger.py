"""Which set manages a schedule, and what a change of that means, as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from schedsync.core.names import first_names
from schedsync.core.observed import Managed
from schedsync.render.programs.json_ import dump
from schedsync.render.words import counted, printable

#: How many names a line lists.
_NAMED = 10


def rename_intent(old: str, new: str, count: int) -> list[str]:
    """Write what a rename of a set does."""
    return [
        f"Set {_quoted(old)} manages {counted(count, 'schedule')}; its name becomes {_quoted(new)}",
        f"No row and no run changes. Until schedsync.toml says {_setting(new)}, plan and apply are refused",
    ]


def renamed_text(old: str, new: str, count: int) -> str:
    """Write that a set was renamed, and what comes next."""
    done = f"Set {_quoted(old)} is now {_quoted(new)}: {counted(count, 'schedule')}"
    return f"{done}\nNext: write {_setting(new)} into schedsync.toml, or below [tool.schedsync] in pyproject.toml"


def same_name_text(name: str) -> str:
    """Write that there is nothing to rename."""
    return f"Nothing to rename: the set's name is {_quoted(name)} already"


def nothing_managed_text() -> str:
    """Write that the ledger is empty."""
    return "No set manages a schedule in this database"


def move_intent(moving: Sequence[Managed], to: str, known: Mapping[str, int]) -> list[str]:
    """Write what a move to another set does; ``known`` are the sizes of all sets."""
    size = known.get(to, 0)
    target = f"manages {size:,} already" if size else "manages nothing yet"
    return [
        f"{_of_sets(moving)} will belong to set {_quoted(to)}, which {target}: {_names(moving)}",
        *_definitions(moving),
        "No row and no run changes. Apply none of these sets before the definitions are in the files of "
        f"{_quoted(to)}: a set deletes the rows that it manages and does not define",
    ]


def moved_text(count: int, to: str) -> str:
    """Write that schedules were moved, and what comes next."""
    next_ = f"Next: move the definitions to the files of {_quoted(to)}; then no plan has a change"
    return f"Moved {counted(count, 'schedule')} to set {_quoted(to)}\n{next_}"


def unmoved_text(to: str) -> str:
    """Write that there is nothing to move."""
    return f"Nothing to move: set {_quoted(to)} manages them already"


def release_intent(released: Sequence[Managed], paused: Sequence[str], for_our_beat: Sequence[str]) -> list[str]:
    """Write what a release does; ``paused`` and ``for_our_beat`` are the names that lose something by it."""
    lines = [
        f"{_of_sets(released)} will be managed by nobody: {_names(released)}",
        "Its row stays as it is, and Beat goes on with it"
        if len(released) == 1
        else "Their rows stay as they are, and Beat goes on with them",
    ]
    if paused:
        lines.append(
            f"{_are(len(paused), 'paused')}: {_listed(paused)}. The pause ends and the row stays disabled; "
            "`schedsync resume NAME` before this lets it run"
        )
    if for_our_beat:
        lines.append(
            f"{counted(len(for_our_beat), 'schedule')} {'loses' if len(for_our_beat) == 1 else 'lose'} `missed_runs`, "
            f"`starting_deadline`, `delivery` and `overlap`, which no row can hold: {_listed(for_our_beat)}. "
            "The last run moves past a run that was passed over, so that none is sent at once"
        )
    return lines


def released_text(count: int) -> str:
    """Write that schedules were released, and what comes next."""
    rows = "its row" if count == 1 else "their rows"
    next_ = "Next: delete the definitions, too; files that keep them are refused, or adopt again where they say `adopt`"
    return f"Released {counted(count, 'schedule')}: nobody manages {rows}\n{next_}"


def ledger_json(verb: str, entries: Sequence[Managed], **values: Any) -> str:
    """Write for programs what was done to which schedules; ``set`` is the set before."""
    schedules = [{"name": entry.name, "set": entry.set} for entry in entries]
    return dump({"version": 1, "verb": verb, **values, "schedules": schedules})


def _of_sets(entries: Sequence[Managed]) -> str:
    counts = sorted(Counter(entry.set for entry in entries).items())
    total = counted(len(entries), "schedule")
    if len(counts) == 1:
        return f"{total} of {_quoted(counts[0][0])}"
    parts = [f"{count:,} of {_quoted(name)}" for name, count in counts]
    return f"{total} ({first_names(parts, _NAMED)})"


def _definitions(entries: Sequence[Managed]) -> list[str]:
    paths = Counter(entry.location.path for entry in entries if entry.location is not None)
    files = [f"{printable(path)} ({count:,})" for path, count in sorted(paths.items())]
    return [f"Defined in {first_names(files, _NAMED)}"] if files else []


def _names(entries: Sequence[Managed]) -> str:
    return _listed([entry.name for entry in entries])


def _listed(names: Sequence[str]) -> str:
    return first_names([printable(name) for name in names], _NAMED)


def _are(count: int, state: str) -> str:
    return f"{count:,} {'is' if count == 1 else 'are'} {state}"


def _quoted(name: str) -> str:
    return f"`{printable(name)}`"


def _setting(name: str) -> str:
    return f"`set = {printable(json.dumps(name, ensure_ascii=False))}`"
