"""What the variables of a CI system say of the job that runs: its person, pull request, pipeline and job.

A job that deploys after a merge often does not know the pull request; then the message of the commit names it. Only
variables that the documentation of the system defines are read. All of it is untrusted: it is cut here, and escaped
where it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schedsync.core.secrets import masked

#: Who is at work, and which pull request the change is of, where CI's own variables do not say it.
ACTOR, PULL_REQUEST = "SCHEDSYNC_ACTOR", "SCHEDSYNC_PULL_REQUEST"
#: In characters, as the columns of the audit record have them.
LONGEST_PERSON, LONGEST_PULL_REQUEST, LONGEST_PIPELINE, LONGEST_JOB = 200, 300, 500, 200
#: GitHub's ref of a pull request: `refs/pull/12/merge`.
_GITHUB_PULL = re.compile(r"refs/pull/([0-9]{1,12})/")
#: How the forges write a pull request into the first line of a merge commit, or of a squashed one: GitHub, Bitbucket's
#: cloud and server, Azure.
_SUBJECTS = (
    (re.compile(r"Merge pull request #([0-9]{1,12}) from "), "#"),
    (re.compile(r"Merged in [^\s]{1,250} \(pull request #([0-9]{1,12})\)"), "#"),
    (re.compile(r"Pull request #([0-9]{1,12}): "), "#"),
    (re.compile(r"Merged PR ([0-9]{1,12}): "), "!"),
)
_NUMBER = re.compile(r"[0-9]{1,12}\)\Z")
#: GitLab writes it into a line of its own.
_GITLAB_MERGE = re.compile(r"See merge request ([^\s!]{0,250}![0-9]{1,12})\Z")
#: In characters: how much of a message, and how many of its lines, are looked at.
_LONGEST_MESSAGE, _MOST_LINES, _LONGEST_LINE = 65_536, 1000, 1000
#: In characters: how much of a value is searched for secrets.
_LONGEST_VALUE = 10_000
#: A text in which braces hold the names of variables.
Template = str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What CI says of the job that runs; None for what it does not say. ``pull_request`` and ``pipeline`` are URLs, or
    numbers where the variables hold no URL.
    """

    person: str | None = None
    pull_request: str | None = None
    pipeline: str | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class _System:
    """The variables of one CI system; ``sign`` is set in its jobs. The first template with all its variables counts."""

    sign: str
    person: Sequence[Template] = ()
    pull_request: Sequence[Template] = ()
    pipeline: Sequence[Template] = ()
    job: Sequence[Template] = ()


_SYSTEMS = (
    # docs.github.com: Variables reference
    _System(
        "GITHUB_ACTIONS",
        person=["{GITHUB_ACTOR}"],
        pull_request=["{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/pull/{PULL_OF_REF}"],
        pipeline=["{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"],
        job=["{GITHUB_JOB}"],
    ),
    # docs.gitlab.com: Predefined CI/CD variables reference
    _System(
        "GITLAB_CI",
        person=["{GITLAB_USER_LOGIN}"],
        pull_request=[
            "{CI_MERGE_REQUEST_PROJECT_URL}/-/merge_requests/{CI_MERGE_REQUEST_IID}",
            "!{CI_MERGE_REQUEST_IID}",
        ],
        pipeline=["{CI_PIPELINE_URL}", "{CI_PIPELINE_ID}"],
        job=["{CI_JOB_NAME}"],
    ),
    # support.atlassian.com: Variables and secrets; it names the person by an id only
    _System(
        "BITBUCKET_BUILD_NUMBER",
        pull_request=["{BITBUCKET_GIT_HTTP_ORIGIN}/pull-requests/{BITBUCKET_PR_ID}", "#{BITBUCKET_PR_ID}"],
        pipeline=["{BITBUCKET_REPO_FULL_NAME} {BITBUCKET_BUILD_NUMBER}", "{BITBUCKET_BUILD_NUMBER}"],
    ),
    # learn.microsoft.com: Use predefined variables
    _System(
        "TF_BUILD",
        person=["{BUILD_REQUESTEDFOR}"],
        pull_request=["#{SYSTEM_PULLREQUEST_PULLREQUESTNUMBER}", "!{SYSTEM_PULLREQUEST_PULLREQUESTID}"],
        pipeline=[
            "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
            "{BUILD_BUILDID}",
        ],
        job=["{SYSTEM_JOBDISPLAYNAME}"],
    ),
    # circleci.com/docs: Project values and variables
    _System(
        "CIRCLECI",
        person=["{CIRCLE_USERNAME}"],
        pull_request=["{CIRCLE_PULL_REQUEST}"],
        pipeline=["{CIRCLE_BUILD_URL}", "{CIRCLE_WORKFLOW_ID}"],
        job=["{CIRCLE_JOB}"],
    ),
    # buildkite.com/docs: Environment variables
    _System(
        "BUILDKITE",
        person=["{BUILDKITE_BUILD_CREATOR}"],
        pull_request=["#{BUILDKITE_PULL_REQUEST}"],
        pipeline=["{BUILDKITE_BUILD_URL}", "{BUILDKITE_BUILD_NUMBER}"],
        job=["{BUILDKITE_LABEL}"],
    ),
    # jenkins.io/doc: Using environment variables; CHANGE_ variables are those of multibranch pipelines
    _System(
        "JENKINS_URL",
        pull_request=["{CHANGE_URL}", "#{CHANGE_ID}"],
        pipeline=["{BUILD_URL}", "{BUILD_TAG}"],
        job=["{JOB_NAME}"],
    ),
)
#: A person that is named although no system is known.
_PERSONS = ("{GITHUB_ACTOR}", "{GITLAB_USER_LOGIN}")
_VARIABLE = re.compile(r"\{([A-Z_]{1,60})\}")
#: Buildkite's word for no pull request.
_ABSENT = ("", "false")


