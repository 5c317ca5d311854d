"""A fork's tree is data: a review runs nothing of it, fetches nothing, and reads nothing outside."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import git
import pytest

from tests.review.repository import Checkout, changes

ROOT = Path(__file__).parents[2]
ONE = "  a: {task: t, every: 1h}\n"
TWO = ONE + "  b: {task: t, every: 2h}\n"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A program that leaves a mark when it is run."""
    program = tmp_path / "canary"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return program


@pytest.fixture
def fork(checkout: Checkout) -> Checkout:
    """A branch with one more schedule."""
    checkout.schedules(ONE)
    checkout.commit()
    checkout.branch()
    checkout.schedules(TWO)
    checkout.commit()
    return checkout


def reviewed(fork: Checkout) -> list[list[tuple[str, str]]]:
    """Review the work tree, and the commit."""
    return [
        [one[:2] for one in changes(fork.json(*words))]  # type: ignore[misc]
        for words in ((), ("main", "feature"))
    ]


B_IS_NEW = [[("create", "b")]] * 2


def test_git_s_configuration_starts_nothing(fork: Checkout, canary: Path, tmp_path: Path) -> None:
    settings = {
        "core.fsmonitor": canary, "core.pager": canary, "core.editor": canary, "core.sshCommand": canary,
        "core.gitProxy": canary, "core.alternateRefsCommand": canary, "core.hooksPath": canary.parent,
        "diff.external": canary, "filter.x.smudge": canary, "filter.x.clean": canary, "filter.x.process": canary,
        "diff.x.textconv": canary, "credential.helper": canary, "gpg.program": canary, "log.showSignature": "true",
        "remote.origin.url": f"ext::{canary}", "remote.origin.uploadpack": canary, "remote.origin.promisor": "true",
        "extensions.partialClone": "origin", "protocol.ext.allow": "always", "alias.rev-parse": f"!{canary}",
    }  # fmt: skip
    for name, value in settings.items():
        fork.repository.git.config(name, str(value))
    fork.write("* filter=x diff=x\n", ".gitattributes")
    for name in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-index-change"):
        hook = fork.root / ".git/hooks" / name
        hook.write_bytes(canary.read_bytes())
        hook.chmod(0o755)

    assert reviewed(fork) == B_IS_NEW
    assert not (tmp_path / "ran").exists()


def test_a_missing_object_is_not_fetched(fork: Checkout, canary: Path, tmp_path: Path) -> None:
    blob = fork.repository.commit("feature").tree["schedules/shop.yaml"].hexsha
    (fork.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for name, value in {
        "remote.origin.url": f"ext::{canary}", "remote.origin.promisor": "true", "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1", "protocol.ext.allow": "always",
    }.items():  # fmt: skip
        fork.repository.git.config(name, str(value))
    done = fork.review("main", "feature")

    assert (done.code, "`schedules/shop.yaml` of a commit is not in this clone" in done.err) == (69, True), done
    assert not (tmp_path / "ran").exists()


def test_python_of_the_tree_is_not_imported(fork: Checkout, tmp_path: Path) -> None:
    for name in ("conftest.py", "sitecustomize.py", "yaml.py", "schedsync.py", "celery.py", "manage.py", "json.py"):
        fork.write(f"open({str(tmp_path / 'ran')!r}, 'w')\n", name)
        fork.write(f"open({str(tmp_path / 'ran')!r}, 'w')\n", f"schedules/{name}")

    assert reviewed(fork) == B_IS_NEW
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "target", ["/etc/hostname", "../outside.yaml", "../../secret.yaml", "loop.yaml", "nowhere.yaml"]
)
def test_a_link_leads_nowhere_outside(fork: Checkout, tmp_path: Path, target: str) -> None:
    (tmp_path / "secret.yaml").write_text("version: 1\nschedules:\n  stolen: {task: t, every: 1h}\n")
    fork.write("version: 1\nschedules:\n  stolen: {task: t, every: 1h}\n", "outside.yaml")
    (fork.root / "schedules/loop.yaml").symlink_to(target)
    fork.commit()
    for words in ((), ("main", "feature")):
        said = fork.json(*words)

        assert [one["code"] for one in said["findings"]] in (["SS105"], ["SS101"])
        assert "stolen" not in str(said)


