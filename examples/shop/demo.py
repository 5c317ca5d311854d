"""The main job in a minute: apply YAML files, change one, find an edit made in the admin, kill the leading Beat, and
let an agent apply what is pushed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = ROOT / ".demo"
SCHEDULES = DATA / "schedules"
BIN = Path(sys.executable).parent
ENVIRONMENT = {
    **os.environ,
    "DJANGO_SETTINGS_MODULE": "shop.settings",
    "PYTHONPATH": str(HERE),
    "PYTHONUNBUFFERED": "1",
    "SHOP_DATA": str(DATA),
}


def main() -> int:
    prepare()
    with (
        running("worker", "worker", "--pool", "solo", "--loglevel", "warning"),
        running("beat-1", "beat", "--pidfile=") as first,
        running("beat-2", "beat", "--pidfile=") as second,
    ):
        title("Apply the schedules, and wait until both Beats have loaded them")
        schedsync("validate", "schedules")
        schedsync("apply", "schedules", "--yes", "--wait")
        arriving("heartbeat", 2)

        title("Change a file: the heartbeat now runs every 2 seconds instead of 5")
        edit("every: 5s", "every: 2s")
        commit("Run the heartbeat more often")
        schedsync("plan", "schedules")
        schedsync("apply", "schedules", "--yes", "--wait")
        arriving("heartbeat", 3)
        print(f"Beat is still the processes {first.pid} and {second.pid}: both loaded the change without a restart.")

        title("Sam moves the heartbeat to another queue, in the admin and not in Git")
        call(sys.executable, str(HERE / "edit_in_admin.py"), "heartbeat", "queue", "sams-queue", shown=False)
        schedsync("drift", "schedules", expected=2)
        schedsync("apply", "schedules", "--yes", "--wait")
        schedsync("drift", "schedules")

        title("One Beat leads, the other stands by. Kill the leader (SIGKILL), and the other continues")
        schedsync("status")
        kill_the_leader()
        arriving("heartbeat", 2)
        schedsync("status")
        push_to_the_agent()
    print(NEXT)
    return 0


def push_to_the_agent() -> None:
    """Show an agent that applies a good commit, and keeps it when a broken one follows."""
    title("Let an agent apply what is pushed: it asks the remote every second, and CI needs no database")
    call("git", "clone", "--quiet", "--bare", ".", "origin.git", shown=False)
    words = ("agent", "--repository", "origin.git", "--interval", "1s", "--settle", "0")
    print(f"$ schedsync {' '.join(words)} &", flush=True)
    with running("agent", *words, "--directory", str(DATA / "fetched"), program="schedsync"):
        show("agent", "applied commit", 1)
        edit("every: 2s", "every: 1s")
        pushed = push("Run the heartbeat each second")
        show("agent", f"applied commit {pushed}", 1)
        arriving("heartbeat", 3)

        title("Push a broken file: nothing changes, and the agent's log says where the mistake is")
        edit("every: 1s", "every: 1 parsec")
        pushed = push("Run the heartbeat at the speed of light")
        show("agent", f"commit {pushed} is not applied", 1)
        arriving("heartbeat", 2)
        edit("every: 1 parsec", "every: 5s")
        pushed = push("Run the heartbeat every 5 seconds")
        show("agent", f"applied commit {pushed}", 1)


NEXT = """
That was the main job. To try more, edit .demo/schedules/shop.yaml, and run in a shell:
  cd .demo; export DJANGO_SETTINGS_MODULE=shop.settings PYTHONPATH=../examples/shop
  ../.venv/bin/schedsync plan      shows what an apply would change, and the effects
  ../.venv/bin/schedsync pause heartbeat --for 1h --reason "too loud"
  ../.venv/bin/schedsync doctor    looks for problems in settings, versions and rows
  ../.venv/bin/schedsync status    shows which Beat leads, and what is overdue
README.md says how to use schedsync in your own project."""


def prepare() -> None:
    shutil.rmtree(DATA, ignore_errors=True)
    shutil.copytree(ROOT / "schedules", SCHEDULES)
    shutil.copy(ROOT / "schedsync.toml", DATA)
    call("git", "init", "--quiet", "--initial-branch", "main", shown=False)
    commit("Begin")
    call(sys.executable, str(HERE / "manage.py"), "migrate", "--verbosity", "0", shown=False)


def commit(message: str) -> None:
    author = ("-c", "user.name=Kim", "-c", "user.email=kim@example.org", "-c", "commit.gpgsign=false")
    call("git", "add", "schedules", "schedsync.toml", shown=False)
    call("git", *author, "commit", "--quiet", "--message", message, shown=False)


def push(message: str) -> str:
    """Commit and push what was edited; returns the beginning of the commit's id, as logs have it."""
    commit(message)
    print("$ git push", flush=True)
    call("git", "push", "--quiet", "origin.git", "HEAD:main", shown=False)
    return subprocess.check_output(["git", "rev-parse", "--short=12", "HEAD"], cwd=DATA, text=True).strip()


def kill_the_leader() -> None:
    status = subprocess.run(
        [str(BIN / "schedsync"), "status", "--format", "json"],
        cwd=DATA,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    leader = next(beat for beat in json.loads(status.stdout)["beats"] if beat["leads"])
    pid = int(leader["name"].rpartition(":")[2])
    os.kill(pid, signal.SIGKILL)
    print(f"$ kill -KILL {pid}", flush=True)


def title(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def schedsync(*words: str, expected: int = 0) -> None:
    print(f"$ schedsync {' '.join(words)}", flush=True)
    call(str(BIN / "schedsync"), *words, expected=expected)
    if expected:
        print(f"(exit code {expected})", flush=True)


def call(*command: str, expected: int = 0, shown: bool = True) -> None:
    done = subprocess.run(command, cwd=DATA, env=ENVIRONMENT, check=False, capture_output=not shown, text=True)
    if done.returncode != expected:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr or ''}")


def edit(before: str, after: str) -> None:
    path = SCHEDULES / "shop.yaml"
    text = path.read_text()
    path.write_text(text.replace(before, after, 1))
    print(f"schedules/shop.yaml\n-    {before}\n+    {after}", flush=True)


@contextlib.contextmanager
def running(name: str, *words: str, program: str = "celery") -> Iterator["subprocess.Popen[bytes]"]:
    """Run Celery's worker, a Beat or an agent, and always stop it at the end."""
    log = DATA / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / program), *(["--app", "shop"] if program == "celery" else []), *words],
            cwd=DATA, env=ENVIRONMENT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def arriving(text: str, count: int) -> None:
    """Show the next ``count`` log lines of the worker that contain the text; fail after 60 seconds."""
    show("worker", text, count, since=len(lines_of("worker")))


def show(name: str, text: str, count: int, *, since: int = 0) -> None:
    """Show ``count`` lines with the text of a log, after its first ``since`` lines; fail after 60 seconds."""
    print(f"The {name}:", flush=True)
    seen, until = since, time.monotonic() + 60
    while count and time.monotonic() < until:
        lines = lines_of(name)
        for line in lines[seen:]:
            if text in line and count:
                print(f"  {line}", flush=True)
                count -= 1
        seen = len(lines)
        time.sleep(0.1)
    if count:
        raise SystemExit(f"no {text} in {name}.log in 60 seconds; see the logs in {DATA}")


def lines_of(name: str) -> list[str]:
    """Return the whole lines of a log."""
    whole, _, _ = (DATA / f"{name}.log").read_text(errors="replace").rpartition("\n")
    return whole.splitlines()


if __name__ == "__main__":
    sys.exit(main())
