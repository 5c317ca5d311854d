"""The recipes of the guide for Jenkins, Bitbucket and Azure, run in a clone of a repository that is not ours."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

from schedsync import __version__
from tests.actions.forge import Forge
from tests.actions.runner import ROOT, without_pip

GUIDE = (ROOT / "docs/guides/ci.md").read_text()
RECIPES = GUIDE.split("## Jenkins, Bitbucket, Azure\n")[1].split("\n## ")[0]
#: How a command begins in the lines of the three files.
COMMAND = re.compile(r"^\s*(?:sh '|- script: |- (?=pip|mkdir|schedsync))(.*?)'?$", re.MULTILINE)
VARIABLES = {
    "stage(": {"CHANGE_TARGET": "main"},
    "pipelines:": {"BITBUCKET_PR_DESTINATION_BRANCH": "main"},
    "steps:": {"SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main"},
}


def commands(kind: str) -> list[str]:
    (block,) = [block for block in re.findall(r"```\w+\n(.*?)```", RECIPES, re.DOTALL) if block.startswith(kind)]
    return COMMAND.findall(block)


@pytest.mark.parametrize("kind", VARIABLES)
def test_a_recipe_reviews_and_writes_a_junit_report(pull_request: Forge, tmp_path: Path, kind: str) -> None:
    pull_request.write('  bad: {task: t, crontab: "61 * * * *"}\n', "schedules/bad.yaml")
    pull_request.commit()
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", pull_request.root.as_uri(), clone], check=True)
    environment = without_pip(pull_request.environment, tmp_path, tmp_path / "installed")
    (tmp_path / "programs/pip").write_text('#!/bin/sh\nexec python3 -m pip "$@"\n')
    (tmp_path / "programs/pip").chmod(0o755)
    codes = [
        subprocess.run(["bash", "-c", command], cwd=clone, env=environment | VARIABLES[kind], check=False).returncode
        for command in commands(kind)
    ]
    (report,) = clone.rglob("schedules.xml")

    assert codes[-1] == 1
    assert set(codes[:-1]) == {0}
    assert [case.get("name") for case in parse(report).iter("testcase")][1].startswith("SS131 ")
    assert (tmp_path / "installed").read_text() == f"-m pip install schedsync=={__version__}\n"
