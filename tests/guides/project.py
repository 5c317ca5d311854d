"""A Django project in a Git repository of its own, and a shell in which a reader types the commands of a page."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.guides.output import differs
from tests.guides.page import Command, File

SHOP = Path(__file__).parent / "shop"
PROMPT = re.compile(r"\[[^]]+\]: ?(\w*)$", re.MULTILINE)
TIMEOUT = 120


@dataclass(frozen=True)
class Project:
    """The working directory of the project, and next to it `home`, `bin`, and `state`, the variables of the shell."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the shell begins with: the interpreter of the tests, and nothing of the machine's own settings."""
        home = self.root.parent / "home"
        return {
            "PATH": os.pathsep.join(
                [str(self.root.parent / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "GIT_PAGER": "cat",
            "GIT_CONFIG_NOSYSTEM": "1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def write(self, path: str, text: str) -> None:
        """Write a file; a module that exists already gets the lines at its end."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() + "\n" if file.suffix == ".py" and file.exists() else ""
        file.write_text(before + text)

    def shell(self, command: str, answers: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run a command where the last one ended, with its variables; returns the exit code and all output."""
        state = self.root.parent / "state"
        script = f'[ ! -e {state} ] || {{ . {state}; cd "$PWD"; }}\n{command}\ncode=$?; export -p >{state}; exit $code'
        if answers:
            return in_terminal(["bash", "-c", script], self.root, self.environment, answers)
        return _in_pipes(["bash", "-c", script], self.root, self.environment)

    def begins(self, command: str, text: str) -> bool:
        """Start a command that does not end; say whether it writes this text, and stop it."""
        log = self.root.parent / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", command], cwd=self.root, env=self.environment, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + TIMEOUT
        try:
            while not (begun := text in log.read_text()) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return begun

    def end_processes(self) -> None:
        """End the programs that a page has started and that still run; each has written its process id to a file."""
        for file in self.root.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(file.read_text()), signal.SIGKILL)

    def do(self, step: File | Command) -> str | None:
        """Do one step of a page, and return what went wrong, or None."""
        if isinstance(step, File):
            self.write(step.path, step.text)
            return None
        answers = tuple(PROMPT.findall(step.output or ""))
        code, output = self.shell(step.text, answers)
        if code != step.code:
            return f"exit code {code}, and not {step.code}:\n{output}"
        return differs(step.output, output) if step.output else None


def new_project(base: Path, migrated: Path | None = None) -> Project:
    """Make the project: committed, with `origin` as a bare repository, and a database if one is given."""
    project = Project(base / "shop")
    (base / "home").mkdir(parents=True)
    (base / "bin").mkdir()
    shutil.copytree(SHOP, project.root, ignore=shutil.ignore_patterns("__pycache__"))
    if migrated:
        shutil.copy(migrated, base / "db.sqlite3")
    commands = (
        "git config --global user.name Kim; git config --global user.email kim@example.org",
        "git config --global init.defaultBranch main; git init --quiet; git init --quiet --bare ../origin.git",
        "git remote add origin ../origin.git; git add --all; git commit --quiet -m Begin",
        "git push --quiet -u origin main",
    )
    for command in commands:
        code, output = project.shell(command)
        assert code == 0, output
    return project


def _in_pipes(command: list[str], root: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def in_terminal(
    command: list[str], root: Path, environment: dict[str, str], answers: tuple[str, ...] = ()
) -> tuple[int, str]:
    """Run a command on a pseudo-terminal, and answer each question when it is asked."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=root, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    timer = threading.Timer(TIMEOUT, process.kill)
    timer.start()
    written, left = b"", list(answers)
    while data := _read(ours):
        written += data
        if left and written.endswith(b"]: "):
            os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    timer.cancel()
    return process.wait(), written.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the last writer has closed the terminal.
        return b""
