"""Changes are shown as one where their values are equal, and each schedule can still be read by its name."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.review.repository import Checkout

TENANTS = ["acme", "globex", "initech", "umbrella", "hooli"]
FORMATS = ("text", "markdown", "html")


def fan(tenants: list[str], *more: str, crontab: str = "H/15 * * * *") -> str:
    values = ", ".join(f'"{tenant}"' for tenant in tenants)
    lines = [
        "sync-{tenant}:",
        "  task: shop.sync",
        f'  crontab: "{crontab}"',
        f"  for_each: {{tenant: [{values}]}}",
        '  kwargs: {tenant: "{tenant}"}',
        *(f"  {line}" for line in more),
    ]
    return "".join(f"  {line}\n" for line in lines)


def names_in(said: str, names: list[str]) -> list[str]:
    return [name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said)]


def in_the_open(markdown: str) -> str:
    """Return Markdown without its foldouts."""
    return re.sub(r"<details>.*?</details>", "", markdown, flags=re.DOTALL)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_harmless_neighbour_hides_no_change(checkout: Checkout, format_: str) -> None:
    """Four changes have the same fields; one of them has other values."""

    def family(last: str) -> str:
        members = "".join(f"  s{number}: {{<<: *common}}\n" for number in range(4))
        return (
            "version: 1\nx-common: &common {task: t.report, queue: mails, every: 1h, kwargs: {erase: true}}\n"
            f"schedules:\n{members}  last: {last}\n"
        )

    before = "{task: t.rehearse, queue: vault, every: 1h, kwargs: {erase: false}}"
    checkout.write(family(before).replace("t.report, queue: mails", "t.old, queue: old"))
    checkout.commit()
    checkout.write(family("{<<: *common}"))
    said = checkout.review("--format", format_).out

    for value in ("t.rehearse", "vault", "false"):
        assert value in said
    assert names_in(said, ["s0", "s1", "s2", "s3", "last"]) == ["s0", "s1", "s2", "s3", "last"]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_member_of_a_for_each_with_another_past_is_shown_apart(checkout: Checkout, format_: str) -> None:
    names = [f"sync-{tenant}" for tenant in TENANTS]
    apart = '  sync-acme: {task: t.rehearse, queue: vault, crontab: "0 5 * * *", kwargs: {erase: false}}\n'
    checkout.schedules(fan(TENANTS[1:], "queue: old", crontab="0 5 * * *").replace("shop.sync", "shop.old") + apart)
    checkout.commit()
    checkout.schedules(fan(TENANTS, "queue: new", crontab="0 5 * * *"))
    said = checkout.review("--format", format_).out

    for value in ("t.rehearse", "vault", "erase", "shop.old"):
        assert value in said
    assert names_in(said, names) == names


@pytest.mark.parametrize("format_", FORMATS)
def test_each_removed_tenant_is_named_in_the_open(checkout: Checkout, format_: str) -> None:
    checkout.schedules(fan([*TENANTS, "stays"]) + "  other: {task: t, every: 1h}\n")
    checkout.commit()
    checkout.schedules(fan(["stays"]) + "  other: {task: t, every: 1h}\n")
    names = [f"sync-{tenant}" for tenant in TENANTS]
    said = checkout.review("--allow-stops", "9", "--format", format_).out
    shown = re.sub(r"<details.*?</details>", "", said, flags=re.DOTALL)

    assert names_in(shown, names) == names
    assert "sync-{tenant}: 5 schedules" in shown


def test_hashed_timings_are_shown_as_they_are_written_with_each_minute(checkout: Checkout) -> None:
    tenants = [f"t{number:03}" for number in range(102)]
    checkout.schedules("")
    checkout.commit()
    checkout.schedules(fan(tenants))
    text, markdown, page = (checkout.review("--format", format_).out for format_ in FORMATS)
    verbose = checkout.review("--verbose").out
    timings = {
        one["fields"][1]["after"]["crontab"]: one["name"] for one in checkout.json()["environments"][0]["changes"]
    }

    assert len(timings) == 15
    for said in (text, markdown, page):
        assert "sync-{tenant}: 102 schedules" in said
        assert "H/15 * * * * UTC" in said
        assert "between Mon 23 Nov 10:01 UTC and Mon 23 Nov 10:15 UTC" in said
    for minutes, name in timings.items():
        assert re.search(rf"`{re.escape(minutes)} UTC`: [^;|]*`{name}`", markdown)
        for said in (page, verbose):
            assert re.search(rf"{name}\W.{{0,40}}?{re.escape(minutes)}", said)
    assert "sync-t019" in text
    assert "and 82 more (`--verbose` names all)" in text


def test_groups_do_not_depend_on_the_clock(checkout: Checkout, clock: Any) -> None:
    checkout.schedules(fan(TENANTS, crontab="H * * * *") + fan(["a", "b", "c", "d"]).replace("sync", "more"))
    checkout.commit()
    checkout.schedules(fan(TENANTS, crontab="H H * * *") + fan(["a", "b", "c", "d"]).replace("sync", "more"))
    titles = set()
    for _ in range(24):
        said = checkout.review("--format", "markdown").out
        titles.add(tuple(re.findall(r"^- (`[^`]+`) \w+ · ", said, flags=re.MULTILINE)))
        clock.shift(timedelta(minutes=67))

    assert titles == {("`sync-{tenant}: 5 schedules`",)}


def anchored(crontab: str, count: int = 34) -> str:
    half = "".join(f"  job-{number}: {{<<: *common, task: t.job{number}}}\n" for number in range(count))
    return f'version: 1\nx-common: &common {{crontab: "{crontab}"}}\nschedules:\n{half}'


@pytest.mark.parametrize("format_", FORMATS)
def test_one_edit_of_an_anchor_is_one_change(checkout: Checkout, format_: str) -> None:
    checkout.write(anchored("0 1 * * *"))
    checkout.commit()
    checkout.write(anchored("0 2 * * *"))
    said = checkout.review("--format", format_, "--verbose").out
    names = [f"job-{number}" for number in range(34)]

    moved = "daily 01:00 → daily 02:00   (0 1 * * * → 0 2 * * *)" if format_ == "text" else "0 1 * * * UTC"
    assert said.count(moved) == 1
    assert "34 schedules" in said
    assert names_in(said, names) == names


def test_one_edit_of_the_defaults_is_one_change_across_files_and_definitions(checkout: Checkout) -> None:
    def write(queue: str) -> None:
        head = f"version: 1\ndefaults: {{queue: {queue}}}\nschedules:\n"
        plain = "".join(f"  p{number}: {{task: t.p{number}, every: 1h}}\n" for number in range(3))
        checkout.write(head + fan(TENANTS), "schedules/a.yaml")
        checkout.write(head + fan(["x", "y"]).replace("sync", "other") + plain, "schedules/b.yaml")

    write("old")
    checkout.commit()
    write("new")
    said = checkout.review("--format", "markdown").out

    assert said.count("`old` → `new`") == 1
    assert "10 schedules" in said


def test_one_change_is_shown_once_for_all_environments_that_have_it(checkout: Checkout) -> None:
    checkout.write('environments = ["test", "staging", "production"]\n', "schedsync.toml")
    only = "  gone: {task: t.gone, every: 1h, only_in: [production]}\n"
    checkout.schedules(fan(TENANTS) + only)
    checkout.commit()
    checkout.schedules(fan(TENANTS, "queue: new", "environments: {test: {queue: other}}"))
    text, markdown, page = (checkout.review("--format", format_).out for format_ in FORMATS)

    for said in (text, markdown, page):
        assert len(re.findall("sync-{tenant}: 5 schedules", said)) == 2
    assert "~ sync-{tenant}: 5 schedules  in staging, production" in text
    assert "- `gone` deleted · `production` · " in markdown
    assert re.search(
        r"- `sync-\{tenant\}: 5 schedules` updated · `staging`, `production` · .*\n  - `sync-acme`, ", markdown
    )


def test_only_who_fires_at_once_is_named_in_the_open(checkout: Checkout) -> None:
    tenants = [f"t{number:02}" for number in range(40)]
    checkout.schedules(fan(tenants, "edit_may_fire: true", crontab="0 23 * * *"))
    checkout.commit()
    checkout.schedules(fan(tenants, "edit_may_fire: true", crontab="H 9 * * *"))
    said = checkout.review("--format", "markdown").out
    firing = [
        one["name"]
        for one in checkout.json()["environments"][0]["changes"]
        if any(each["code"] == "fires_at_once" for each in one["consequences"])
    ]

    assert firing
    assert set(firing) <= set(names_in(in_the_open(said), [f"sync-{tenant}" for tenant in tenants]))
    assert names_in(said, [f"sync-{tenant}" for tenant in tenants]) == [f"sync-{tenant}" for tenant in tenants]


def test_a_value_is_put_back_as_its_placeholder(checkout: Checkout) -> None:
    shards = (
        '  shard-{n}: {task: t, every: 1h, for_each: {n: [1, 2, 3, 4, 5]}, kwargs: {n: "{n}", at: "db{n}", days: %s}}\n'
    )
    checkout.schedules(shards % 9)
    checkout.commit()
    checkout.schedules(shards % 8)
    said = checkout.review("--format", "markdown").out

    assert "`shard-{n}: 5 schedules`" in said
    assert '`{"at": "db{n}", "days": 9, "n": {n}}` → `{"at": "db{n}", "days": 8, "n": {n}}`' in said


def test_text_that_looks_like_a_placeholder_is_no_placeholder(checkout: Checkout) -> None:
    checkout.schedules("")
    checkout.commit()
    literal = "".join(f'  sync-{name}: {{task: t, every: 1h, args: ["{{t}}"]}}\n' for name in "wxyz")
    filled = '  sync-{t}: {task: t, every: 1h, args: ["{t}"], for_each: {t: [aa, bb, cc, dd]}}\n'
    checkout.schedules(literal + filled)
    said = checkout.review("--format", "markdown").out

    assert said.count("4 schedules") == 2


def test_a_change_far_behind_in_a_long_value_is_shown(checkout: Checkout) -> None:
    long = '  a: {task: t, every: 1h, kwargs: {x: "%s %s %s"}}\n'
    checkout.schedules(long % ("a" * 400, "before", "b" * 400))
    checkout.commit()
    checkout.schedules(long % ("a" * 400, "behind", "b" * 400))
    for format_ in FORMATS:
        said = checkout.review("--format", format_).out

        assert "before" in said
        assert "behind" in said


def test_changes_of_values_with_secrets_show_no_secret(checkout: Checkout) -> None:
    secret = "xoxb-{tenant}-abcdefghijkl"
    checkout.schedules(fan(TENANTS))
    checkout.commit()
    checkout.schedules(fan(TENANTS, f'headers: {{plain: "{secret}", token: "{{tenant}}-hidden"}}'))
    for format_ in FORMATS:
        said = checkout.review("--format", format_).out

        assert "abcdefghijkl" not in said
        assert "-hidden" not in said
        assert "***" in said


def test_the_owners_of_equal_changes_are_named_and_escaped(checkout: Checkout) -> None:
    owned = "".join(f'  s{n}: {{task: t, every: 1h, queue: %s, owner: "team-{n}\\e[31m"}}\n' for n in range(7))
    checkout.schedules(owned % (("old",) * 7))
    checkout.commit()
    checkout.schedules(owned % (("new",) * 7))
    for format_ in ("text", "html"):
        said = checkout.review("--format", format_).out

        assert "\x1b" not in said
        assert "owners team-0" in said
        assert "and 2 more" in said
