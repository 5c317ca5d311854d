"""A change that weakens a guarantee changes nothing that runs, and is shown all the same."""

from __future__ import annotations

import pytest

from tests.review.repository import Checkout, changes

ONE = '  a: {task: t, crontab: "0 5 * * *"%s}\n  b: {task: t, crontab: "0 6 * * *"}\n'
SECRET = '  a: {task: t, crontab: "0 5 * * *", kwargs: {token: hunter2}}\n'
IGNORED = SECRET.rstrip("\n") + "  # schedsync: ignore[SS212]\n"


def safeguards(checkout: Checkout, *words: str) -> list[str]:
    """Return the messages of SS168; each is a new warning."""
    found = [one for one in checkout.json(*words)["findings"] if one["code"] == "SS168"]
    assert {(one["severity"], one["new"]) for one in found} <= {("warning", True)}
    return [one["message"] for one in found]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("", ", edit_may_fire: true", "from now on an edit may make `a` fire at once: `edit_may_fire: true`"),
        (", edit_may_fire: true", "", None),
        ("", ", ignore_changes: [queue, args]", "Git no longer decides `args`, `queue` of `a`: `ignore_changes`"),
        (
            ", ignore_changes: [queue]",
            ", ignore_changes: [args, queue]",
            "Git no longer decides `args` of `a`: `ignore_changes`",
        ),
        (
            ", ignore_changes: [queue]",
            "",
            "Git decides `queue` of `a` again, so an apply overwrites other values in the table",
        ),
    ],
)
def test_a_guarantee_of_a_schedule_that_is_given_up_is_shown(
    checkout: Checkout, before: str, after: str, message: str | None
) -> None:
    checkout.schedules(ONE % before)
    checkout.commit()
    checkout.schedules(ONE % after)

    assert changes(checkout.json()) == []
    assert safeguards(checkout) == ([message] if message else [])


def test_a_guarantee_that_many_give_up_is_one_finding_with_their_names(checkout: Checkout) -> None:
    checkout.write('environments = ["staging", "production"]\n', "schedsync.toml")
    fan = "  s-{n}: {task: t, every: 1d, for_each: {n: [1, 2, 3, 4, 5, 6, 7]}%s}\n"
    checkout.schedules(fan % "")
    checkout.commit()
    checkout.schedules(fan % ", ignore_changes: [queue], environments: {production: {edit_may_fire: true}}")
    [many, fire] = [one for one in checkout.json()["findings"] if one["code"] == "SS168"]
    names = [f"s-{number}" for number in range(1, 8)]

    assert many["message"].startswith("Git no longer decides `queue` of 7 schedules: `ignore_changes`: s-1, s-2")
    assert fire["message"].startswith(
        "from now on an edit may make 7 schedules fire at once: `edit_may_fire: true`: s-1"
    )
    assert (many.get("environments"), fire["environments"]) == (None, ["production"])
    assert (many["names"], fire["names"]) == (names, names)
    for format_ in ("markdown", "html"):
        assert [name for name in names if name not in checkout.review("--format", format_).out] == []
    assert "s-7" in checkout.review("--verbose").out


def test_a_new_schedule_that_gives_up_a_guarantee_is_shown(checkout: Checkout) -> None:
    checkout.schedules("")
    checkout.commit()
    checkout.schedules(ONE % ", edit_may_fire: true")

    assert safeguards(checkout) == ["from now on an edit may make `a` fire at once: `edit_may_fire: true`"]


@pytest.mark.parametrize(
    ("lint", "message"),
    [
        (
            "ignore = ['SS212']",
            "rule SS212 (secret) is switched off in `[lint]`; that concerns 2 findings, 1 of them new",
        ),
        (
            "select = ['SS201']",
            "rule SS212 (secret) is switched off in `[lint]`; that concerns 2 findings, 1 of them new",
        ),
        (
            "severity = {SS212 = 'info'}",
            "findings of SS212 (secret) change from %s to info; that concerns 2 findings, 1 of them new",
        ),
        ("max_starts = 99", "`[lint] max_starts` changes from 30 to 99"),
        ("extend_select = ['SS215']", "rule SS215 (owner-missing) is switched on in `[lint]`"),
        ("queues = ['celery', 'mails']", "`[lint] queues` changes: `celery`, `mails` added, none removed"),
    ],
)
def test_what_the_lint_settings_hide_is_shown_and_counted(checkout: Checkout, lint: str, message: str) -> None:
    from schedsync.lint import RULES

    old = SECRET.replace("a:", "old:")
    checkout.write("", "schedsync.toml")
    checkout.schedules(old)
    checkout.commit()
    checkout.schedules(old + SECRET)
    checkout.write(f"[lint]\n{lint}\n", "schedsync.toml")

    assert message.replace("%s", RULES["SS212"].severity) in safeguards(checkout)
    assert "**Safeguards**" in checkout.review("--format", "markdown").out


