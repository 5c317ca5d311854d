"""Runs composite actions and workflows as GitHub's runner does, in a repository that is not ours.

A step that runs a script runs in bash. Of the actions of others it knows those that the workflows use. `pip install` is
written to a file instead: no test installs anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.actions.github import GitHub

ROOT = Path(__file__).parents[2]
ACTIONS = ROOT / ".github/actions"
WORKFLOWS = ROOT / ".github/workflows"
_PYTHON = """#!/usr/bin/env bash
for word in "$@"; do
  [ "$word" != pip ] || {{ printf '%s\\n' "$*" >>"{log}"; exit 0; }}
done
exec "{python}" "$@"
"""


@dataclass(frozen=True)
class Ran:
    """What an action or a job did: its exit code, log, outputs, summary and concurrency group."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str
    group: str = ""


@dataclass
class Runner:
    """A runner with a checkout. ``context`` is the context ``github``, ``executed`` the scripts that were run."""

    cwd: Path
    environment: Mapping[str, str]
    context: Mapping[str, Any]
    github: GitHub
    executed: list[str] = field(default_factory=list)
    installed: Path = field(init=False)
    temp: Path = field(init=False)

    def __post_init__(self) -> None:
        self.temp = self.cwd.parent / f"runner-{len(list(self.cwd.parent.iterdir()))}"
        self.temp.mkdir()
        self.installed = self.temp / "installed"
        self.environment = without_pip(self.environment, self.temp, self.installed)

    def action(self, name: str, inputs: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Ran:
        """Run a composite action."""
        definition = yaml.safe_load((ACTIONS / name / "action.yml").read_text())
        known: dict[str, Any] = {"inputs": {}, "steps": {}, "github": self.context}
        known["inputs"] = _inputs(definition.get("inputs", {}), inputs, known)
        directory = {"GITHUB_ACTION_PATH": str(ACTIONS / name)}
        code, log = self._steps(definition["runs"]["steps"], known, {**(environment or {}), **directory})
        outputs = {key: filled(each["value"], known) for key, each in definition.get("outputs", {}).items()}
        summary = self.temp / "summary"
        return Ran(code, log, outputs, summary.read_text() if summary.exists() else "")

    def workflow(
        self, name: str, inputs: Mapping[str, Any] | None = None, secrets: Mapping[str, str] | None = None
    ) -> Ran | None:
        """Run the one job of a workflow that others call; returns None if its condition does not hold."""
        definition = yaml.safe_load((WORKFLOWS / name).read_text())
        known: dict[str, Any] = {"inputs": {}, "steps": {}, "github": self.context, "secrets": secrets or {}}
        call = definition[True]["workflow_call"]
        known["inputs"] = _inputs(call.get("inputs", {}), inputs or {}, known)
        (job,) = definition["jobs"].values()
        if not _holds(job.get("if", "success()"), known):
            return None
        code, log = self._steps(job["steps"], known, {})
        outputs = {key: filled(each, known) for key, each in job.get("outputs", {}).items()}
        summary = self.temp / "summary"
        said = summary.read_text() if summary.exists() else ""
        return Ran(code, log, outputs, said, filled(job["concurrency"]["group"], known))

    def _steps(
        self, steps: list[dict[str, Any]], known: dict[str, Any], environment: dict[str, str]
    ) -> tuple[int, str]:
        """Run steps in their order; after a failure only those that always run."""
        code, log = 0, ""
        for step in steps:
            condition = str(step.get("if", "success()"))
            if (code and "always()" not in condition) or not _holds(condition, known):
                continue
            values = environment | {key: filled(str(value), known) for key, value in step.get("env", {}).items()}
            ran = self._bash(step["run"], values) if "run" in step else self._used(step, known, values)
            log += ran.log
            code = code or ran.code
            if "id" in step:
                known["steps"][step["id"]] = {"outputs": ran.outputs}
        return code, log

    def _bash(self, script: str, values: Mapping[str, str]) -> Ran:
        self.executed.append(script)
        output = self.temp / f"output-{len(self.executed)}"
        output.touch()
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.cwd,
            env={
                **self.environment, **values, "RUNNER_TEMP": str(self.temp), "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.temp / "summary"), "GITHUB_REPOSITORY": "acme/shop",
                "GITHUB_RUN_ID": "99",
            },
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, _outputs(output), "")

    def _used(self, step: Mapping[str, Any], known: Mapping[str, Any], values: Mapping[str, str]) -> Ran:
        """Do what an action does that a step uses; fails for a path that the user's repository would need."""
        uses = step["uses"]
        given = {key: filled(str(value), known) for key, value in step.get("with", {}).items()}
        if uses.startswith("$/.github/actions/"):
            return self.action(uses.removeprefix("$/.github/actions/"), given, values)
        name = uses.partition("@")[0]
        if name == "actions/checkout":
            assert (given["fetch-depth"], (self.cwd / ".git").is_dir()) == ("0", True)
        elif name == "actions/upload-artifact":
            assert not set(given["name"]) & set('\\/:*?"<>|')
            if Path(given["path"]).exists():
                self.github.keep(given["name"], Path(given["path"]), self._head_sha())
        else:
            assert name == "actions/setup-python", uses
        return Ran(0, "", {}, "")

    def _head_sha(self) -> str:
        event = self.context["event"]
        return str(event["pull_request"]["head"]["sha"] if "pull_request" in event else self.context["sha"])


