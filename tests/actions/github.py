"""A stand-in for GitHub's HTTP interface, for `gh` over a Unix socket; and a runner for composite actions."""

from __future__ import annotations

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

ROOT = Path(__file__).parents[2]
ACTIONS = ROOT / ".github/actions"
BOT = "github-actions[bot]"
PAGE = 2


@dataclass
class GitHub:
    """What it holds: comments and issues by number, open pull requests, and what was asked of it."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    forbidden: bool = False

    def answer(self, method: str, path: str, query: Mapping[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((method, path))
        if self.forbidden:
            return 403, {"message": "Resource not accessible by integration"}
        if match := re.fullmatch(r"/repos/acme/shop/issues/(\d+)/comments", path):
            if method == "GET":
                return 200, [one for one in self.comments if one["issue"] == int(match[1])]
            self.comments.append(
                {"id": 100 + len(self.comments), "issue": int(match[1]), "user": {"login": BOT}, **body}
            )
            return 201, self.comments[-1]
        if match := re.fullmatch(r"/repos/acme/shop/issues/comments/(\d+)", path):
            found = next(one for one in self.comments if one["id"] == int(match[1]))
            found.update(body)
            return 200, found
        if path == "/repos/acme/shop/issues":
            if method == "GET":
                labels = set(query["labels"])
                return 200, [one for one in self.issues if one["state"] == "open" and labels <= set(one["labels"])]
            self.issues.append({"number": 1 + len(self.issues), "state": "open", "pull_request": None, **body})
            return 201, self.issues[-1]
        if match := re.fullmatch(r"/repos/acme/shop/issues/(\d+)", path):
            found = self.issues[int(match[1]) - 1]
            found.update(body)
            return 200, found
        if path == "/repos/acme/shop/pulls":
            return 200, [one for one in self.pulls if one["head"]["label"] == query["head"][0]]
        return 404, {"message": "Not Found"}


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def _handler(github: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: Any) -> None:
            pass

        def reply(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}") if length else {}
            status, said = github.answer(self.command, parts.path, query, body)
            link = None
            if isinstance(said, list):
                page = int(query.get("page", ["1"])[0])
                if len(said) > page * PAGE:
                    link = f'<https://api.github.com{parts.path}?page={page + 1}&{parts.query}>; rel="next"'
                said = said[(page - 1) * PAGE : page * PAGE]
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if link:
                self.send_header("Link", link)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = reply

    return Handler


@contextmanager
def serving(github: GitHub, directory: Path) -> Iterator[dict[str, str]]:
    """Serve it, and yield the environment in which `gh` asks it."""
    socket = directory / "gh.sock"
    config = directory / "gh"
    config.mkdir()
    (config / "config.yml").write_text(f"http_unix_socket: {socket}\n")
    with _Server(str(socket), _handler(github)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "GH_CONFIG_DIR": str(config),
            "GH_TOKEN": "x",
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
        }
        server.shutdown()


@dataclass(frozen=True)
class Ran:
    """What an action did: its exit code, its log, its outputs, and the job's summary."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


def run(
    action: str, inputs: Mapping[str, str], cwd: Path, environment: Mapping[str, str], github: Mapping[str, Any]
) -> Ran:
    """Run a composite action as a runner does: its steps in order, and after a failure only those that always run."""
    definition = yaml.safe_load((ACTIONS / action / "action.yml").read_text())
    temp = cwd.parent / f"runner-{len(list(cwd.parent.iterdir()))}"
    temp.mkdir()
    known: dict[str, Any] = {"inputs": {}, "steps": {}, "github": github}
    for name, one in definition["inputs"].items():
        known["inputs"][name] = inputs.get(name, _filled(str(one.get("default", "")), known))
    assert set(inputs) <= set(definition["inputs"])
    code, log = 0, ""
    for number, step in enumerate(definition["runs"]["steps"]):
        condition = str(step.get("if", "success()"))
        if (code and "always()" not in condition) or not _holds(condition, known):
            continue
        output = temp / f"output-{number}"
        output.touch()
        values = {key: _filled(str(value), known) for key, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=cwd,
            env={
                **environment, **values, "RUNNER_TEMP": str(temp), "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(temp / "summary"), "GITHUB_ACTION_PATH": str(ACTIONS / action),
                "GITHUB_REPOSITORY": "acme/shop", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "99",
            },
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        log += done.stdout
        code = code or done.returncode
        if "id" in step:
            known["steps"][step["id"]] = {"outputs": _outputs(output)}
    outputs = {name: _filled(one["value"], known) for name, one in definition.get("outputs", {}).items()}
    summary = temp / "summary"
    return Ran(code, log, outputs, summary.read_text() if summary.exists() else "")


def environment_of(directory: Path) -> dict[str, str]:
    """Return a runner's environment: this Python's programs come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(directory), "SCHEDSYNC_CACHE_DIR": "", "LANG": "C.UTF-8"}


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


def _filled(text: str, known: Mapping[str, Any]) -> str:
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
