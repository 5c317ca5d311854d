"""A reader learns from the comment alone what a pull request does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.test_hostile import gfm
from tests.usecases.prepared import KINDS, PullRequest, failures, pull_requests

#: What the comment does not say yet, by the directory of the pull request.
MISSING = {
    "02-one-anchor": "few changes are in a foldout, and the file is not named",
    "03-two-renames": "the rename is in a foldout",
    "04-over-daylight-saving": "a moved time is in a foldout, without its next three runs and its owner",
    "05-secret-beside-an-ignore": "new schedules are in a foldout",
    "07-each-minute-of-an-hour": "the owner is not named",
    "08-hidden-among-equals": "few changes are in a foldout, and the file is not named",
    "09-tenants-come-and-go": "the owner is not named",
    "10-disabled-and-past": "the reason of the disabled schedules is not named",
}


def prepared(missing: dict[str, str]) -> list[object]:
    return [
        pytest.param(
            each,
            id=each.name,
            marks=[pytest.mark.xfail(strict=False, reason=missing[each.name])] if each.name in missing else [],
        )
        for each in pull_requests()
    ]


@pytest.mark.parametrize("pull_request", prepared(MISSING))
def test_the_comment_tells_what_a_reviewer_has_to_know(pull_request: PullRequest, tmp_path: Path) -> None:
    comment = pull_request.comment(tmp_path / "shop")

    assert "\n".join(failures(pull_request, comment)) == ""


@pytest.mark.parametrize("pull_request", prepared({}))
def test_a_prepared_pull_request_can_be_compared(pull_request: PullRequest, tmp_path: Path) -> None:
    reviewed = pull_request.review(tmp_path / "shop")
    comment = pull_request.comment(tmp_path / "again")

    assert [each.is_complete for each in reviewed.environments] == [True] * len(reviewed.environments)
    assert [each for each in reviewed.findings if each.severity == "error"] == []
    assert gfm(comment).stack == []


@pytest.mark.parametrize("pull_request", prepared({}))
def test_each_question_has_an_answer(pull_request: PullRequest) -> None:
    assert len(pull_request.questions) >= 2
    assert all(each.keys() == {"question", "answer"} and all(each.values()) for each in pull_request.questions)
    assert set(pull_request.answers["facts"]) <= {*KINDS, "fires_at_once", "longest"}
    assert any(pull_request.facts.values())


def test_there_are_ten_pull_requests_and_one_that_changes_nothing() -> None:
    assert [each.name[:2] for each in pull_requests()] == [f"{number:02}" for number in range(1, 12)]
