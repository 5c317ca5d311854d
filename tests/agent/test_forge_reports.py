"""What a forge shows of commits after an agent's turns: it is told each state once, and can stop nothing."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from schedsync.agent.forge_reports import ForgeReports
from schedsync.core.change import Update
from schedsync.core.commit_report import Section
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.refusal import Refusal
from schedsync.errors import CommitRefused, Failed, InvalidSet, Refused, SchedsyncError, Unavailable, WrongUsage
from schedsync.git.remote import Remote
from schedsync.planning.outcome import Outcome
from schedsync.usecases.agent import LOST, Turn
from tests.forges.conftest import forge, no_waiting, server
from tests.forges.servers import REPOSITORY, Forge, GitHubServer
from tests.monitors.servers import CANARY, serving

__all__ = ["forge", "no_waiting", "server"]

GOOD, NEXT = "a" * 40, "b" * 40
RUN = uuid.UUID(int=7)
CHANGE = Update(name="one")
UGLY = "@all [x](https://evil.example.org) <!-- --> ::error::\n`` | *b*"


class Reporter:
    """Reports to one server, at a time that the test moves on."""

    def __init__(self, server: Forge) -> None:
        self.server, self.now = server, 1_000.0
        self.remote = Remote(f"{server.url}/{REPOSITORY}.git")
        self.reports = ForgeReports(clock=lambda: self.now)

    def tell(self, commit: str | None = GOOD, **values: Any) -> None:
        base = {"remote": self.remote, "environment": "production", "name": "main"}
        self.reports(Turn(commit, **base | values))
        self.reports.background.wait(30)

    def applied(self, commit: str = GOOD, **values: Any) -> None:
        self.tell(commit, **{"tried": commit, "outcome": Outcome((CHANGE,)), **values})

    def failed(self, error: SchedsyncError, commit: str = NEXT) -> tuple[str, str]:
        self.tell(tried=commit, problem=error)
        return self.shown(commit)[0]

    def shown(self, commit: str = GOOD) -> list[tuple[str, str]]:
        return [(state.replace("failed", "failure"), words) for state, words in self.server.states(commit)]

    def asked(self) -> int:
        count = len(self.server.asked)
        self.server.asked.clear()
        return count


@pytest.fixture
def reporter(server: Forge) -> Reporter:
    server.pull(4, GOOD)
    server.pull(5, NEXT)
    return Reporter(server)


@pytest.fixture
def at_github(settings: Any) -> Any:
    """The same at one forge, for what is the same at both."""
    with serving(GitHubServer()) as found:
        settings.SCHEDSYNC_GITHUB_URL, settings.SCHEDSYNC_GITHUB_TOKEN = found.url, CANARY
        found.pull(4, GOOD)  # type: ignore[attr-defined]
        found.pull(5, NEXT)  # type: ignore[attr-defined]
        yield Reporter(found)  # type: ignore[arg-type]


def test_an_apply_is_shown_once_with_its_changes(reporter: Reporter) -> None:
    reporter.applied()
    first = reporter.asked()
    for _ in range(5):
        reporter.tell()

    assert reporter.shown() == [("success", "applied: 1 updated")]
    (text,) = reporter.server.texts(4)
    assert "### Applied `production`" in text
    assert "applied: 1 updated." in text
    assert (first > 0, reporter.asked()) == (True, 0)
    assert reporter.server.statuses[GOOD][0].get("context", reporter.server.statuses[GOOD][0].get("name")) == (
        "schedsync/production"
    )


def test_a_broken_commit_gets_a_red_status_with_the_place_and_a_link(reporter: Reporter) -> None:
    found = Finding("SS131", "invoices: hour `25` is not within 0-23", Location("schedules/a b.yaml", 12, 5))
    error = InvalidSet([found, found, replace(found, severity="warning")])

    assert reporter.failed(error) == (
        "failure",
        "schedules/a b.yaml:12:5 SS131 invoices: hour `25` is not within 0-23; 1 more",
    )
    (text,) = reporter.server.texts(5)
    blob = "/blob/" if reporter.server.__class__ is GitHubServer else "/-/blob/"
    assert f"]({reporter.server.url}/{REPOSITORY}{blob}{NEXT}/schedules/a%20b.yaml#L12)" in text
    assert reporter.server.texts(4) == []


def test_a_commit_that_may_not_be_applied_gets_a_red_status_with_the_reason(reporter: Reporter) -> None:
    error = CommitRefused([Refusal("not_signed", f"the commit {NEXT[:12]} is not signed by a key of `keys`", "")], NEXT)
    reporter.tell(fetch_problem=error)
    reporter.tell(fetch_problem=Unavailable("the remote is away"))

    assert reporter.shown(NEXT) == [("failure", f"refused: the commit {NEXT[:12]} is not signed by a key of `keys`")]
    assert "**Not applied** `production`" in reporter.server.texts(5)[0]
    assert reporter.shown() == [("success", "applied")]


def test_a_commit_that_is_kept_stays_green_when_its_key_expires(at_github: Reporter) -> None:
    at_github.applied()
    at_github.tell(fetch_problem=CommitRefused([Refusal("not_signed", "it is not signed", "")], GOOD))

    assert at_github.shown() == [("success", "applied: 1 updated")]


def test_a_state_that_changes_is_said_and_its_comment_is_the_same_one(reporter: Reporter) -> None:
    reporter.failed(Refused([Refusal("frozen", "a freeze until Monday", "--allow-freeze")]))
    reporter.failed(Refused([Refusal("stops", "31 stops", "--allow-stops 31")]))
    reporter.applied(NEXT)

    assert reporter.shown(NEXT) == [
        ("success", "applied: 1 updated"),
        ("failure", "refused: 31 stops"),
        ("pending", "refused: a freeze until Monday"),
    ]
    (text,) = reporter.server.texts(5)
    assert ("Applied" in text, "31 stops" in text) == (True, False)


def test_drift_that_is_left_is_said_with_the_commit(at_github: Reporter) -> None:
    at_github.applied()
    at_github.tell(left=(CHANGE,), held=("two",))
    assert len(at_github.shown()) == 1
    at_github.now += 300
    at_github.tell(left=(CHANGE,), held=("two",))

    assert at_github.shown()[0] == ("success", "applied: 1 updated; 1 schedule edited by others, left so")
    (text,) = at_github.server.texts(4)
    assert "**Edited by others, left so:**\n\n- `one`\n\n**Stopped by people, left so:**\n\n- `two`\n" in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Unavailable("no connection to db.internal"),
            ("pending", "it could not be applied yet, and is tried again"),
        ),
        (
            Failed("a bug of schedsync: KeyError('db.internal')"),
            ("failure", "it could not be applied; the log of the agent says why"),
        ),
        (WrongUsage("there are no files at `x`"), ("failure", "there are no files at `x`")),
    ],
)
def test_what_others_say_of_the_application_is_not_repeated(
    at_github: Reporter, error: SchedsyncError, said: tuple[str, str]
) -> None:
    assert at_github.failed(error) == said
    assert "db.internal" not in "".join(at_github.server.texts(5))


def test_what_another_agent_applies_is_its_matter(at_github: Reporter) -> None:
    at_github.tell(None, tried=NEXT, problem=Refused([Refusal(LOST, "another agent acts", "")]))

    assert at_github.asked() == 0


def test_a_restarted_agent_does_not_repeat_what_the_forge_shows(at_github: Reporter) -> None:
    at_github.applied()
    at_github.reports = ForgeReports(clock=lambda: 0.0)
    at_github.tell()

    assert at_github.shown() == [("success", "applied: 1 updated")]
    at_github.server.statuses.clear()
    at_github.reports = ForgeReports(clock=lambda: 0.0)
    at_github.tell()
    assert at_github.shown() == [("success", "applied")]


def test_an_apply_without_changes_makes_no_comment(at_github: Reporter) -> None:
    at_github.applied(outcome=Outcome())

    assert (at_github.shown(), at_github.server.texts(4)) == ([("success", "applied: no changes")], [])


def test_first_runs_are_a_section_of_the_comment(at_github: Reporter) -> None:
    found = [Section("First runs: 1 waiting", ("- `one`: waiting",), "pending")]
    at_github.reports.sections = lambda _using, report: found if report.run == RUN else []
    at_github.applied(outcome=Outcome(run=RUN))
    found[0] = Section("First runs: 1 failed", ("- **`one`: failed**",), "failure")
    at_github.tell()

    (text,) = at_github.server.texts(4)
    assert (text.count("### Applied"), "**First runs: 1 failed**\n\n- **`one`: failed**" in text) == (1, True)
    assert at_github.shown() == [
        ("failure", "applied: no changes; First runs: 1 failed"),
        ("pending", "applied: no changes; First runs: 1 waiting"),
    ]


def test_a_commit_whose_first_runs_were_watched_does_not_stay_pending_after_a_newer_one(at_github: Reporter) -> None:
    found = {GOOD: Section("First runs: watched", state="pending")}
    at_github.reports.sections = lambda _using, report: [found[report.commit]] if report.commit in found else []
    at_github.applied()
    at_github.tell(tried=NEXT, problem=Unavailable("the database is away"))
    assert at_github.shown()[0][0] == "pending"
    found[GOOD] = Section("First runs: no longer watched")
    at_github.applied(NEXT)

    assert at_github.shown() == [
        ("success", "applied: 1 updated; First runs: no longer watched"),
        ("pending", "applied: 1 updated; First runs: watched"),
    ]
    assert at_github.shown(NEXT)[0] == ("success", "applied: 1 updated")
    at_github.asked()
    at_github.tell(NEXT)
    assert at_github.asked() == 0


def test_two_sets_and_environments_of_a_commit_hide_each_other_nowhere(at_github: Reporter) -> None:
    at_github.applied()
    at_github.applied(environment="staging")
    at_github.applied(environment=None, left=(CHANGE,))

    contexts = {each["context"] for each in at_github.server.statuses[GOOD]}
    assert contexts == {"schedsync/production", "schedsync/staging", "schedsync"}
    assert len(at_github.server.texts(4)) == 3


def test_one_set_in_two_databases_has_a_status_for_each(at_github: Reporter) -> None:
    at_github.applied()
    at_github.tell(NEXT, using="eu", tried=GOOD, problem=Refused([Refusal("stops", "31 stops", "--allow-stops 31")]))
    for _ in range(3):
        at_github.now += 400
        at_github.tell()

    assert [(each["context"], each["state"]) for each in at_github.server.statuses[GOOD]] == [
        ("schedsync/production@eu", "failure"),
        ("schedsync/production", "success"),
    ]
    assert any("`production@eu`" in text for text in at_github.server.texts(4))


def test_a_database_that_hangs_keeps_the_reports_of_no_other_one_waiting(at_github: Reporter) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def sections(turn: Turn, _report: object) -> tuple[Section, ...]:
        if turn.using == "eu":
            hangs.set()
            goes_on.wait(30)
        return ()

    at_github.reports.sections = sections
    hanging = threading.Thread(target=at_github.applied, kwargs={"using": "eu"})
    hanging.start()
    assert hangs.wait(30)
    at_github.applied()
    shown = [each["context"] for each in at_github.server.statuses[GOOD]]
    goes_on.set()
    hanging.join(30)

    assert shown == ["schedsync/production"]


@pytest.mark.parametrize("fault", [None, 401, 404, 429, 500, "<html>"])
def test_a_forge_that_fails_is_logged_once_and_told_later(
    at_github: Reporter, caplog: pytest.LogCaptureFixture, fault: int | str | None
) -> None:
    caplog.set_level(logging.INFO, "schedsync.agent.background")
    at_github.server.always = fault
    at_github.applied()
    for _ in range(3):
        at_github.now += 400
        at_github.tell()
    at_github.server.always = 200
    at_github.now += 400
    at_github.tell()

    words = [record.message for record in caplog.records]
    assert [word.split(",")[0] for word in words] == [
        f"github is not told of commit {GOOD[:12]}",
        "what failed works again",
    ]
    assert CANARY not in caplog.text
    assert at_github.shown() == [("success", "applied: 1 updated")]


def test_a_line_about_a_forge_names_the_follow(at_github: Reporter, caplog: pytest.LogCaptureFixture) -> None:
    at_github.server.always = 500
    at_github.applied(follow="shop")

    (record,) = caplog.records
    assert (record.message.split(":")[0], vars(record)["follow"]) == ("shop", "shop")


def test_a_forge_that_fails_is_asked_more_and_more_seldom(at_github: Reporter) -> None:
    at_github.server.always = 401
    for _ in range(600):
        at_github.now += 1
        at_github.tell()

    assert 3 <= at_github.asked() <= 9


def test_a_commit_that_the_forge_does_not_know_holds_up_no_other(
    at_github: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    at_github.server.faulty = lambda line, _body: NEXT in line
    at_github.server.always = 422
    at_github.applied(NEXT)
    for _ in range(3):
        at_github.now += 400
        at_github.applied()

    assert (at_github.shown(), at_github.shown(NEXT)) == ([("success", "applied: 1 updated")], [])
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_forge_that_hangs_delays_no_turn(at_github: Reporter) -> None:
    goes_on = threading.Event()
    at_github.server.faulty = lambda _line, _body: not goes_on.wait(20)
    at_github.reports(Turn(GOOD, tried=GOOD, outcome=Outcome(), remote=at_github.remote))
    at_github.reports(Turn(NEXT, tried=NEXT, outcome=Outcome(), remote=at_github.remote))
    goes_on.set()
    at_github.reports.background.wait(30)

    assert (len(at_github.shown()), len(at_github.shown(NEXT))) == (1, 1)


def test_names_and_messages_are_text_at_the_forge(at_github: Reporter) -> None:
    secret = "password=hunter2hunter2"
    finding = Finding("SS131", UGLY, Location(f"schedules/{UGLY}.yaml", 1, 1), UGLY)
    state, words = at_github.failed(InvalidSet([finding] * 3_000))
    assert (state, len(words) <= 140, words.isprintable()) == ("failure", True, True)
    at_github.applied(NEXT, left=(replace(CHANGE, name=UGLY),), held=(UGLY, secret))
    (text,) = at_github.server.texts(5)

    assert len(text) < 65_536
    outside = re.sub(r"(`+).*?\1", "", text.partition("\n")[2])
    assert not re.search(r"@all|evil|::error|<!--", outside)


def test_a_turn_without_a_token_for_its_remote_asks_nobody(at_github: Reporter) -> None:
    at_github.tell(remote=Remote("https://git.example.org/acme/shop.git"))
    at_github.tell(remote=Remote("/srv/git/shop.git"))

    assert at_github.asked() == 0