def test_a_limit_of_starts_that_is_raised_counts_what_it_hides(checkout: Checkout) -> None:
    herd = "".join(f'  n{n}: {{task: t, crontab: "0 0 * * *", args: [{n}]}}\n' for n in range(6))
    checkout.write("[lint]\nmax_starts = 3\n", "schedsync.toml")
    checkout.schedules("")
    checkout.commit()
    checkout.schedules(herd)
    checkout.write("[lint]\nmax_starts = 9\n", "schedsync.toml")

    assert safeguards(checkout) == ["`[lint] max_starts` changes from 3 to 9; that concerns 1 finding, 1 of them new"]


def test_waits_of_queues_that_change_are_shown_by_queue_with_what_they_hide(checkout: Checkout) -> None:
    checkout.write('[lint.queue_waits]\n"*" = "10m"\nmails = "1m"\nkept = "2m"\n', "schedsync.toml")
    checkout.schedules("")
    checkout.commit()
    checkout.schedules("  a: {task: t, every: 1h, expires_after: 30s}\n")
    checkout.write('[lint.queue_waits]\nkept = "2m"\nmails = "5s"\n', "schedsync.toml")

    assert safeguards(checkout) == [
        "`[lint.queue_waits]` of `*` changes from 600 s to none",
        "`[lint.queue_waits]` of `mails` changes from 60 s to 5 s; that concerns 1 finding, 1 of them new",
    ]


def test_an_ignore_comment_beside_a_new_secret_is_shown(checkout: Checkout) -> None:
    checkout.schedules("")
    checkout.commit()
    checkout.schedules(IGNORED)
    said = checkout.json()
    place = next(one["location"] for one in said["findings"] if one["code"] == "SS168")

    assert [one["code"] for one in said["findings"]] == ["SS168"]
    assert [message.partition(":")[0] for message in safeguards(checkout)] == [
        "a comment in the file ignores SS212 (secret)"
    ]
    assert (place["path"], place["line"]) == ("schedules/shop.yaml", 3)
    assert "hunter2" not in str(said)


def test_a_comment_over_an_old_finding_is_shown_and_an_old_comment_is_not(checkout: Checkout) -> None:
    checkout.schedules(SECRET)
    checkout.commit("open")
    checkout.branch()
    checkout.schedules(IGNORED)
    checkout.commit("ignored")
    checkout.schedules("  z: {task: t, every: 1d}\n" + IGNORED)

    assert len(safeguards(checkout, "main")) == 1
    assert safeguards(checkout, "feature") == []


def test_many_ignored_findings_are_counted(checkout: Checkout) -> None:
    checkout.schedules("")
    checkout.commit()
    checkout.schedules("".join(IGNORED.replace("a:", f"a{number}:") for number in range(20)))

    assert len(safeguards(checkout)) == 6
    assert safeguards(checkout)[-1] == "comments ignore 15 more findings of SS212 not ignored before"


def test_a_comment_over_a_rule_about_all_schedules_is_shown(checkout: Checkout) -> None:
    checkout.schedules('  a: {task: t, crontab: "0 5 * * *"}\n')
    checkout.commit()
    twice = "".join(f'  {name}: {{task: t, crontab: "0 5 * * *"}}  # schedsync: ignore[SS216]\n' for name in "ab")
    checkout.schedules(twice)

    assert {message.partition(":")[0] for message in safeguards(checkout)} == {
        "a comment in the file ignores SS216 (twice)"
    }


def test_limits_that_are_raised_are_shown(checkout: Checkout) -> None:
    checkout.write("[safety]\nmax_stops = 1\nallowed_queues = ['celery']\n", "schedsync.toml")
    checkout.schedules(ONE % "")
    checkout.commit()
    checkout.write("[safety]\nmax_stops = 500\n", "schedsync.toml")

    assert safeguards(checkout) == [
        "`[safety] allowed_queues` changes from `celery` to no limit",
        "`max_stops` changes from 1 to 500 schedules that one apply may stop",
    ]


