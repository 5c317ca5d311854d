"""What `schedsync init` finds, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from schedsync.core.setup import BeatSeen, Ci, Found
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import counted, printable

CI_NAMES: Final[Mapping[Ci, str]] = {"github": "GitHub", "gitlab": "GitLab"}
_BEATS: Final[Mapping[BeatSeen, str]] = {
    "own": "schedsync's Beat",
    "stock": "stock Beat",
    "unknown": "no Beat that has run yet",
}


def found_text(found: Found, paint: Paint = plain) -> str:
    """Return what was found, in one line."""
    return f"{paint('Found', 'bold')}: {', '.join(_parts(found))}"


def _parts(found: Found) -> Iterator[str]:
    yield f"{printable(found.project)} (Django {found.django})"
    if found.celery_app is None:
        yield "no Celery app"
    elif found.celery_app and found.celery_app != found.project:
        yield f"Celery app `{printable(found.celery_app)}`"
    yield counted(found.rows, "row") if found.rows else "no rows"
    yield _entries(found)
    yield _BEATS[found.beat]
    yield "no Git repository" if not found.has_git else CI_NAMES[found.ci] if found.ci else "no CI"


def _entries(found: Found) -> str:
    entries = counted(found.entries, "entry", "entries") if found.entries else "no entries"
    text = f"{entries} in CELERY_BEAT_SCHEDULE"
    both = found.entries_with_rows
    if not both:
        return text
    who = "all of them" if both == found.entries > 1 else f"{both:,} of them" if found.entries > 1 else "it"
    return f"{text} ({who} {'is a row' if both == 1 else 'are rows'} too)"
