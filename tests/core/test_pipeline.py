"""What the variables of CI systems, and the messages of merge commits, say of a job."""

from __future__ import annotations

import pytest

from schedsync.core.pipeline import Pipeline, pipeline_of, pull_request_in

GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "maria", "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "8812", "GITHUB_JOB": "deploy", "GITHUB_REF": "refs/heads/main",
}  # fmt: skip
RUN = "https://github.com/acme/shop/actions/runs/8812"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Pipeline()),
        (GITHUB, Pipeline("maria", None, RUN, "deploy")),
        (
            GITHUB | {"GITHUB_REF": "refs/pull/12/merge"},
            Pipeline("maria", "https://github.com/acme/shop/pull/12", RUN, "deploy"),
        ),
        (
            GITHUB | {"SCHEDSYNC_ACTOR": "jo", "SCHEDSYNC_PULL_REQUEST": "#12"},
            Pipeline("jo", "#12", RUN, "deploy"),
        ),
        (
            {
                "GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ben", "CI_PIPELINE_URL": "https://git.example/p/1",
                "CI_JOB_NAME": "apply", "CI_MERGE_REQUEST_IID": "7",
                "CI_MERGE_REQUEST_PROJECT_URL": "https://git.example/acme/shop",
            },
            Pipeline("ben", "https://git.example/acme/shop/-/merge_requests/7", "https://git.example/p/1", "apply"),
        ),
        (
            {
                "JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://ci.example/job/1/", "JOB_NAME": "shop/PR-7",
                "CHANGE_ID": "7",
            },
            Pipeline(None, "#7", "https://ci.example/job/1/", "shop/PR-7"),
        ),
        (
            {"BITBUCKET_BUILD_NUMBER": "9", "BITBUCKET_REPO_FULL_NAME": "acme/shop", "BITBUCKET_PR_ID": "7"},
            Pipeline(None, "#7", "acme/shop 9", None),
        ),
        (
            {
                "TF_BUILD": "True", "BUILD_REQUESTEDFOR": "Maria P.", "BUILD_BUILDID": "9",
                "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "shop",
                "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
            },
            Pipeline("Maria P.", "!7", "https://dev.azure.com/acme/shop/_build/results?buildId=9", None),
        ),
        (
            {
                "CIRCLECI": "true", "CIRCLE_USERNAME": "jo", "CIRCLE_BUILD_URL": "https://circleci.com/b/9",
                "CIRCLE_PULL_REQUEST": "https://github.com/acme/shop/pull/7", "CIRCLE_JOB": "apply",
            },
            Pipeline("jo", "https://github.com/acme/shop/pull/7", "https://circleci.com/b/9", "apply"),
        ),
        (
            {
                "BUILDKITE": "true", "BUILDKITE_PULL_REQUEST": "false", "BUILDKITE_BUILD_URL": "https://buildkite.com/9",
                "BUILDKITE_BUILD_CREATOR": "jo", "BUILDKITE_LABEL": "apply",
            },
            Pipeline("jo", None, "https://buildkite.com/9", "apply"),
        ),
        ({"GITLAB_USER_LOGIN": "ben"}, Pipeline("ben")),
    ],
)  # fmt: skip
def test_each_system_says_who_which_pull_request_pipeline_and_job(environ: dict[str, str], expected: Pipeline) -> None:
    assert pipeline_of(environ) == expected


def test_hostile_values_are_cut_and_can_be_stored() -> None:
    hostile = {
        "JENKINS_URL": "x", "SCHEDSYNC_ACTOR": "a" * 10_000, "SCHEDSYNC_PULL_REQUEST": "\udcff\0😀",
        "BUILD_URL": "https://jo:s3cret@ci.example/", "JOB_NAME": "{BUILD_URL}",
    }  # fmt: skip

    assert pipeline_of(hostile) == Pipeline("a" * 200, "?\ufffd\ufffd", "***", "{BUILD_URL}")


@pytest.mark.parametrize(
    "person",
    [
        "[" + "1," * 95 + '"token=xyz"]',
        r'["\ud800", "token=xyz"]',
        "a" * 150 + "\nghp_" + "x" * 40 + " " + "b" * 200,
        "https://jo:" + "s" * 300 + "@ci.example/",
    ],
    ids=["spaces", "surrogate", "token", "cut password"],
)
def test_a_secret_is_masked_before_the_value_is_cut(person: str) -> None:
    found = pipeline_of({"SCHEDSYNC_ACTOR": person}).person or ""

    assert "***" in found or len(found) == 200
    assert len(found.encode()) <= 200
    assert not [part for part in ("token=xyz", "ghp_", "ssss") if part in found]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", None),
        ("Stop the report (not #12)", None),
        ("Merge pull request #12 from acme/stop\n\nStop the report", "#12"),
        ("Stop the report (#12)\n\n* first (#3)", "#12"),
        ("Merge branch 'stop' into 'main'\n\nStop\n\nSee merge request acme/shop!12", "acme/shop!12"),
        ("Merged in stop (pull request #12)\n\nStop the report", "#12"),
        ("Pull request #12: Stop the report\n\nMerge in ACME/shop", "#12"),
        ("Merged PR 12: Stop the report", "!12"),
        ("Stop (#" + "1" * 100_000 + ")", None),
        ("\n" * 100_000 + "See merge request a!1", None),
    ],
)
def test_the_message_of_a_merge_names_its_pull_request(message: str, expected: str | None) -> None:
    assert pull_request_in(message) == expected
