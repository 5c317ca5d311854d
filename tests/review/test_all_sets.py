"""`review --all`: each set of both sides, also one that is new or removed, and several sets in one document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.review.repository import Checkout

ONE = "  {}: {{task: t, every: 1h}}\n"


@pytest.fixture
def monorepo(checkout: Checkout) -> Checkout:
    """Two sets on the default branch, and a branch."""
    for name in ("shop", "mail"):
        checkout.schedules(ONE.format(f"{name}-job"), f"services/{name}/schedules/jobs.yaml")
        checkout.write(f'set = "{name}"\n', f"services/{name}/schedsync.toml")
    checkout.commit()
    checkout.branch()
    return checkout


def reviewed(checkout: Checkout, *words: str) -> tuple[int, dict[str, Any]]:
    """Review all sets; returns the exit code and the sets of the JSON by their directories."""
    done = checkout.command("review", "--all", *words, "--format", "json")
    return done.code, {one.pop("directory"): one for one in json.loads(done.out)["sets"]}


def names(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["kind"], change["name"]) for each in one["environments"] for change in each["changes"]]


def test_each_set_is_compared_with_itself(monorepo: Checkout) -> None:
    monorepo.schedules(ONE.format("shop-job") + ONE.format("more"), "services/shop/schedules/jobs.yaml")
    code, sets = reviewed(monorepo)
    below = reviewed(monorepo, "--path", "services/mail")[1]
    head = monorepo.commit()

    assert (code, {directory: names(one) for directory, one in sets.items()}) == (
        0, {"services/mail": [], "services/shop": [("create", "more")]},
    )  # fmt: skip
    assert list(below) == ["services/mail"]
    assert names(reviewed(monorepo, "main", head)[1]["services/shop"]) == [("create", "more")]


def test_a_new_set_below_another_is_no_change_of_the_other(monorepo: Checkout) -> None:
    monorepo.write('set = "root"\n', "schedsync.toml")
    monorepo.schedules(ONE.format("root-job"))
    monorepo.commit()
    monorepo.write('set = "new"\n', "services/new/schedsync.toml")
    monorepo.schedules(ONE.format("new-job"), "services/new/schedules/jobs.yaml")
    _, sets = reviewed(monorepo, "HEAD")

    assert {directory: names(one) for directory, one in sets.items()} == {
        ".": [], "services/mail": [], "services/new": [("create", "new-job")], "services/shop": [],
    }  # fmt: skip


def test_a_removed_set_is_named(monorepo: Checkout) -> None:
    monorepo.repository.git.rm("-r", "services/mail")
    code, sets = reviewed(monorepo)
    head = monorepo.commit("remove")
    text = monorepo.command("review", "--all", "main", head)

    (finding,) = sets["services/mail"]["findings"]
    assert (code, finding["code"], finding["new"]) == (0, "SS168", True)
    assert "its rows stay and run" in finding["message"]
    assert "== services/mail ==\n" in text.out
    assert "services/mail/schedsync.toml:1:1: warning  SS168  the configuration is removed" in text.out
    assert monorepo.command("review", "--all", "--strict").code == 1


@pytest.mark.parametrize("format_", ["sarif", "gitlab", "junit", "github", "markdown", "summary"])
def test_a_removed_set_is_in_every_format_at_its_own_file(monorepo: Checkout, format_: str) -> None:
    monorepo.write('[tool.schedsync]\nset = "tool"\n', "services/tool/pyproject.toml")
    monorepo.schedules(ONE.format("tool-job"), "services/tool/schedules/jobs.yaml")
    monorepo.commit()
    monorepo.repository.git.rm("-r", "services/mail", "services/tool")
    done = monorepo.command("review", "--all", "HEAD", "--format", format_)

    assert done.code == 0, done.err
    assert "services/mail/schedsync.toml" in done.out
    assert "services/tool/pyproject.toml" in done.out
    assert "services/tool/schedsync.toml" not in done.out


@pytest.mark.parametrize("format_", ["sarif", "gitlab", "junit", "github", "markdown", "summary"])
def test_the_findings_of_all_sets_are_in_one_document(monorepo: Checkout, format_: str) -> None:
    for name in ("shop", "mail"):
        monorepo.schedules("  bad: {task: t, every: 0s}\n", f"services/{name}/schedules/bad.yaml")
    done = monorepo.command("review", "--all", "--format", format_)

    assert done.code == 1
    assert all(f"services/{name}/schedules/bad.yaml" in done.out for name in ("shop", "mail"))
    if format_ == "sarif":
        (run,) = json.loads(done.out)["runs"]
        assert len(run["results"]) == 2


@pytest.mark.parametrize("format_", ["sarif", "gitlab", "junit", "github"])
def test_a_set_that_cannot_be_reviewed_is_a_failure_at_its_file(monorepo: Checkout, format_: str) -> None:
    monorepo.write('sett = "mail"\n', "services/mail/schedsync.toml")
    done = monorepo.command("review", "--all", "--format", format_)

    assert done.code == 1
    assert "SS179" in done.out
    assert "services/mail/schedsync.toml" in done.out
    assert "did you mean `set`?" in done.out
    if format_ == "junit":
        assert 'failures="1"' in done.out


def test_verbose_names_all_schedules_of_each_set(monorepo: Checkout) -> None:
    for name in ("shop", "mail"):
        many = "".join(ONE.format(f"{name}-{number}") for number in range(30))
        monorepo.schedules(ONE.format(f"{name}-job") + many, f"services/{name}/schedules/jobs.yaml")
    brief, full = (monorepo.command("review", "--all", *words).out for words in ((), ("-v",)))

    assert all(f"{name}-{number}" in full for name in ("shop", "mail") for number in range(30))
    assert "mail-27" not in brief


def test_a_page_is_of_one_set(monorepo: Checkout) -> None:
    done = monorepo.command("review", "--all", "--report", "html=page.html")

    assert (done.code, "`--all` cannot write html" in done.err) == (64, True)


@pytest.mark.parametrize("words", [[], ["HEAD", "HEAD"]])
def test_a_head_with_two_sets_in_one_path_is_refused(monorepo: Checkout, words: list[str]) -> None:
    done = monorepo.command("review", "--path", "services", *words)

    assert (done.code, "`services/mail/schedsync.toml` configures another set" in done.err) == (64, True), done.err


def test_a_base_with_two_sets_in_one_path_can_be_mended(checkout: Checkout) -> None:
    checkout.schedules(ONE.format("a"), "jobs/a.yaml")
    checkout.write('set = "inner"\n', "jobs/inner/schedsync.toml")
    checkout.commit()
    (checkout.root / "jobs/inner/schedsync.toml").unlink()
    done = checkout.command("review", "HEAD", "--path", "jobs")

    assert done.code == 0, done.err


def test_the_markdown_of_many_sets_fits_a_comment_and_names_each(checkout: Checkout) -> None:
    for number in range(12):
        checkout.write(f'set = "s{number}"\n', f"s{number:02}/schedsync.toml")
        checkout.schedules("".join(ONE.format(f"job-{n}") for n in range(400)), f"s{number:02}/schedules/jobs.yaml")
    checkout.schedules(ONE.format("small"), "s05/schedules/jobs.yaml")
    checkout.commit()
    checkout.branch()
    for number in range(12):
        changed = (ONE.format(f"job-{n}").replace("every: 1h", f"every: {n + 2}h") for n in range(4, 400))
        checkout.schedules("".join(changed), f"s{number:02}/schedules/jobs.yaml")
    checkout.schedules(ONE.format("small").replace("every: 1h", "every: 2h"), "s05/schedules/jobs.yaml")
    said = checkout.command("review", "--all", "--format", "markdown").out

    assert 45_000 < len(said) <= 65_000
    assert [line for line in said.splitlines() if line.startswith("## ")] == [f"## `s{n:02}`" for n in range(12)]
    assert said.count("396 to update, 4 to delete") == 11
    assert "`small`" in said
    assert said.count("<details>") == said.count("</details>")
    assert said.count(" schedules more") == 11
    for part in said.split("## `s")[1:]:
        if not part.startswith("05`"):
            assert [n for n in range(4) if f"`job-{n}`" not in part] == []
            assert (
                "left out here, because not everything fits.** `--format summary` and `--format json` list all" in part
            )


def test_an_error_of_a_set_is_code_in_the_markdown_with_its_hint(monorepo: Checkout) -> None:
    monorepo.write('"](x)@team<img src=x>" = 1\nset = "mail"\n', "services/mail/schedsync.toml")
    done = monorepo.command("review", "--all", "--format", "markdown")
    monorepo.write('sett = "mail"\n', "services/mail/schedsync.toml")
    hinted = monorepo.command("review", "--all", "--format", "markdown").out

    assert done.code == 1
    assert "\n    error: services/mail/schedsync.toml: unknown key `](x)@team<img src=x>`\n" in done.out
    assert "\n    hint: did you mean `set`?\n" in hinted
    assert [line for line in done.out.splitlines() if "@team" in line and not line.startswith("    ")] == []


def test_a_pyproject_with_an_error_is_no_removed_set(checkout: Checkout) -> None:
    for name in ("shop", "mail"):
        checkout.schedules(ONE.format(f"{name}-job"), f"{name}/schedules/jobs.yaml")
        checkout.write(f'[tool.schedsync]\nset = "{name}"\n', f"{name}/pyproject.toml")
    checkout.commit()
    checkout.write('name = "x\n[tool.schedsync]\nset = "mail"\n', "mail/pyproject.toml")
    code, sets = reviewed(checkout, "HEAD")

    assert code == 1
    assert sets["mail"]["failure_reason"] == "invalid_configuration"
    assert sets["mail"]["message"].startswith("mail/pyproject.toml: not TOML")
    assert sets["shop"]["failure_reason"] is None


@pytest.mark.parametrize("commits", [False, True])
def test_a_set_whose_directory_moves_is_compared_with_itself(monorepo: Checkout, commits: bool) -> None:
    (monorepo.root / "teams").mkdir()
    monorepo.repository.git.mv("services/mail", "teams/post")
    monorepo.schedules(ONE.format("mail-job") + ONE.format("more"), "teams/post/schedules/jobs.yaml")
    sides = ["main", monorepo.commit("move")] if commits else []
    code, sets = reviewed(monorepo, *sides, "--allow-move")
    refused = reviewed(monorepo, *sides)[1]["teams/post"]["findings"]
    moved = sets["teams/post"]
    (finding,) = (finding for finding in moved["findings"] if finding["code"] == "SS168")

    assert (code, list(sets), names(moved)) == (0, ["services/shop", "teams/post"], [("create", "more")])
    assert "the set is in `teams/post` now, and was in `services/mail`" in finding["message"]
    assert (finding["new"], finding["hint"]) == (True, "after the merge apply it once with `--allow-move`")
    assert [one["location"]["path"] for one in moved["findings"] if one["code"] == "SS168"] == [
        "teams/post/schedsync.toml"
    ]
    assert "SS164" in [finding["code"] for finding in refused]


def test_a_removed_directory_whose_set_may_live_is_not_to_be_emptied(monorepo: Checkout) -> None:
    monorepo.write('set = "mail"\n', "services/shop/schedsync.toml")
    monorepo.commit()
    monorepo.repository.git.rm("-r", "services/mail")
    twin = monorepo.command("review", "--all", "HEAD").out
    monorepo.write("sett = 1\n", "services/shop/schedsync.toml")
    unknown = monorepo.command("review", "--all", "HEAD").out
    monorepo.repository.git.checkout("services/shop")
    below = monorepo.command("review", "--all", "HEAD", "--path", "services/mail").out

    assert "`services/shop` has a set of the same name" in twin
    assert "if the set is in another directory now" in unknown
    assert "if the set is in another directory now" in below
    assert "--allow-empty" not in twin + unknown + below
