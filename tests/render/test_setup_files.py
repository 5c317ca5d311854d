"""The files of ``init`` beside the schedules are what their readers take: TOML, GitHub, GitLab, pre-commit, editors."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from schedsync.config import read_config
from schedsync.core.setup import Choices, Ci, Layout
from schedsync.render.setup_files import configuration, example, project_files
from schedsync.usecases.validate import validate
from tests.conftest import NOW, Project

ROOT = Path(__file__).parents[2]
HERE = Layout(Path(), "", "schedules")
BELOW = Layout(Path("../.."), 'apps/back "end"', "beat-schedules")
NAMES = ("shop", 'a "b" \\ c', "été 🎉", "#", "1", "true", "it's")


def texts(ci: Ci | None, layout: Layout) -> dict[str, str]:
    return {file.path: file.text for file in project_files(Choices("shop", ("production",), ci), layout)}


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_says_what_was_chosen(files: Project, name: str) -> None:
    files.write(configuration(Choices(name, ("staging", name), None), HERE), "schedsync.toml")
    config = read_config(None)

    assert (config.set, config.environments, config.paths) == (name, ("staging", name), (Path("schedules"),))


def test_the_example_is_valid_before_and_after_it_is_used(files: Project) -> None:
    text = example('a"b')
    files.write(text)
    empty = validate(read_config("schedules"), None, NOW)
    lines = text.split("plan` shows what an apply would do.\n#\n")[1]
    files.write("version: 1\n" + "".join(line.removeprefix("# ") for line in lines.splitlines(keepends=True)))
    used = validate(read_config("schedules"), None, NOW)

    assert ([finding.code for finding in empty.findings], empty.schedules) == ([], 0)
    assert ([finding.code for finding in used.findings], used.schedules) == ([], 1)


def needs(tool: str) -> pytest.MarkDecorator:
    """Skip where the linters are not installed, as for a wheel that is tested."""
    return pytest.mark.skipif(not Path(sys.executable).with_name(tool).exists(), reason=f"{tool} is not installed")


def lint(tool: str, *words: str | Path) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name(tool), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout


@needs("check-jsonschema")
@pytest.mark.parametrize("layout", [HERE, BELOW], ids=["root", "below"])
@pytest.mark.parametrize(
    ("ci", "path", "schema"),
    [
        ("github", ".github/workflows/schedules.yml", "vendor.github-workflows"),
        ("gitlab", "schedules.gitlab-ci.yml", "vendor.gitlab-ci"),
        ("gitlab", ".gitlab-ci.yml", "vendor.gitlab-ci"),
    ],
)
def test_ci_takes_its_file(tmp_path: Path, layout: Layout, ci: Ci, path: str, schema: str) -> None:
    file = tmp_path / "file.yml"
    file.write_text(texts(ci, layout)[path])

    assert lint("check-jsonschema", "--builtin-schema", schema, file) == ""


def test_editors_know_the_files_by_the_schema(files: Project) -> None:
    value = json.loads(texts(None, BELOW)[".vscode/settings.json"])

    assert len(value["yaml.schemas"]) == 1
    for url, patterns in value["yaml.schemas"].items():
        assert (ROOT / "schemas" / url.rpartition("/")[2]).exists()
        assert patterns == ['apps/back "end"/beat-schedules/**/*.yaml', 'apps/back "end"/beat-schedules/**/*.yml']


def test_the_hooks_run_for_the_files_of_the_set() -> None:
    hooks = yaml.safe_load(texts(None, BELOW)[".pre-commit-config.yaml"])["repos"][0]["hooks"]
    known = {hook["id"]: hook["entry"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    names = (
        "schedsync.toml",
        "beat-schedules/a/b.yaml",
        "beat-schedules/names.txt",
        "schedsync.toml.txt",
        "other/schedsync.toml",
        "x.yaml",
    )
    fits = {
        hook["id"]: [name for name in names if re.search(hook["files"], f'apps/back "end"/{name}')] for hook in hooks
    }

    # What is formatted is checked afterwards.
    assert list(fits.items()) == [
        ("schedsync-fmt", ["beat-schedules/a/b.yaml"]),
        ("schedsync-validate", ["schedsync.toml", "beat-schedules/a/b.yaml", "beat-schedules/names.txt"]),
    ]
    # The hooks get the files that changed, and take no directory beside them.
    assert not any("args" in hook for hook in hooks)
    assert known == {"schedsync-fmt": "schedsync fmt --changed", "schedsync-validate": "schedsync validate --changed"}


PROJECTS = ["apps/shop", "apps", "apps/shop2", "apps/my shop", 'apps/back "end"', "été-x"]


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("project", PROJECTS)
def test_a_file_of_another_project_does_not_have_the_lines_of_this_one(project: str, ci: Ci) -> None:
    choices = Choices("shop", ("production",), ci)
    mine = project_files(choices, Layout(Path(), project, "schedules"))
    root = texts(ci, HERE)
    for file in mine:
        assert file.is_in(file.text), file.path
        if file.path == ".gitlab-ci.yml":
            continue
        assert not file.is_in(root[file.path]), file.path
        for other in PROJECTS:
            text = texts(ci, Layout(Path(), other, "schedules"))[file.path]
            assert file.is_in(text) == (other == project), (file.path, other)
            if other != project:
                assert file.is_in(f"{text}\n{file.addition}"), (file.path, other)


def test_the_workflow_pins_what_this_repository_pins() -> None:
    ours = set(re.findall(r"uses: (\S+@\S+ # v\S+)", (ROOT / ".github/workflows/schedules-review.yml").read_text()))
    theirs = set(re.findall(r"uses: (\S+@\S+ # v\S+)", texts("github", HERE)[".github/workflows/schedules.yml"]))

    assert len(theirs) == 2
    assert theirs <= ours


@needs("zizmor")
@pytest.mark.parametrize("layout", [HERE, BELOW], ids=["root", "below"])
def test_the_workflow_is_safe(tmp_path: Path, layout: Layout) -> None:
    file = tmp_path / ".github/workflows/schedules.yml"
    file.parent.mkdir(parents=True)
    file.write_text(texts("github", layout)[".github/workflows/schedules.yml"])

    assert lint("zizmor", "--offline", "--quiet", tmp_path) == ""
