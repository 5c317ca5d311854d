"""The comment of a review: what a reviewer needs to decide, in the order in which it matters."""

from __future__ import annotations

import re

import pytest

from tests.review.repository import Checkout
from tests.review.test_folding import in_the_open

OWNED = '  {name}: {{task: t.{name}, crontab: "{crontab}", timezone: Europe/Berlin, owner: team-data}}\n'


def owned(name: str, crontab: str) -> str:
    return OWNED.format(name=name, crontab=crontab)


def comment(checkout: Checkout, *words: str) -> str:
    return checkout.review(*words, "--format", "markdown").out


@pytest.mark.parametrize(
    ("after", "headline"),
    [
        ("", "**refused**; 2 stop"),
        (owned("a", "0 2 * * *"), "1 stops"),
        (owned("a", "* 2 * * *") + owned("b", "0 2 * * *"), "1 runs far more often"),
        (owned("a", "0 3 * * *") + owned("b", "0 2 * * *") + owned("c", "0 4 * * *"), "1 created, 1 updated"),
        (owned("b", "0 2 * * *") + owned("a", "0 2 * * *"), "nothing that runs is changed"),
    ],
)
def test_the_headline_is_a_verdict(checkout: Checkout, after: str, headline: str) -> None:
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *"))
    checkout.commit()
    checkout.schedules(after)

    assert comment(checkout).startswith(f"### Schedules: {headline} · ")