def test_a_link_within_the_directory_is_followed_once(fork: Checkout) -> None:
    (fork.root / "schedules/z-link.yaml").symlink_to("shop.yaml")
    (fork.root / "schedules/team").symlink_to(".")
    fork.commit()

    assert reviewed(fork) == B_IS_NEW
    assert fork.json("main", "feature")["findings"] == []


def test_the_directory_itself_may_not_lead_outside(fork: Checkout, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/shop.yaml").write_text("version: 1\nschedules:\n  stolen: {task: t, every: 1h}\n")
    fork.repository.git.rm("-r", "schedules")
    (fork.root / "schedules").symlink_to(tmp_path / "elsewhere")
    fork.commit()
    for words in ((), ("main", "feature")):
        said = fork.json(*words)

        assert "SS105" in [one["code"] for one in said["findings"]]
        assert "stolen" not in str(said)


def test_values_are_read_only_within_the_directory(fork: Checkout, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("stolen\n")
    fork.write("stolen\n", "secret.txt")
    for name in ("../secret.txt", "../../secret.txt", "/etc/hostname", "link.txt"):
        fork.schedules(
            f'  "x-{{v}}": {{task: t, every: 1h, for_each: {{v: {{file: "{name}"}}}}}}\n', "schedules/x.yaml"
        )
        (fork.root / "schedules/link.txt").unlink(missing_ok=True)
        (fork.root / "schedules/link.txt").symlink_to("../secret.txt")
        fork.commit()
        for words in ((), ("main", "feature")):
            said = fork.json(*words)

            assert [one["code"] for one in said["findings"]] == ["SS105"]
            assert "stolen" not in str(said)


@pytest.mark.parametrize("name", ["schedsync.toml", "pyproject.toml"])
def test_a_configuration_that_leads_outside_is_refused(fork: Checkout, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.toml").write_text('[tool.schedsync]\nset = "stolen"\n')
    (fork.root / name).symlink_to("../secret.toml")
    done = fork.review()

    assert (done.code, "a symbolic link that leaves its directory" in done.err) == (1, True)
    assert "stolen" not in done.out + done.err


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "schedules/../../*"])
def test_a_configuration_may_not_point_outside(fork: Checkout, pattern: str) -> None:
    fork.write(f'paths = ["{pattern}"]\n', "schedsync.toml")
    fork.commit()
    for words in ((), ("main", "feature")):
        done = fork.review(*words)

        assert (done.code, "leads out of this file's directory" in done.err) == (1, True)


def test_a_submodule_is_not_entered(fork: Checkout, tmp_path: Path) -> None:
    with git.Repo.init(tmp_path / "module") as module:
        (tmp_path / "module/x.yaml").write_text("version: 1\nschedules:\n  stolen: {task: t, every: 1h}\n")
        module.git.add(all=True)
        module.git.config("user.name", "m")
        module.git.config("user.email", "m@example.org")
        module.index.commit("x")
    fork.repository.git.execute(
        ["git", "-c", "protocol.file.allow=always", "submodule", "add", str(tmp_path / "module"), "schedules/module"]
    )
    fork.commit()
    for words in (("main", "feature"), ("main",), ()):
        said = fork.json(*words)

        assert sorted((one["code"], one["severity"]) for one in said["findings"]) == [
            ("SS165", "error"), ("SS165", "warning"),
        ]  # fmt: skip
        assert "stolen" not in str(said)


def test_replaced_objects_are_not_believed(fork: Checkout) -> None:
    old = fork.repository.commit("main").tree["schedules/shop.yaml"].hexsha
    new = fork.repository.commit("feature").tree["schedules/shop.yaml"].hexsha
    fork.repository.git.replace(new, old)

    assert reviewed(fork)[1] == B_IS_NEW[1]


def test_the_work_tree_s_root_is_where_git_lies(fork: Checkout, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    fork.repository.git.config("core.worktree", str(tmp_path / "elsewhere"))

    assert reviewed(fork) == B_IS_NEW


@pytest.mark.parametrize("variable", ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"])
def test_a_forge_s_variable_becomes_no_option(fork: Checkout, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for value in ("--upload-pack=x", "main --output=x", "../../main", "x\ny"):
        monkeypatch.setenv(variable, value)

        done = fork.review()

        assert (done.code, done.out) == (64, "")
        assert not (fork.root / "x").exists()


def test_a_huge_file_is_refused_by_its_size(fork: Checkout) -> None:
    with (fork.root / "schedules/huge.yaml").open("wb") as huge:
        huge.truncate(30 * 2**20)
    fork.commit()
    for words in ((), ("main", "feature")):
        assert [one["message"][:5] for one in fork.json(*words)["findings"]] == ["30 MB"]


def test_names_of_files_are_data(fork: Checkout) -> None:
    name = "schedules/a\n::error::x\x1b[31m.yaml"
    (fork.root / os.fsdecode(name.encode())).write_text("version: 2\n")
    fork.commit()
    for format_ in ("text", "markdown", "github"):
        done = fork.review("main", "feature", "--format", format_)

        assert "\x1b" not in done.out
        assert [line for line in done.out.splitlines() if line.startswith("::error::")] == []


HOSTILE = "version: 1\nschedules:\n  stolen: {task: t, every: 1h}\n"


def test_a_bare_repository_among_the_files_is_no_repository(fork: Checkout, tmp_path: Path) -> None:
    with git.Repo.init(tmp_path / "attack", initial_branch="main") as attack:
        (tmp_path / "attack/schedules").mkdir()
        (tmp_path / "attack/schedules/shop.yaml").write_text(HOSTILE)
        attack.git.add(all=True)
        attack.git.execute(["git", "-c", "user.name=m", "-c", "user.email=m@example.org", "commit", "-m", "x"])
    for place in (fork.root / "schedules", fork.root):
        for name in ("HEAD", "config", "objects", "refs"):
            source = tmp_path / "attack/.git" / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, place / name)
        (place / "config").write_text("[core]\nbare = true\n[include]\npath = /etc/passwd\n")

        assert reviewed(fork) == B_IS_NEW


@pytest.mark.parametrize("how", ["submodule", "clone"])
def test_the_directory_as_a_repository_of_its_own_is_not_entered(fork: Checkout, tmp_path: Path, how: str) -> None:
    with git.Repo.init(tmp_path / "attack", initial_branch="main") as attack:
        (tmp_path / "attack/shop.yaml").write_text(HOSTILE)
        attack.git.add(all=True)
        attack.git.execute(["git", "-c", "user.name=m", "-c", "user.email=m@example.org", "commit", "-m", "x"])
    fork.repository.git.rm("-r", "schedules")
    if how == "clone":
        git.Repo.clone_from(str(tmp_path / "attack"), fork.root / "schedules").close()
    else:
        words = ["submodule", "add", str(tmp_path / "attack"), "schedules"]
        fork.repository.git.execute(["git", "-c", "protocol.file.allow=always", *words])
    fork.commit()
    for words in ((), ("main", "feature")):
        said = fork.json(*words)

        assert "SS165" in [one["code"] for one in said["findings"]]
        assert [one[:2] for one in changes(said)] == [("delete", "a")]


def test_a_process_imports_nothing_of_the_tree(fork: Checkout, tmp_path: Path) -> None:
    for name in ("celeryconfig.py", "click.py", "yaml.py", "jinja2.py", "git.py", "conftest.py"):
        fork.write(f"open({str(tmp_path / 'ran')!r}, 'w')\n", name)
    program = [sys.executable, "-m", "schedsync"]
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    for words in (["review"], ["review", "main", "feature"], ["forecast"]):
        done = subprocess.run(
            [*program, *words], cwd=fork.root, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [".git/config", ".env", "../.git/config"])
def test_nothing_hidden_becomes_values(fork: Checkout, name: str) -> None:
    fork.write("secret\n", ".env")
    fork.write('paths = ["."]\n', "schedsync.toml")
    for place in ("x.yaml", "schedules/x.yaml"):
        fork.schedules(f'  "x-{{v}}": {{task: t, every: 1h, for_each: {{v: {{file: "{name}"}}}}}}\n', place)
    said = fork.json()

    assert "SS105" in [one["code"] for one in said["findings"]]
    assert "[core]" not in str(said)
    assert "x-secret" not in str(said)


def test_a_commit_that_is_not_all_here_is_no_empty_one(fork: Checkout) -> None:
    tree = fork.repository.commit("main").tree["schedules"].hexsha
    (fork.root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    done = fork.review("main", "feature")

    assert (done.code, "a tree of a commit is not in this clone" in done.err) == (69, True), done


def test_a_file_of_the_base_that_is_not_here_is_named(fork: Checkout) -> None:
    blob = fork.repository.commit("main").tree["schedules/shop.yaml"].hexsha
    (fork.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    done = fork.review("main", "feature")

    assert (done.code, done.out) == (69, "")
    assert "`schedules/shop.yaml` of a commit is not in this clone, so nothing was compared" in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('paths = ["**/**/**/**/*z"]', "uses `**` more than twice"),
        ('paths = ["a\\u0000b"]', "printable patterns"),
        (f"environments = {[f'e{n}' for n in range(101)]}", "at most 100 items"),
        (f"environments = ['{'e' * 65}']", "at most 64 characters"),
        ("# " + "x" * 2**20, "too large for a configuration"),
    ],
)
def test_a_configuration_has_limits(fork: Checkout, text: str, message: str) -> None:
    fork.write(text + "\n", "schedsync.toml")
    fork.commit()
    for words in ((), ("main", "feature")):
        done = fork.review(*words)

        assert (done.code, message in done.err) == (1, True), done.err


def test_patterns_and_links_by_the_thousand_take_no_time(fork: Checkout) -> None:
    fork.write('paths = ["**/deep/**/*.yaml"]\n', "schedsync.toml")
    for number in range(500):
        fork.write("version: 1\n", f"deep/{'a/' * 10}{number}.yaml")
    for number in range(500):
        (fork.root / f"deep/link-{number}.yaml").symlink_to(f"gone-{number}.yaml")
    fork.commit()
    done = fork.review("main", "feature")

    assert done.code == 1
    assert done.out.count("SS101") == 500


SECRET = "correct-horse"
LEAKS = [
    f"kwargs: '{{\"password\": \"{SECRET}\"}}'", f"args: {SECRET}", f"kwargs: {{password: [{{x: '{SECRET}'}}]}}",
    f"kwargs: {{broker_url: 'redis://:{SECRET}@host/0'}}", f"kwargs: {{dbpassword: {SECRET}}}",
    f"kwargs: {{body: '{{\"password\": \"{SECRET}\"}}'}}", f"labels: {{api_token: {SECRET}}}",
    f"runbook: 'https://u:{SECRET}@wiki.example'", f"description: 'postgres://u:{SECRET}@h/x'",
    f"kwargs: {{password: !{SECRET} x}}", f"headers: [{SECRET}]", f"kwargs: {{url: 'https://u:a/{SECRET}@h'}}",
]  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
def test_a_secret_is_shown_nowhere(fork: Checkout, leak: str) -> None:
    fork.schedules(f"{TWO}  leaky:\n    task: t\n    every: 1d\n    {leak}\n")
    for format_ in ("text", "markdown", "json", "github", "sarif", "html"):
        assert SECRET not in fork.review("--format", format_).out