def test_a_configuration_that_could_not_be_read_before_is_not_compared_and_says_so(checkout: Checkout) -> None:
    checkout.write("[safety]\nmax_stops = 'many'\n", "schedsync.toml")
    checkout.schedules(ONE % "")
    checkout.commit()
    checkout.write("[safety]\nmax_stops = 500\n", "schedsync.toml")

    assert safeguards(checkout) == [
        "the configuration before the change cannot be read, so what protects the set is not compared"
    ]


FREEZE = '[[freeze]]\ncrontab = "0 16 * * fri"\nduration = "%s"\nreason = "%s"\n'
HOLDS = "`0 16 * * 5 UTC` for 64h: weekend"


@pytest.mark.parametrize(
    ("before", "after", "messages"),
    [
        (FREEZE % ("64h", "weekend"), "", [f"an entry of `[[freeze]]` is removed or moved, it froze {HOLDS}"]),
        (
            FREEZE % ("64h", "weekend"),
            FREEZE % ("2h", "weekend"),
            [f"an entry of `[[freeze]]` holds less: it froze {HOLDS}; now `0 16 * * 5 UTC` for 2h: weekend"],
        ),
        (
            FREEZE % ("64h", "weekend"),
            FREEZE % ("64h", "weekend") + 'environments = ["production"]\n',
            [
                f"an entry of `[[freeze]]` holds less: it froze {HOLDS}; "
                "now `0 16 * * 5 UTC` for 64h in `production`: weekend"
            ],
        ),
        (FREEZE % ("64h", "weekend"), FREEZE % ("65h", "a longer weekend"), []),
        ("", FREEZE % ("64h", "weekend"), []),
    ],
)
def test_a_freeze_that_holds_less_is_shown(checkout: Checkout, before: str, after: str, messages: list[str]) -> None:
    declared = 'environments = ["production"]\n'
    checkout.write(declared + before, "schedsync.toml")
    checkout.schedules(ONE % "")
    checkout.commit()
    checkout.write(declared + after, "schedsync.toml")

    assert safeguards(checkout) == messages


def test_a_reviewer_reads_where_and_until_when_it_is_frozen(checkout: Checkout) -> None:
    # A freeze that holds at any time: it begins each day, and its gap is the minute before midnight.
    daily = '[[freeze]]\ncrontab = "@daily"\nduration = "1439m"\nreason = "the shop moves"\n'
    checkout.write('environments = ["staging", "production"]\n' + daily + 'environments = ["production"]\n',
                   "schedsync.toml")  # fmt: skip
    checkout.schedules(ONE % "")
    checkout.commit()
    assert [one for one in checkout.json()["findings"] if one["code"] == "SS180"] == []
    checkout.schedules(ONE % ", queue: other")
    [found] = [one for one in checkout.json()["findings"] if one["code"] == "SS180"]

    assert (found["severity"], found["new"], found["environments"]) == ("info", True, ["production"])
    assert found["message"].startswith("frozen until ")
    assert found["message"].endswith(" 23:59 UTC: the shop moves")
    assert "frozen until" in checkout.review("--format", "markdown").out


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("7d", "36h", "`[prune] grace` was 7d, and is 36h now"),
        ("7d", None, "`[prune] grace` was 7d, and is removed: what waits is deleted by the next apply"),
        ("7d", "168h", None),
        ("7d", "8d", None),
        (None, "7d", None),
    ],
)
def test_a_shorter_grace_is_shown(
    checkout: Checkout, before: str | None, after: str | None, message: str | None
) -> None:
    def configure(grace: str | None) -> None:
        checkout.write(f'set = "shop"\n[prune]\ngrace = "{grace}"\n' if grace else 'set = "shop"\n', "schedsync.toml")

    checkout.schedules(ONE % "")
    configure(before)
    checkout.commit()
    configure(after)

    assert safeguards(checkout) == ([message] if message else [])


def test_a_review_shows_a_removal_with_a_grace_as_a_stop(checkout: Checkout) -> None:
    checkout.write('[prune]\ngrace = "7d"\n', "schedsync.toml")
    checkout.schedules(ONE % "")
    checkout.commit()
    checkout.schedules((ONE % "").splitlines(keepends=True)[1])
    [environment] = checkout.json()["environments"]
    [change] = environment["changes"]

    assert (change["kind"], change["name"], sorted(change["removing"])) == ("update", "a", ["since", "until"])
    assert [each["code"] for each in change["consequences"]] == ["stops", "removing"]
