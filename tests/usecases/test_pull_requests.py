"""A reader learns from the comment alone what a pull request does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.test_hostile import gfm
from tests.usecases.prepared import KINDS, PullRequest, as_read, failures, in_the_open, is_in, pull_requests


def prepared() -> list[object]:
    return [pytest.param(each, id=each.name) for each in pull_requests()]


@pytest.mark.parametrize("pull_request", prepared())
def test_the_comment_tells_what_a_reviewer_has_to_know(pull_request: PullRequest, tmp_path: Path) -> None:
    comment = pull_request.comment(tmp_path / "shop")

    assert "\n".join(failures(pull_request, comment)) == ""


@pytest.mark.parametrize("pull_request", prepared())
def test_a_prepared_pull_request_can_be_compared(pull_request: PullRequest, tmp_path: Path) -> None:
    reviewed = pull_request.review(tmp_path / "shop")
    comment = pull_request.comment(tmp_path / "again")

    assert [each.is_complete for each in reviewed.environments] == [True] * len(reviewed.environments)
    assert [each for each in reviewed.findings if each.severity == "error"] == []
    assert gfm(comment).stack == []


@pytest.mark.parametrize("pull_request", prepared())
def test_an_empty_comment_tells_none_of_the_facts(pull_request: PullRequest) -> None:
    facts = [f"{kind}: {fact}" for kind in ("in_the_open", "anywhere") for fact in pull_request.facts[kind]]

    assert list(failures(pull_request, "")) == facts


def test_a_fact_is_read_as_a_reader_of_the_comment_does() -> None:
    comment = "**Moved** `a\\|b` <br>[c](x.yaml#L3)\n<details><summary>d</summary>\n\n`e-f` 10 \\* &lt;\n</details>\n"
    whole, shown = as_read(comment), as_read(in_the_open(comment))

    assert (whole, shown) == ("Moved a|b  c\nd\n\ne-f 10 * <\n\n", "Moved a|b  c\nd\n")
    assert [is_in(fact, whole) for fact in ("e-f", "e", "/E.F/", "1", "/moved.*10/")] == [
        True,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "fires"),
    [("x fires at once", True), ("nothing runs at once\nno", False), ("none moves\ny runs at once", True), ("", False)],
)
def test_a_run_at_once_is_told_from_none(text: str, fires: bool) -> None:
    pull_request = PullRequest(Path("x"), {"facts": {"fires_at_once": False}})

    assert list(failures(pull_request, text)) == (["fires at once: False"] if fires else [])


@pytest.mark.parametrize("pull_request", prepared())
def test_each_question_has_an_answer(pull_request: PullRequest) -> None:
    assert len(pull_request.questions) >= 2
    assert all(each.keys() == {"question", "answer"} and all(each.values()) for each in pull_request.questions)
    assert set(pull_request.answers["facts"]) <= {*KINDS, "fires_at_once", "longest"}
    assert any(pull_request.facts.values())


def test_there_are_ten_pull_requests_and_one_that_changes_nothing() -> None:
    assert [each.name[:2] for each in pull_requests()] == [f"{number:02}" for number in range(1, 12)]
