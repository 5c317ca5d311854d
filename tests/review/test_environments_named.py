"""A finding that not all environments have names those that have it, in every format."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from schedsync.core.refusal import Refusal
from schedsync.render.page import review as html
from schedsync.review.result import Request
from schedsync.schemas.validator import REVIEW, problems
from schedsync.usecases.review import review
from tests.conftest import NOW, Project
from tests.review.repository import Checkout

CONFIG = 'environments = ["staging", "production"]\n'
BOTH_DAYS = """\
  report:
    task: t
    crontab: "0 2 * * *"
    environments: {staging: {crontab: "0 2 1 * mon"}}
  everywhere: {task: t, crontab: "0 3 1 * mon"}
"""


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("text", "(in staging)"), ("github", "(in staging)"), ("sarif", "(in staging)"), ("gitlab", "(in staging)"),
        ("junit", "(in staging)"), ("json", '"environments": [\n        "staging"'),
    ],
)  # fmt: skip
def test_validate_names_the_environment(files: Project, format_: str, text: str) -> None:
    files.write(CONFIG, "schedsync.toml")
    files.schedules(BOTH_DAYS)
    done = files.validate("--format", format_)

    assert done.code == 0
    assert text in done.out
    assert done.out.count("in staging") in (0, 1, 2)
    assert "in production" not in done.out


def test_a_review_names_the_environment(checkout: Checkout) -> None:
    checkout.write(CONFIG, "schedsync.toml")
    checkout.schedules("  report: {task: t, every: 1d}\n")
    checkout.commit()
    checkout.schedules(BOTH_DAYS)
    done = checkout.command("review", "HEAD", "--format", "json")
    found = {one["location"]["line"]: one.get("environments") for one in json.loads(done.out)["findings"]}

    assert done.code == 0
    assert [found[line] for line in sorted(found)] == [["staging"], None]
    assert list(problems(json.loads(done.out), REVIEW)) == []
    assert all(one["new"] for one in json.loads(done.out)["findings"])


@pytest.mark.parametrize("format_", ["text", "markdown", "summary", "html", "github", "sarif", "gitlab", "junit"])
def test_each_format_of_a_review_names_the_environment(checkout: Checkout, format_: str) -> None:
    checkout.write(CONFIG, "schedsync.toml")
    checkout.schedules("  report: {task: t, every: 1d}\n")
    checkout.commit()
    checkout.schedules(BOTH_DAYS)
    said = checkout.review("HEAD", "--format", format_).out

    assert "(in staging)" in said
    assert "(in production)" not in said


def test_a_refusal_and_a_lost_guarantee_name_their_environment_once(checkout: Checkout) -> None:
    stops = "".join(f"  j{number}: {{task: t, every: 1h, args: [{number}]%s}}\n" for number in range(30))
    checkout.write(CONFIG + "[safety]\nmax_stops = 2\n", "schedsync.toml")
    checkout.schedules(stops.replace("%s", "") + "  kept: {task: k, every: 1d}\n")
    checkout.commit()
    kept = "  kept: {task: k, every: 1d, environments: {staging: {edit_may_fire: true}}}\n"
    checkout.schedules(stops.replace("%s", ", environments: {production: {enabled: false}}") + kept)
    found = {one["code"]: one for one in checkout.json()["findings"]}

    assert (found["SS164"]["environments"], found["SS168"]["environments"]) == (["production"], ["staging"])
    assert " in production" not in found["SS164"]["message"]
    assert found["SS168"]["message"] == "from now on an edit may make `kept` fire at once: `edit_may_fire: true`"


def test_a_page_shows_a_load_and_refusals_beside_the_environment_that_has_them(checkout: Checkout) -> None:
    often = '  often: {task: t, crontab: "*/30 * * * *", environments: {production: {crontab: "* * * * *"}}}\n'
    checkout.write(CONFIG, "schedsync.toml")
    checkout.schedules(often + '  x: {task: u, crontab: "0 1 * * *"}\n')
    checkout.commit()
    checkout.schedules(often + '  x: {task: u, crontab: "0 2 * * *"}\n')
    page = checkout.review("--format", "html").out

    assert re.findall("<h3>Load of a week: (.*?)</h3>", page) == ["staging", "production"]


def test_environments_with_different_refusals_are_not_shown_as_one(checkout: Checkout) -> None:
    checkout.write(CONFIG, "schedsync.toml")
    checkout.schedules("  x: {task: u, every: 1d}\n")
    checkout.commit()
    checkout.schedules("  x: {task: u, every: 2d}\n")
    value = review(Request(pictures=True), NOW)
    staging, production = value.environments
    refusal = Refusal("too_many_stops", "production is refused", "--allow-stops 9")
    refused = replace(production, plan=replace(production.plan, refusals=(refusal,)))

    assert "Load of a week: staging, production</h3>" in html.review(value)
    assert "production is refused" in html.review(replace(value, environments=(staging, refused)))
