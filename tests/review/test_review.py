"""Two commits of a real repository: a review says exactly what changed, what follows from it, and what is wrong."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import git
import pytest

from schedsync.core.sources import Sources
from schedsync.files.bounds import TextBudget
from schedsync.files.discover import SourceFile
from schedsync.files.one_file import ReadFile, read_file
from schedsync.schemas.validator import REVIEW, problems
from tests.review.repository import Checkout, changes, codes

BEFORE = """\
  nightly: {task: shop.tasks.nightly, crontab: "0 2 * * *", queue: reports}
  old: {task: shop.tasks.old, crontab: "0 5 * * *"}
  digest: {task: shop.tasks.digest, every: 1h}
  stays: {task: shop.tasks.stays, crontab: "*/15 * * * *", kwargs: {a: 1, b: 2}}
"""
AFTER = """\
  weekly-digest: {task: shop.tasks.digest, every: 1h, renamed_from: digest}
  fresh: {task: shop.tasks.fresh, every: 1d}
  nightly: {task: shop.tasks.nightly, queue: mails, crontab: "*/2 * * * *"}
"""
MOVED = """\
  stays: {kwargs: {b: 2, a: 1}, crontab: "0,15,30,45 * * * *", task: shop.tasks.stays}
"""
WANTED = [
    ("delete", "old", {
        "task": ("shop.tasks.old", None), "timing": ({"crontab": "0 5 * * *", "timezone": "UTC"}, None)}),
    ("create", "fresh", {"task": (None, "shop.tasks.fresh"), "timing": (None, {"every": "1d"})}),
    ("update", "nightly", {
        "timing": ({"crontab": "0 2 * * *", "timezone": "UTC"}, {"crontab": "*/2 * * * *", "timezone": "UTC"}),
        "queue": ("reports", "mails")}),
    ("rename", "weekly-digest", {"name": ("digest", "weekly-digest")}),
]  # fmt: skip


@pytest.fixture
def changed(checkout: Checkout) -> Checkout:
    """A branch that adds, changes, removes, renames and moves schedules."""
    checkout.write('set = "shop"\n', "schedsync.toml")
    checkout.schedules(BEFORE)
    checkout.commit("before")
    checkout.branch()
    checkout.schedules(AFTER)
    checkout.schedules(MOVED, "schedules/team/stays.yml")
    checkout.commit("after")
    return checkout


@pytest.mark.parametrize("words", [(), ("main",), ("main", "feature"), ("HEAD~1", "HEAD")])
def test_it_says_what_changed_by_schedule(changed: Checkout, words: tuple[str, ...]) -> None:
    said = changed.json(*words)

    assert list(problems(said, REVIEW)) == []
    assert changes(said) == WANTED
    assert said["base"] == changed.repository.commit("main").hexsha
    assert said["head"] == (changed.repository.commit("feature").hexsha if len(words) == 2 else None)
    assert said["environments"][0]["summary"] == {
        "create": 1, "update": 1, "delete": 1, "rename": 1, "adopt": 0, "release": 0,
        "unchanged": 1, "completed": 0, "held": 0, "drifted": 0,
    }  # fmt: skip


def test_it_says_what_follows(changed: Checkout) -> None:
    follows = {
        one["name"]: [consequence["message"] for consequence in one["consequences"]]
        for one in changed.json()["environments"][0]["changes"]
    }

    assert follows == {
        "old": ["stops; its next run at Tue 24 Nov 05:00 UTC will not happen"],
        "fresh": ["first run at Tue 24 Nov 10:00 UTC", "runs once a day"],
        "nightly": [
            "next run moves from Tue 24 Nov 02:00 to Mon 23 Nov 10:02 UTC",
            "does not catch up on the run that it has missed (`edit_may_fire: false`)",
            "runs 720 times as often: 720 times a day instead of once a day (SS222)",
        ],
        "weekly-digest": [],
    }


def test_an_interval_has_no_run_that_only_a_review_has_counted(checkout: Checkout) -> None:
    checkout.schedules("  gone: {task: t, every: 1h}\n  slower: {task: t, every: 1h}\n")
    checkout.commit("before")
    checkout.branch()
    checkout.schedules("  slower: {task: t, every: 2h}\n")
    checkout.commit("after")
    follows = {
        one["name"]: [consequence["message"] for consequence in one["consequences"]]
        for one in checkout.json()["environments"][0]["changes"]
    }

    assert follows == {"gone": ["stops"], "slower": ["runs 12 times a day instead of 24"]}


@pytest.mark.parametrize(
    ("format_", "wanted"),
    [
        (
            "text",
            ["- old", "+ fresh", "~ nightly", "> digest → weekly-digest", "1 → 720 a day, 720 times as often"],
        ),
        ("markdown", ["- `old` deleted", "- `fresh` created", "`0 2 * * * UTC` → `*/2 * * * * UTC`"]),
        ("html", ["digest → weekly-digest", "720 times a day instead of once a day", "<svg", "Before"]),
    ],
)
def test_every_rendering_says_it(changed: Checkout, format_: str, wanted: list[str]) -> None:
    done = changed.review("--format", format_)

    assert done.code == 0
    assert [one for one in wanted if one not in done.out] == []
    assert "stays" not in done.out


def test_nothing_moves_when_nothing_that_runs_is_changed(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.schedules("")
    checkout.write(
        "# a comment\nversion: 1\nschedules:\n" + "".join(reversed(BEFORE.splitlines(keepends=True))),
        "schedules/b.yaml",
    )
    said = checkout.json()

    assert changes(said) == []
    assert codes(said) == []


def test_the_work_tree_is_looked_at_with_what_is_not_committed(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.schedules("  more: {task: t, every: 1h}\n", "schedules/untracked.yaml")

    assert [one[:2] for one in changes(checkout.json())] == [("create", "more")]
    assert changes(checkout.json("HEAD", "HEAD")) == []


def test_it_neither_touches_the_work_tree_nor_needs_it(changed: Checkout) -> None:
    changed.repository.git.checkout("main")
    before = {path: path.stat().st_mtime_ns for path in changed.root.rglob("*") if ".git" not in path.parts}
    said = changed.json("main", "feature")

    assert changes(said) == WANTED
    assert {path: path.stat().st_mtime_ns for path in changed.root.rglob("*") if ".git" not in path.parts} == before
    assert changed.repository.git.status("--porcelain") == ""


def test_a_base_without_the_directory_makes_everything_new(checkout: Checkout) -> None:
    checkout.write("x", "README")
    checkout.commit()
    checkout.branch()
    checkout.schedules(BEFORE)

    assert [one[0] for one in changes(checkout.json())] == ["create"] * 4


def test_the_configuration_is_that_of_each_revision(checkout: Checkout) -> None:
    checkout.write('paths = ["old"]\n', "schedsync.toml")
    checkout.schedules(BEFORE, "old/a.yaml")
    checkout.commit()
    checkout.branch()
    checkout.repository.git.mv("old", "new")
    checkout.write('paths = ["n*"]\n', "schedsync.toml")
    checkout.commit()
    said = checkout.json("main", "HEAD")

    assert changes(said) == []
    assert [one["code"] for one in said["environments"][0]["refusals"]] == ["moved_set"]
    assert {one["location"]["path"] for one in (*said["findings"], *checkout.json("main")["findings"])} == {
        "schedsync.toml"
    }
    assert changed_code(checkout, "--allow-move") == 0


def changed_code(checkout: Checkout, *words: str) -> int:
    return checkout.review("main", "HEAD", *words).code


def test_findings_that_were_there_before_are_not_new(checkout: Checkout) -> None:
    checkout.schedules('  a: {task: t, crontab: "*/7 * * * *"}\n  b: {task: t, crontab: "*/7 1 * * *"}\n')
    checkout.commit()
    checkout.branch()
    checkout.schedules(
        '  a: {task: t, crontab: "*/7 * * * *"}\n  c: {task: t, crontab: "*/7 2 * * *"}\n', "schedules/other.yaml"
    )
    checkout.schedules('\n\n  b: {crontab: "*/7 1 * * *", task: t, queue: q}\n')
    said = checkout.json()

    assert [(one["location"]["line"], one["new"]) for one in said["findings"]] == [(3, False), (4, True), (5, False)]
    assert (checkout.review().code, checkout.review("--strict").code) == (0, 1)


def test_errors_of_the_head_fail_and_those_of_the_base_do_not(checkout: Checkout) -> None:
    checkout.schedules('  a: {task: t, crontab: "61 * * * *"}\n  b: {task: t, every: 1h}\n')
    checkout.commit()
    checkout.branch()
    checkout.schedules('  a: {task: t, crontab: "1 * * * *"}\n  b: {task: t, every: 1h}\n')
    mended = checkout.review()
    checkout.schedules('  a: {task: t, crontab: "61 * * * *"}\n')
    broken = checkout.json()

    assert mended.code == 0
    assert codes(broken, new=False) == ["SS131"]
    assert checkout.review().code == 1


def test_a_delete_and_a_create_that_are_alike_look_like_a_rename(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.schedules(BEFORE.replace("digest:", "weekly:", 1))
    said = checkout.json()

    assert codes(said) == ["SS163"]
    assert said["findings"][0]["hint"] == ("write `renamed_from: digest` to keep its row, its history and its last run")


def test_a_refusal_that_the_merge_would_meet_is_foretold(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.schedules(BEFORE.splitlines()[0] + "\n")
    done = checkout.review()
    said = checkout.json()
    lifted = checkout.review("--allow-stops", "3")

    assert (done.code, codes(said)) == (1, ["SS164"])
    assert said["findings"][0]["message"].startswith("an apply would be refused: 3 schedules would stop")
    assert "REFUSED  an apply would write nothing" in done.out
    assert said["findings"][0]["location"] == {"path": "schedules/shop.yaml", "line": 1, "column": 1}
    assert lifted.code == 0


ENVIRONMENTS = """\
  a: {task: t, every: 1h, environments: {production: {every: %s}}}
  b: {task: t, every: 2h, only_in: [production]}