def without_pip(environment: Mapping[str, str], directory: Path, log: Path) -> dict[str, str]:
    """Return an environment in which `python -m pip` only writes its arguments to a file."""
    programs = directory / "programs"
    programs.mkdir()
    for name in ("python", "python3"):
        (programs / name).write_text(_PYTHON.format(log=log, python=sys.executable))
        (programs / name).chmod(0o755)
    return {**environment, "PATH": f"{programs}{os.pathsep}{environment['PATH']}"}


def environment_of(directory: Path) -> dict[str, str]:
    """Return a runner's environment: this Python's programs come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(directory), "SCHEDSYNC_CACHE_DIR": "", "LANG": "C.UTF-8"}


def _inputs(declared: Mapping[str, Any], given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with their defaults; an unknown one is an error, as GitHub's runner warns."""
    assert set(given) <= set(declared)
    required = {name for name, each in declared.items() if each.get("required")}
    assert required <= set(given)
    return {name: given.get(name, _default(each.get("default", ""), known)) for name, each in declared.items()}


def _default(value: Any, known: Mapping[str, Any]) -> Any:
    return value if isinstance(value, bool) else filled(str(value), known)


def _outputs(file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(file.read_text().splitlines())
    for line in lines:
        name, heredoc, mark = line.partition("<<")
        if heredoc and "=" not in name:
            value = []
            while (part := next(lines)) != mark:
                value.append(part)
            found[name] = "\n".join(value)
        else:
            name, _, value_ = line.partition("=")
            found[name] = value_
    return found


def filled(text: str, known: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", lambda match: _text(_value(match[1], known)), text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _holds(condition: str, known: Mapping[str, Any]) -> bool:
    return bool(_value(condition, known))


def _value(expression: str, known: Mapping[str, Any]) -> Any:
    """Evaluate the little of GitHub's expressions that the actions use."""
    expression = expression.strip()
    for word, combine in (("||", lambda a, b: a or b), ("&&", lambda a, b: a and b)):
        left, found, right = expression.partition(f" {word} ")
        if found and left.count("(") == left.count(")"):
            return combine(_value(left, known), _value(right, known))
    if expression.startswith("(") and expression.endswith(")"):
        return _value(expression[1:-1], known)
    if "!=" in expression:
        left, _, right = expression.partition("!=")
        return _text(_value(left, known)) != _text(_value(right, known))
    if "==" in expression:
        left, _, right = expression.partition("==")
        return _text(_value(left, known)) == _text(_value(right, known))
    if expression in ("always()", "success()"):
        return True
    if expression.startswith("'"):
        return expression[1:-1].replace("''", "'")
    value: Any = known
    for part in expression.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
