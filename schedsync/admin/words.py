"""What the admin says of rows that it leaves alone: which they are, where they are defined, and the way out."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from schedsync.core.names import first_names
from schedsync.database.owners import Owner
from schedsync.render.words import printable

#: How many names a message has.
MOST_NAMED = 5


def quoted(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Return names in quotes, and the number of those that are left out."""
    return first_names([f"“{printable(name)}”" for name in names], most)


def placed(owners: Collection[Owner], most: int = MOST_NAMED) -> str:
    """Return the names of managed schedules with the places of their definitions, by name."""
    texts = [
        quoted([each.name]) + (f" ({printable(each.place)})" if each.place else "")
        for each in sorted(owners, key=lambda each: each.name)
    ]
    return first_names(texts, most)


def where(owner: Owner) -> str:
    """Return "in Git", with the place if it is known."""
    return f"in Git, at {printable(owner.place)}" if owner.place else "in Git"


def undone(owner: Owner) -> str:
    """Say that the next apply undoes what was saved, and how to keep it."""
    text = f"Git manages “{printable(owner.name)}”: the next apply of set “{owner.set}” undoes this change"
    command = f"schedsync accept {shlex.quote(printable(owner.name))}"
    return f"{text}, unless the files say the same by then. To keep it, make it {where(owner)}, or run `{command}`."


def taken(owner: Owner) -> str:
    """Say that a row has got the name of a managed schedule, whose own row is gone."""
    text = f"Git manages “{printable(owner.name)}”: the next apply of set “{owner.set}” gives this row the values"
    return f"{text} of the files. To change them, do it {where(owner)}."


def unknown_to_git(name: str) -> str:
    """Say that a new row is in no file, and how it gets there."""
    command = f"schedsync import database {shlex.quote(printable(name))}"
    return (
        f"No file in Git has “{printable(name)}”, so no review and no apply knows it. `{command}` writes it as YAML,"
        " to be added to a file."
    )