"""


def test_environments_are_told_apart_and_together_where_they_agree(checkout: Checkout) -> None:
    checkout.write('environments = ["test", "staging", "production"]\n', "schedsync.toml")
    checkout.schedules(ENVIRONMENTS % "5m")
    checkout.commit()
    checkout.schedules(ENVIRONMENTS % "10m" + "  c: {task: c, every: 1d}\n")
    said = checkout.json()
    text = checkout.review().out

    assert [one["environment"] for one in said["environments"]] == ["test", "staging", "production"]
    assert [[one[:2] for one in changes(said, number)] for number in (0, 2)] == [
        [("create", "c")], [("update", "a"), ("create", "c")],
    ]  # fmt: skip
    assert "In test, staging: +1 create  1 unchanged\n" in text
    assert "In production: +1 create  ~1 update  1 unchanged\n" in text
    assert [one["environment"] for one in checkout.json("-e", "staging")["environments"]] == ["staging"]
    assert checkout.review("-e", "stagign").code == 64


def test_a_file_of_values_is_read_from_its_revision(checkout: Checkout) -> None:
    checkout.schedules('  "sync-{t}": {task: t, every: 1h, args: ["{t}"], for_each: {t: {file: tenants.txt}}}\n')
    checkout.write("acme\nglobex\n", "schedules/tenants.txt")
    checkout.commit()
    checkout.branch()
    checkout.write("acme\ninitech\n", "schedules/tenants.txt")
    tree = changes(checkout.json())
    checkout.commit()

    assert [one[:2] for one in tree] == [("delete", "sync-globex"), ("create", "sync-initech")]
    assert changes(checkout.json("main", "feature")) == tree
    assert changes(checkout.json("main", "feature")) == tree


def test_one_of_many_is_found_to_collide(checkout: Checkout) -> None:
    full = "".join(f'  full-{n}: {{task: t, crontab: "0 * * * *", args: [{n}]}}\n' for n in range(11))
    checkout.schedules(full)
    checkout.commit()
    checkout.schedules(full + '  more: {task: more, crontab: "0 2 * * *"}\n')
    said = checkout.json()["environments"][0]["changes"][0]["consequences"]

    assert said[-1] == {
        "code": "collides",
        "message": "starts together with 11 others at Tue 24 Nov 02:00 UTC",
        "at": "2026-11-24T02:00:00Z",
    }


def test_a_shallow_clone_says_what_to_fetch(changed: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed.repository.git.checkout("main")
    uri = changed.root.as_uri()
    with git.Repo.clone_from(uri, tmp_path / "shallow", depth=1, branch="feature", single_branch=True):
        monkeypatch.chdir(tmp_path / "shallow")
        nowhere = changed.review()
        unknown = changed.review("main")
    with git.Repo.clone_from(uri, tmp_path / "both", depth=1, branch="feature", no_single_branch=True):
        monkeypatch.chdir(tmp_path / "both")
        unrelated = changed.review()
        given = changed.json("origin/main")

    assert (nowhere.code, "no default branch to compare with" in nowhere.err) == (64, True)
    assert (unknown.code, "fetch it with `git fetch --depth=1" in unknown.err) == (64, True)
    assert (unrelated.code, "git fetch --unshallow" in unrelated.err) == (64, True)
    assert changes(given) == WANTED


def test_a_detached_head_and_the_forge_s_target(changed: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    feature = changed.repository.commit("feature").hexsha
    changed.repository.git.checkout(feature)
    detached = changed.json()
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", feature)
    target = changed.json()

    assert changes(detached) == WANTED
    assert (changes(target), target["base"]) == ([], feature)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "no commit `nowhere`"),
        (("--", "--upload-pack=touch x"), "`--upload-pack=touch x` is not a valid name of a revision"),
        (("--", "-h"), "`-h` is not a valid name of a revision"),
        (("a b",), "`a b` is not a valid name of a revision"),
        (("HEAD:schedules",), "no commit `HEAD:schedules`"),
        (("--adopt", "x"), "`--adopt` needs `--against`"),
        (("--path", "../.."), "is not in a Git repository"),
    ],
)
def test_wrong_usage_is_64(changed: Checkout, words: tuple[str, ...], message: str) -> None:
    done = changed.review(*words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_outside_of_a_repository_it_says_so(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "is not in a Git repository" in checkout.review().err


def test_a_review_keeps_no_cache_and_says_so_where_one_is_asked_for(
    changed: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SCHEDSYNC_CACHE_DIR", str(tmp_path / "cache"))
    plain = changed.review("--format", "json")
    told = changed.review("--format", "json", "--no-cache")

    assert told.out == plain.out
    assert told.err == "warning: `--no-cache` has no effect any more: a review keeps no cache\n"
    assert not (tmp_path / "cache").exists()


def test_a_file_that_is_the_same_on_both_sides_is_read_once(changed: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noting(file: SourceFile, environments: Collection[str], budget: TextBudget, sources: Sources) -> ReadFile:
        read.append(file.path)
        return read_file(file, environments, budget, sources)

    changed.schedules("  c: {task: t, every: 5m}\n", "schedules/same.yaml")
    changed.commit()
    monkeypatch.setattr("schedsync.review.side.read_file", noting)
    changed.schedules("  d: {task: t, every: 5m}\n", "schedules/new.yaml")
    changed.review("HEAD")

    assert read.count("schedules/same.yaml") == 1
    assert read.count("schedules/new.yaml") == 1


def test_a_file_with_errors_loses_nothing(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    for broken in (BEFORE.replace("every: 1h", "every: 1x"), BEFORE + "  x: [\n"):
        checkout.schedules(broken)
        said = checkout.json()

        assert changes(said) == []
        assert said["environments"][0]["refusals"] == []
        assert "SS167" in codes(said)


def test_a_base_with_errors_is_said_to_be_unknown(checkout: Checkout) -> None:
    checkout.schedules(BEFORE + "  x: [\n")
    checkout.commit()
    checkout.schedules(BEFORE)
    said = checkout.json()

    assert changes(said) == []
    assert [one["message"] for one in said["findings"] if one["code"] == "SS167"] == [
        "4 of its schedules cannot be compared: the file has errors before the change"
    ]


FORMATS = ("text", "markdown", "summary", "html")


@pytest.mark.parametrize("config", ["", 'environments = ["x", "y"]\n'])
def test_what_a_base_with_errors_hides_is_never_green(checkout: Checkout, config: str) -> None:
    checkout.write(config, "schedsync.toml")
    checkout.schedules("  a: {task: t, every: 1h}\n  b: {task: t2, evry: 1h}\n")
    checkout.commit()
    checkout.schedules("  a: {task: t, every: 1h}\n  b: {task: t2, every: 1h}\n  c: {task: t3, every: 1h}\n")
    done = {format_: checkout.review("--format", format_) for format_ in (*FORMATS, "github", "sarif", "junit")}

    assert {one.code for one in done.values()} == {0}
    for one in done.values():
        assert "2 of its schedules cannot be compared: the file has errors before the change" in one.out
    for format_ in FORMATS:
        assert "Nothing that runs is changed" not in done[format_].out
        assert "no changes" not in done[format_].out
    for format_ in ("text", "html", *(() if config else ("markdown", "summary"))):
        counts = "no known changes  1 unchanged" if format_ == "text" else "no known changes; 1 unchanged"
        assert f"{counts}; 2 schedules not compared" in done[format_].out
    if config:
        assert "| `x` | 0 | 1 | 2 |" in done["markdown"].out


def test_a_base_with_errors_that_loses_a_schedule_is_never_green(checkout: Checkout) -> None:
    checkout.schedules("  a: {task: t, every: 1h}\n  b: {task: t2, evry: 1h}\n")
    checkout.commit("broken")
    checkout.branch()
    checkout.schedules("  other: {task: o, every: 1h}\n", "schedules/other.yaml")
    checkout.commit("beside it")
    beside = checkout.json("main")
    checkout.schedules("  a: {task: t, every: 1h}\n")
    checkout.schedules("", "schedules/other.yaml")

    assert "SS167" not in codes(beside)
    for format_ in FORMATS:
        said = checkout.review("main", "--format", format_).out
        assert "what it lost or gained is not known: the file has errors before the change" in said
        assert "1 file not compared" in said
        assert "Nothing that runs is changed" not in said


@pytest.mark.parametrize("format_", FORMATS)
def test_a_review_that_fails_for_an_old_error_shows_it(checkout: Checkout, format_: str) -> None:
    checkout.schedules("  a: {task: t, evry: 1h}\n", "schedules/old.yaml")
    checkout.schedules("  b: {task: t, every: 1h}\n")
    checkout.commit()
    checkout.schedules("  b: {task: t, every: 2h}\n")
    done = checkout.review("--format", format_)

    assert done.code == 1
    assert "evry" in done.out
    assert "old.yaml" in done.out


def test_what_the_configuration_changes_is_said(checkout: Checkout) -> None:
    checkout.write('environments = ["x", "y"]\n', "schedsync.toml")
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.write('set = "other"\nenvironments = ["x", "z"]\n[safety]\nmax_stop_percent = 100\n', "schedsync.toml")
    said = checkout.json()

    assert [(one["severity"], one["message"]) for one in said["findings"] if one["code"] == "SS168"] == [
        ("warning", "`max_stop_percent` changes from 30 to 100 % of the schedules that one apply may stop"),
        ("warning", "environment `y` is removed"),
        ("warning", "environment `z` is new"),
        ("error", "the set is `other` now: set `default` manages what it applied, and an apply would be refused"),
    ]
    assert changes(checkout.json()) == []


def test_environments_that_come_are_foretold_to_be_refused(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.write('environments = ["x"]\n', "schedsync.toml")

    assert [one["code"] for one in checkout.json()["environments"][0]["refusals"]] == ["other_environment"]
    assert checkout.review("--allow-move").code == 0


def test_environments_of_either_side_are_remembered_apart(checkout: Checkout) -> None:
    checkout.write('environments = ["a"]\n', "schedsync.toml")
    checkout.schedules("  s: {task: t, every: 5m, environments: {a: {every: 6m}}}\n")
    checkout.commit()
    checkout.branch()
    checkout.write('environments = ["a", "b"]\n', "schedsync.toml")
    checkout.schedules("  s: {task: t, every: 5m, environments: {b: {every: 7m}}}\n")
    first = checkout.json()

    assert first == checkout.json()
    assert [one[2]["timing"][1] for number in (0, 1) for one in changes(first, number)] == [
        {"every": "5m"}, {"every": "7m"},
    ]  # fmt: skip


def test_fewer_of_a_herd_are_no_new_herd(checkout: Checkout) -> None:
    checkout.write("[lint]\nmax_starts = 3\n", "schedsync.toml")
    herd = "".join(f'  n{n}: {{task: t, crontab: "0 0 * * *", args: [{n}]}}\n' for n in range(6))
    checkout.schedules(herd)
    checkout.commit()
    checkout.schedules("".join(herd.splitlines(keepends=True)[:-1]))

    assert [(one["code"], one["new"]) for one in checkout.json()["findings"]] == [("SS206", False)]


def _herd(*names: str) -> str:
    return "".join(f'  {name}: {{task: t, crontab: "0 0 * * *", args: [{name}]}}\n' for name in names)


@pytest.mark.parametrize(
    ("file", "names", "new"),
    [
        ("a", "abcdef", False),
        ("moved/z", "abcdef", False),
        ("moved/z", "bcdef", False),
        ("moved/z", "xbcdef", False),
        ("moved/z", "", False),
        ("a", "abcdefghijkl", False),
    ],
)
def test_a_herd_is_not_new_where_its_file_moves_or_its_first_schedule_goes(
    checkout: Checkout, file: str, names: str, new: bool
) -> None:
    checkout.write("[lint]\nmax_starts = 3\n", "schedsync.toml")
    checkout.schedules(_herd(*"abcdef"), "schedules/a.yaml")
    checkout.schedules(_herd(*"opqrst"), "schedules/o.yaml")
    checkout.commit()
    checkout.repository.git.rm("schedules/a.yaml")
    checkout.schedules(_herd(*names), f"schedules/{file}.yaml")
    said = checkout.json()

    assert [(one["code"], one["new"]) for one in said["findings"] if one["code"] == "SS206"] == [("SS206", new)]


def test_of_two_herds_in_the_place_of_one_one_is_new(checkout: Checkout) -> None:
    checkout.write("[lint]\nmax_starts = 3\n", "schedsync.toml")
    checkout.schedules(_herd(*"abcdef"), "schedules/a.yaml")
    checkout.schedules(_herd(*"opqrst"), "schedules/o.yaml")
    checkout.commit()
    checkout.schedules(_herd(*"abcdef").replace("0 0 * * *", "0 3 * * *"), "schedules/a.yaml")
    said = checkout.json()

    assert sorted((one["code"], one["new"]) for one in said["findings"]) == [("SS206", False), ("SS206", True)]


def test_the_directory_that_is_gone_is_the_same_on_both_ways(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.branch()
    checkout.repository.git.rm("-r", "schedules")
    tree = checkout.json("main")
    checkout.commit()

    assert [one[0] for one in changes(tree)] == ["delete"] * 4
    assert changes(checkout.json("main", "feature")) == changes(tree)
    assert checkout.review("feature", "feature").code == 64


def test_without_a_commit_it_says_so(checkout: Checkout) -> None:
    checkout.schedules(BEFORE)
    done = checkout.review()

    assert (done.code, "the repository has no commit yet" in done.err) == (64, True)


def test_taking_a_row_from_another_set_is_an_alarm(checkout: Checkout) -> None:
    checkout.schedules("  a: {task: t, every: 1h}\n  b: {task: t, every: 1h}\n")
    checkout.commit("before")
    checkout.branch()
    checkout.schedules("  a: {task: t, every: 1h, adopt: {from: billing}}\n  b: {task: t, every: 1h, adopt: true}\n")
    checkout.commit("after")
    said = checkout.json()
    found = [finding for finding in said["findings"] if finding["code"] == "SS176"]

    assert list(problems(said, REVIEW)) == []
    assert [(finding["severity"], finding["new"], finding["message"].split(",")[0]) for finding in found] == [
        ("warning", True, "`a` is taken over from set `billing`")
    ]


def entry(until: str, limit: int = 9) -> str:
    return f"[[safety.allow]]\nrule = 'too_many_stops'\nlimit = {limit}\nuntil = {until}\nreason = 'the shop closes'\n"


def test_a_refusal_that_the_configuration_lifts_is_shown_as_a_change(checkout: Checkout) -> None:
    checkout.write(entry("2000-01-01", 1) + entry("9990-01-01", 2), "schedsync.toml")
    checkout.schedules(BEFORE)
    checkout.commit()
    checkout.write("[safety]\nminimum_period = '1m'\nallowed_tasks = []\n" + entry("9990-01-01", 3), "schedsync.toml")
    said, end = checkout.json(), "until Tue 2 Jan 9990 00:00 UTC: the shop closes"

    assert [(one["severity"], one["message"]) for one in said["findings"] if one["code"] == "SS168"] == [
        ("warning", "`[safety] allowed_tasks` changes from no limit to nothing"),
        ("warning", "`[safety] minimum_period` changes from no limit to `1m`"),
        ("warning", f"an entry of `[[safety.allow]]` is new, it lifts `too_many_stops` up to 3 {end}"),
        ("warning", f"an entry of `[[safety.allow]]` is removed, it lifted `too_many_stops` up to 2 {end}"),
    ]
    assert changes(said) == []


def test_a_review_says_which_refusal_the_configuration_lifts(checkout: Checkout) -> None:
    checkout.schedules("  a: {task: t, every: 5m}\n  b: {task: t, every: 6m}\n  c: {task: t, every: 7m}\n")
    checkout.commit()
    checkout.schedules("  c: {task: t, every: 7m}\n")
    refused = codes(checkout.json())
    checkout.write(entry("9990-01-01", 2), "schedsync.toml")

    assert refused == ["SS164"]
    assert codes(checkout.json()) == ["SS168", "SS170"]
    assert "; 1 changed safeguard ·" in checkout.review("--format", "markdown").out.splitlines()[0]
    assert checkout.review().code == 0


def test_only_what_a_change_writes_is_refused_by_a_control(checkout: Checkout) -> None:
    checkout.write("[safety]\nminimum_period = '5m'\n", "schedsync.toml")
    checkout.schedules("  old: {task: t, every: 1m}\n")
    checkout.commit()
    checkout.schedules("  old: {task: t, every: 1m}\n  new: {task: t, every: 2m}\n")
    done, said = checkout.review("--strict"), checkout.json()

    assert done.code == 1
    assert [(one["location"]["line"], one["message"]) for one in said["findings"] if one["code"] == "SS173"] == [
        (4, "`new` can start 2m after its last start; `[safety] minimum_period` allows at least 5m")
    ]
    assert [each["code"] for each in said["environments"][0]["refusals"]] == ["too_often"]


@pytest.mark.parametrize("words", [("HEAD~1",), ("HEAD~1", "HEAD")])
def test_a_pointer_of_git_lfs_in_the_base_is_an_error(checkout: Checkout, words: tuple[str, ...]) -> None:
    checkout.write(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n")
    checkout.commit()
    checkout.schedules(BEFORE)
    checkout.commit()
    found = [each for each in checkout.json(*words)["findings"] if each["code"] == "SS114"]

    assert [(each["severity"], each["new"], each["location"]["path"]) for each in found] == [
        ("error", True, "schedules/shop.yaml")
    ]
    assert "before the change: its schedules are not compared" in found[0]["message"]
    assert checkout.review(*words).code == 1