def test_the_headline_tells_the_environments_apart(checkout: Checkout) -> None:
    checkout.write('environments = ["staging", "production"]\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *"))
    checkout.commit()
    checkout.schedules(owned("a", "0 2 * * *").replace("}", ", only_in: [staging]}") + owned("b", "* 2 * * *"))

    assert comment(checkout).startswith(
        "### Schedules: 1 stops in `production`; 1 runs far more often in `staging`, `production` · "
    )


def test_a_moved_timing_shows_its_words_and_its_next_runs_in_its_zone(checkout: Checkout) -> None:
    checkout.schedules(owned("a", "0 20 * * *"))
    checkout.commit()
    checkout.schedules(owned("a", "0 2 * * *"))
    said = comment(checkout)

    assert re.search(r"timing .*20:00.* → .*02:00.* \(`0 20 \* \* \* Europe/Berlin` → `0 2 \* \* \* Europe/Ber", said)
    assert (
        "next runs Mon 23 Nov 20:00, Tue 24 Nov 20:00, Wed 25 Nov 20:00"
        " → Tue 24 Nov 02:00, Wed 25 Nov 02:00, Thu 26 Nov 02:00 (Europe/Berlin)"
    ) in said
    assert "next run moves" not in said
    assert "edit_may_fire" not in said


def test_runs_are_not_foretold_where_only_our_own_counting_knows_them(checkout: Checkout) -> None:
    checkout.schedules("  a: {task: t, every: 3h}\n")
    checkout.commit()
    checkout.schedules("  a: {task: t, every: 2h}\n")

    assert "next runs" not in comment(checkout)


def test_a_disabled_schedule_says_why_and_a_deleted_one_what_it_was(checkout: Checkout) -> None:
    deleted = "  gone: {task: t.gone, every: 1h, kwargs: {tenant: acme, token: hidden}, owner: team-data}\n"
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *") + deleted)
    checkout.commit()
    checkout.schedules(
        owned("a", "0 2 * * *").replace("}", ", enabled: false, disabled_reason: summer time}")
        + owned("b", "0 2 * * *")
    )
    said = comment(checkout, "--allow-stops", "2")

    assert "reason: `summer time`" in said
    assert "- `gone` deleted · `schedules/shop.yaml:5` · owner `team-data`\n" in said
    assert 'task `t.gone` · timing `every 1h` · kwargs `{"tenant": "acme", "token": "***"}`' in said


def test_who_must_approve_is_decided_by_the_base(checkout: Checkout) -> None:
    checkout.write('[approvals]\nteam-data = ["@acme/data", "jo"]\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *"))
    checkout.commit()
    checkout.write('[approvals]\nteam-data = ["mallory"]\nops = ["@acme/ops"]\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 3 * * *").replace("team-data", "ops") + owned("b", "0 3 * * *"))
    said = comment(checkout)

    assert "Needs approval by `@acme/ops` (1 change of `ops`); `@acme/data`, `jo` (2 changes of `team-data`)\n" in said
    assert "`` `[approvals]`: changes of `team-data` are approved by `mallory` instead of `@acme/data`, `jo` ``" in said
    assert checkout.json()["approvals"] == [
        {"owner": "ops", "by": ["@acme/ops"], "changes": 1},
        {"owner": "team-data", "by": ["@acme/data", "jo"], "changes": 2},
    ]


@pytest.mark.parametrize(
    ("more", "by"),
    [
        ("owner: me", [("team-data", 1)]),
        ("owner: ops", [("ops", 1), ("team-data", 1)]),
        ("owner: team-data, edit_may_fire: true", [("team-data", 1)]),
        ("owner: team-data, ignore_changes: [queue]", [("team-data", 1)]),
        ("owner: team-data, runbook: https://example.org/a", []),
    ],
)
def test_what_changes_no_row_needs_an_approval_all_the_same(
    checkout: Checkout, more: str, by: list[tuple[str, int]]
) -> None:
    checkout.write('[approvals]\nteam-data = ["@acme/data"]\nops = ["@acme/ops"]\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *"))
    checkout.commit()
    checkout.schedules(owned("a", "0 2 * * *").replace("owner: team-data", more) + owned("b", "0 2 * * *"))
    said = checkout.json()

    assert said["environments"][0]["changes"] == []
    assert [(one["owner"], one["changes"]) for one in said["approvals"]] == by
    assert ("Needs approval by" in comment(checkout)) is bool(by)


def test_a_schedule_that_leaves_an_owner_who_approves_is_shown(checkout: Checkout) -> None:
    checkout.write('[approvals]\nteam-data = ["@acme/data"]\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *") + "  c: {task: t, every: 1h, owner: x}\n")
    checkout.commit()
    checkout.schedules(
        owned("a", "0 2 * * *").replace("team-data", "me")
        + owned("b", "0 2 * * *").replace(", owner: team-data", "")
        + "  c: {task: t, every: 1h, owner: team-data}\n"
    )
    messages = [one["message"] for one in checkout.json()["findings"] if one["code"] == "SS168"]

    assert messages == [
        "the owner of `a` changes from `team-data` to `me`: changes of `team-data` need an approval",
        "the owner of `b` changes from `team-data` to nobody: changes of `team-data` need an approval",
    ]


def test_many_approvals_leave_room_for_the_rest(checkout: Checkout) -> None:
    people = ", ".join(f'"@acme/{"x" * 180}-{number}"' for number in range(20))
    checkout.write("[approvals]\n" + "".join(f"team-{n} = [{people}]\n" for n in range(30)), "schedsync.toml")
    checkout.schedules("".join(owned(f"j{n:02}", "0 2 * * *").replace("data", str(n)) for n in range(30)))
    checkout.commit()
    checkout.schedules("".join(owned(f"j{n:02}", "0 3 * * *").replace("data", str(n)) for n in range(30)))
    line = comment(checkout).splitlines()[2]

    assert len(line) < 10_000
    assert line.startswith("Needs approval by `@acme/xxx")
    assert "; and 28 more owners. `--format summary` and `--format json` list all of it" in line
    assert "more owner" not in checkout.review("--format", "summary").out


def test_a_new_approval_is_no_weakened_safeguard(checkout: Checkout) -> None:
    checkout.schedules(owned("a", "0 2 * * *"))
    checkout.commit()
    checkout.write('[approvals]\nteam-data = ["@acme/data"]\n', "schedsync.toml")

    assert "SS168" not in comment(checkout)


@pytest.mark.parametrize(
    ("variables", "configured", "address"),
    [
        ({}, "github.com/acme/shop", "https://github.com/acme/shop/blob/{head}/schedules/shop.yaml#L3"),
        ({}, "git.example.org/acme/shop", None),
        ({}, "https://user:secret@github.com/acme/shop", None),
        ({}, "javascript://github.com/x", None),
        ({}, "github.com/a b/(c)", "https://github.com/a%20b/%28c%29/blob/{head}/schedules/shop.yaml#L3"),
        (
            {"GITHUB_SERVER_URL": "https://git.example.org", "GITHUB_REPOSITORY": "acme/shop"},
            "github.com/other/place",
            "https://git.example.org/acme/shop/blob/{head}/schedules/shop.yaml#L3",
        ),
        (
            {"CI_PROJECT_URL": "https://git.example.org/acme/shop"},
            "",
            "https://git.example.org/acme/shop/-/blob/{head}/schedules/shop.yaml#L3",
        ),
        (
            {"BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/acme/shop"},
            "",
            "http://bitbucket.org/acme/shop/src/{head}/schedules/shop.yaml#lines-3",
        ),
    ],
)
def test_a_place_links_to_the_head(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    configured: str,
    address: str | None,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if configured:
        checkout.write(f'repository_url = "{configured}"\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *"))
    base = checkout.commit()
    checkout.write('repository_url = "https://github.com/evil/place"\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 3 * * *"))
    head = checkout.commit()
    found = re.findall(r"\]\((\S+shop\.yaml\S*)\)", in_the_open(comment(checkout, base, head)))

    assert set(found) == ({address.format(head=head)} if address else set())


def test_a_work_tree_is_linked_only_where_ci_has_checked_it_out(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    checkout.write('repository_url = "github.com/acme/shop"\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *") + owned("b", "0 2 * * *"))
    base = checkout.commit()
    checkout.branch()
    checkout.schedules(owned("b", "0 3 * * *"))
    head = checkout.commit()

    links = re.compile(r"blob/([0-9a-f]+)/schedules/shop\.yaml#L([0-9]+)")
    assert set(links.findall(comment(checkout, "main"))) == {(base, "3")}
    monkeypatch.setenv("CI", "true")
    assert set(links.findall(comment(checkout, "main"))) == {(base, "3"), (head, "3")}


def test_the_load_is_compared_where_it_changes(checkout: Checkout) -> None:
    hourly = '  a: {task: t, crontab: "0 * * * *", queue: mails}\n  b: {task: t, crontab: "0 * * * *"}\n'
    checkout.schedules(hourly)
    checkout.commit()
    checkout.schedules(hourly.replace('"0 *', '"*/30 *', 1))
    more = comment(checkout)
    checkout.schedules(hourly.replace('"0 *', '"30 *', 1) + "  c: {task: t, every: 1h}\n")
    moved = comment(checkout)
    checkout.schedules(hourly.replace("task: t", "task: other"))

    assert "\nLoad: 48 → 72 starts a day\n\n- queue `mails`: 24 → 48 starts a day\n" in more
    assert (
        "\nLoad: about 48 → 72 starts a day, most starts in one minute 2 → 1 (Mon 10:00 UTC, without a queue)"
        " without intervals, whose minutes are not known\n\n- without a queue: about 24 → 48 starts a day\n"
    ) in moved
    assert "Load" not in comment(checkout)


def test_twenty_changes_are_open_and_the_others_folded(checkout: Checkout) -> None:
    def write(queue: str) -> None:
        checkout.schedules("".join(f"  j{n}: {{task: t, every: 1h, queue: {queue}-{n}}}\n" for n in range(30)))

    write("old")
    checkout.commit()
    write("new")
    said = comment(checkout)

    assert len(re.findall(r"^- `j\d+` updated", in_the_open(said), flags=re.MULTILINE)) == 20
    assert "<details><summary>10 more</summary>" in said
    assert len(re.findall(r"^- `j\d+` updated", said, flags=re.MULTILINE)) == 30


def test_one_edit_of_5000_tenants_is_one_that_a_person_can_approve(checkout: Checkout) -> None:
    def write(queue: str) -> None:
        tenants = ", ".join(f"tenant-{number}" for number in range(5000))
        fan = "  sync-{t}: {task: t, every: 1h, queue: %s, for_each: {t: [%s]}}\n"
        checkout.schedules(fan % (queue, tenants))

    write("old")
    checkout.commit()
    write("new")
    said = comment(checkout)

    assert len(in_the_open(said).splitlines()) < 20
    assert said.startswith("### Schedules: 5,000 updated · ")
    assert "- `sync-{t}: 5,000 schedules` updated · `schedules/shop.yaml:3`\n  - queue `old` → `new`\n" in said
    assert len(set(re.findall(r"`sync-tenant-\d+`", said))) == 40
    assert (
        "- and 4,960 more of `sync-{t}: 5,000 schedules`. `--format summary` and `--format json` list all of it" in said
    )
    assert len(set(re.findall(r"`sync-tenant-\d+`", checkout.review("--format", "summary").out))) == 5000


def test_groups_that_cannot_be_told_apart_by_their_title_repeat_the_change(checkout: Checkout) -> None:
    def write(*queues: str) -> None:
        checkout.schedules(
            "".join(f"  {queue}{n}: {{task: t, every: 1h, queue: {value}}}\n"
                    for queue, value in zip("ab", queues, strict=True) for n in range(15))
        )  # fmt: skip

    write("old", "old")
    checkout.commit()
    write("new", "other")
    said = comment(checkout)

    assert "- `15 schedules` updated (`queue old → new`): `a0`, `a1`" in said
    assert "- `15 schedules` updated (`queue old → other`): `b0`, `b1`" in said


def test_long_names_and_hints_are_nowhere_cut(checkout: Checkout) -> None:
    names = [f"{letter * 150}-end" for letter in "abcde"]
    row = "  {}: {{task: t.{}, crontab: '0 2 * * *'{}}}\n"
    checkout.schedules("".join(row.format(name, name[0], "") for name in names))
    checkout.commit()
    checkout.schedules("".join(row.format(name, name[0], ", edit_may_fire: true") for name in names))
    many = comment(checkout)
    checkout.schedules("".join(row.format(f"new-{name}", name[0], "") for name in names[:1]))
    checkout.commit()
    checkout.schedules("".join(row.format(name, name[0], "") for name in names[:1]))
    renamed = comment(checkout)

    assert [name for name in names if name not in many] == []
    assert "<summary>All names</summary>" in many
    assert f"hint: ``write `renamed_from: new-{names[0]}` to keep " in renamed
    assert f"`new-{names[0]}` is deleted and `{names[0]}` is created, and" in renamed
    assert "<summary>All of what is cut</summary>" in renamed


def test_the_most_severe_new_findings_come_first(checkout: Checkout) -> None:
    checkout.schedules("")
    checkout.commit()
    checkout.schedules('  a: {task: t, crontab: "0 2 * * *", timezone: Europe/Berlin}\n', "schedules/a.yaml")
    checkout.schedules('  z: {task: t, crontab: "61 * * * *"}\n', "schedules/z.yaml")
    said = comment(checkout)

    order = re.findall(r"^- \[SS\d+\]\(\S+\) (\w+): ", said, flags=re.MULTILINE)
    assert (order[0], order) == ("error", sorted(order, key=["error", "warning", "info"].index))
    assert len(set(order)) > 1


def test_a_changed_safeguard_that_is_an_error_counts_once(checkout: Checkout) -> None:
    checkout.write('set = "shop"\n', "schedsync.toml")
    checkout.schedules(owned("a", "0 2 * * *"))
    checkout.commit()
    checkout.write('set = "other"\n', "schedsync.toml")
    said, page = comment(checkout), checkout.review("--format", "html").out
    headline = said.splitlines()[0]

    assert ": 1 changed safeguard (1 error); " in headline
    assert "new error" not in headline
    assert "\n**Safeguards**\n" in said
    assert "<h1>Schedules: 1 changed safeguard (1 error); " in page
    assert "<h2>Safeguards</h2>" in page


def test_a_code_links_to_its_page_and_severities_are_counted(checkout: Checkout) -> None:
    checkout.schedules("")
    checkout.commit()
    checkout.schedules('  a: {task: t, crontab: "0 2 * * *", timezone: Europe/Berlin}\n')
    said = comment(checkout)

    assert "**2 new findings: 1 warning, 1 info**" in said
    assert re.search(r"- \[SS201\]\(https://github\.com/schedsync/\S+/rules/SS201\.md\) warning: `", said)
