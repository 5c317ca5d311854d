"""A name for a command of a crontab, which has none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from schedsync.core.secrets import is_secret_flag, masked

if TYPE_CHECKING:
    from schedsync.importers.crontab_file import CronLine

#: Words that say how a command is run, not what it does.
_RUNNERS = re.compile(
    r"(?:env|exec|nice|ionice|flock|timeout|chronic|sudo|bash|sh|python[\d.]*|manage\.py|uv|run|poetry|django-admin)\Z"
)
_SEPARATOR = re.compile(r"&&|\|\||[;|]")
#: A redirection with its file.
_REDIRECTION = re.compile(r"\d?>>?\s*(?:&\d|\S+)|<\s*\S+")
_ASSIGNMENT = re.compile(r"\b[A-Za-z_]\w*=", re.ASCII)
_OTHER = re.compile(r"[^a-z0-9._]+")
_MOST_WORDS = 3
_LONGEST = 60


def name_of(command: str) -> str:
    """Return the first words that say what a command does: `cd /srv && ./manage.py clearsessions` is clearsessions.

    A command with a value that looks like a secret is named by one word, because any other word may be the secret.
    """
    # The shell takes the rest for a comment; cron does not.
    text = _REDIRECTION.sub(" ", command[:1_000].partition(" #")[0])
    parts = [words for part in _SEPARATOR.split(text) if (words := _words(part))]
    chosen = next((words for words in parts if words[0] not in ("cd", "test", "[")), parts[0] if parts else [])
    slug = _OTHER.sub("-", "-".join(chosen[: 1 if masked(command) != command else _MOST_WORDS]).lower()).strip("-.")
    # Names that begin with `celery.` belong to Beat.
    return re.sub(r"\Acelery\.", "celery-", slug[:_LONGEST].rstrip("-.")) or "command"


def _words(part: str) -> list[str]:
    words = [
        word
        for before, word in pairwise(["", *part.split()])
        if not (word.startswith("-") or _ASSIGNMENT.match(word) or is_secret_flag(before))
    ]
    # The query of an URL may hold a token, and a word such as `bob:secret` or `bob:secret@host` a password.
    plain = [word.partition("?")[0].rstrip("/").rpartition("/")[2] for word in words]
    return [word for word in plain if word and not (":" in word or "@" in word or _RUNNERS.match(word))]


def unique(lines: Iterable[CronLine]) -> Iterator[CronLine]:
    """Yield the lines, and number those after the first with the same name: backup, backup-2."""
    seen: Counter[str] = Counter()
    names: set[str] = set()
    for line in lines:
        name = line.name
        while name in names:
            seen[line.name] += 1
            name = f"{line.name}-{seen[line.name] + 1}"
        names.add(name)
        yield replace(line, name=name)
