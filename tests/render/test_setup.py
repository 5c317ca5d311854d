"""The first line of ``init``: what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schedsync.core.setup import Found
from schedsync.render.terminal.setup import found_text

FOUND = Found("shop", "5.2", "shop", 40, 4, 3, "stock", "github", True, True)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "shop (Django 5.2), 40 rows, 4 entries in CELERY_BEAT_SCHEDULE (3 of them are rows too), stock "
            "Beat, GitHub",
        ),
        (
            {"rows": 1, "entries": 1, "entries_with_rows": 1, "beat": "own", "ci": "gitlab"},
            "shop (Django 5.2), 1 row, 1 entry in CELERY_BEAT_SCHEDULE (it is a row too), schedsync's Beat, GitLab",
        ),
        (
            {"entries_with_rows": 4, "celery_app": "billing", "ci": None},
            "shop (Django 5.2), Celery app `billing`, 40 rows, 4 entries in CELERY_BEAT_SCHEDULE (all of them are rows "
            "too), stock Beat, no CI",
        ),
        (
            {"entries_with_rows": 1},
            "shop (Django 5.2), 40 rows, 4 entries in CELERY_BEAT_SCHEDULE (1 of them is a row too), stock "
            "Beat, GitHub",
        ),
        (
            {"rows": 0, "entries": 0, "entries_with_rows": 0, "celery_app": None, "beat": "unknown", "has_git": False},
            "shop (Django 5.2), no Celery app, no rows, no entries in CELERY_BEAT_SCHEDULE, no Beat that has run yet, "
            "no Git repository",
        ),
        (
            {"project": "a\x1b[31m", "celery_app": "", "rows": 1200, "entries_with_rows": 0},
            "a\\u001b[31m (Django 5.2), 1,200 rows, 4 entries in CELERY_BEAT_SCHEDULE, stock Beat, GitHub",
        ),
    ],
)
def test_one_line_says_what_was_found(changes: dict[str, Any], text: str) -> None:
    assert found_text(replace(FOUND, **changes)) == f"Found: {text}"