def pipeline_of(environ: Mapping[str, str]) -> Pipeline:
    """Return what a process's environment says of its CI job; SCHEDSYNC_ variables go before those of CI."""
    system = next((each for each in _SYSTEMS if environ.get(each.sign)), _System(""))
    pull = _GITHUB_PULL.match(environ.get("GITHUB_REF", ""))
    values = {**environ, "PULL_OF_REF": pull[1] if pull else ""}
    persons = (f"{{{ACTOR}}}", *system.person, *_PERSONS)
    return Pipeline(
        _first(persons, values, LONGEST_PERSON),
        _first((f"{{{PULL_REQUEST}}}", *system.pull_request), values, LONGEST_PULL_REQUEST),
        _first(system.pipeline, values, LONGEST_PIPELINE),
        _first(system.job, values, LONGEST_JOB),
    )


def pull_request_in(message: str) -> str | None:
    """Return the number of the pull request that a commit's message names as the forges write it, or None."""
    lines = [line[:_LONGEST_LINE].strip() for line in message[:_LONGEST_MESSAGE].split("\n", _MOST_LINES)]
    for pattern, sign in _SUBJECTS:
        if match := pattern.match(lines[0]):
            return f"{sign}{match[1]}"
    squashed = lines[0].rpartition("(#")[2]
    if squashed != lines[0] and _NUMBER.match(squashed):
        return f"#{squashed[:-1]}"
    merges = (match[1] for line in lines if (match := _GITLAB_MERGE.match(line)))
    return next((storable(merge, LONGEST_PULL_REQUEST) for merge in merges), None)


def _first(templates: Sequence[Template], values: Mapping[str, str], longest: int) -> str | None:
    return next((text for template in templates if (text := _filled(template, values, longest))), None)


def _filled(template: Template, values: Mapping[str, str], longest: int) -> str | None:
    """Return a template with its variables; None where one of them is not set."""
    found = {name: values.get(name, "").strip() for name in _VARIABLE.findall(template)}
    if any(value in _ABSENT for value in found.values()):
        return None
    text = _VARIABLE.sub(lambda match: found[match[1]], template)[:_LONGEST_VALUE]
    # An address can hold a password, as that of a Jenkins behind a proxy. What was cut may not look like one any more,
    # and a mask can be longer than what it hides.
    return storable(str(masked(text)), longest)


def storable(text: str, longest: int) -> str:
    """Return a text as each database stores it: cut, without NUL, and without characters that an old MySQL refuses."""
    safe = text[:longest].encode("utf-8", "replace").decode("utf-8")
    return "".join("\ufffd" if character == "\0" or ord(character) > 0xFFFF else character for character in safe)
