"""Which set a section is about, and how old what is known of its files is; sections of kept files share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schedsync.admin.page.section import Seen
from schedsync.core.applied_files import AppliedFiles
from schedsync.core.timing import moment
from schedsync.usecases.preview import last_files

#: At most this many sets can be chosen from.
MOST_SETS = 50


def chosen_files(seen: Seen) -> tuple[AppliedFiles | None, Mapping[str, Any]]:
    """Return the files of the set that the query names, else of the one that was applied last; and its facts.

    None where no apply has kept any.
    """
    known = last_files(seen.using)
    if not known:
        return None, {}
    files = next((each for each in known if each.set == seen.query.get("set")), known[0])
    return files, {"files": _facts(files, seen), "others": _others(files, known)}


def _facts(files: AppliedFiles, seen: Seen) -> dict[str, str]:
    return {
        "set": files.set,
        "environment": files.environment or "",
        "commit": files.commit_text,
        "at": f"{moment(files.at.replace(microsecond=0), now=seen.now)} UTC",
    }


def _others(files: AppliedFiles, known: Sequence[AppliedFiles]) -> list[str]:
    return [each.set for each in known if each.set != files.set][:MOST_SETS]
