"""What somebody changed in the tables, as the files shall say it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schedsync.core.change import Edit, FieldChange
from schedsync.core.observed import Row
from schedsync.core.schedule import Spec, with_fields

#: How many names a command line lists.
_FEW = 5

Kind = Literal["edit", "add", "remove", "rename"]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One schedule whose row somebody changed, added, deleted or renamed, to be taken into the files.

    ``fields`` are those of the spec that are taken from the row, ``changes`` the same with their values in the files
    before. ``waiting`` are fields that the files have changed and nobody has applied: they stay as the files say.
    ``new_name`` is the row's name where somebody renamed it. ``by`` is who did it last, None where that is not known.
    """

    name: str
    kind: Kind
    row: Row | None = None
    fields: tuple[str, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    waiting: tuple[str, ...] = ()
    new_name: str | None = None
    by: Edit | None = None

    @property
    def name_after(self) -> str:
        """Its name in the files afterwards."""
        return self.new_name or self.name

    def spec(self, in_files: Spec | None) -> Spec | None:
        """Return what the files shall say; None where the schedule leaves them, or the row is broken."""
        in_table = self.row.spec if self.row is not None else None
        if in_table is None or self.kind == "remove":
            return None
        return in_table if in_files is None else with_fields(in_files, in_table, self.fields)

    @property
    def disabled_reason(self) -> str:
        """Why it is disabled, for the files."""
        return f"disabled by {self.by.user} on {self.by.time:%Y-%m-%d}" if self.by else "disabled in the database"


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """A schedule that is not taken into the files, and why.

    ``lines`` are those to write by hand, with secrets masked; empty where none help.
    """

    name: str
    reason: str
    lines: str = ""


def accept_command(
    names: Sequence[str], environment: str | None, path: str | None = None, database: str | None = None
) -> str:
    """Return the command line that takes these schedules into the files; many of them are all."""
    are_few = len(names) <= _FEW and not any(name.startswith("-") for name in names)
    words = ["schedsync", "accept", *(names if are_few else ["--all"])]
    for flag, value in (("-e", environment), ("--path", path), ("--database", database)):
        words += [flag, value] if value else []
    return shlex.join(words)


@dataclass(frozen=True, slots=True)
class FileEdit:
    """The lines of a file before and after, with its secrets masked; ``path`` is the file as messages name it."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is taken into the files, and what is not.

    ``secrets`` are the paths of values that look like secrets, by the names of their schedules. ``environment`` is the
    one whose table was read.
    """

    taken: tuple[Acceptance, ...] = ()
    left: tuple[NotAccepted, ...] = ()
    files: tuple[FileEdit, ...] = ()
    secrets: Mapping[str, tuple[str, ...]] | None = None
    environment: str | None = None
    set: str = "default"
