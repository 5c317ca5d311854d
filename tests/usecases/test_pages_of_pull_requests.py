"""The page of a review tells what the comment has to tell, in the open and in its foldouts."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from schedsync.render.page import review as html
from tests.usecases.prepared import PullRequest, is_in, pull_requests


def as_read(page: str) -> str:
    """Return the text of a page without its pictures; each row and paragraph is a line."""
    body = re.sub(r"<(style|svg|title)\b.*?</\1>", "", page, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", re.sub(r"\s*\n\s*", " ", body).replace("</tr>", "\n").replace("</p>", "\n"))
    return re.sub(r"[ \u00a0]+", " ", unescape(text))


def in_the_open(page: str) -> str:
    return re.sub(r"<details>.*?</details>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("pull_request", pull_requests(), ids=lambda each: each.name)
def test_the_page_tells_what_a_reviewer_has_to_know(pull_request: PullRequest, tmp_path: Path) -> None:
    page = html.review(pull_request.review(tmp_path / "shop"))
    whole, shown, facts = as_read(page), as_read(in_the_open(page)), pull_request.facts

    assert [fact for fact in facts["in_the_open"] if not is_in(fact, shown)] == []
    assert [fact for fact in facts["anywhere"] if not is_in(fact, whole)] == []
    assert [fact for fact in facts["nowhere"] if is_in(fact, whole)] == []
