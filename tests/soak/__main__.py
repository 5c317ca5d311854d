"""Run a soak on PostgreSQL and Redis, and say what does not hold: ``python -m tests.soak --minutes 10 --seed 1``."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import started

if TYPE_CHECKING:
    from tests.soak.facts import Facts
    from tests.soak.story import Story

#: Seconds to wait for a condition before the soak has failed.
_PATIENCE = 300.0
#: Seconds after which a tick is surely run, though Beats and workers were killed meanwhile.
_LATE = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long things happen")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="the same seed chooses the same acts")
    wanted = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="schedsync-soak-"))
    print(f"seed {wanted.seed}; logs in {root}", flush=True)
    with started({"PostgreSQL", "Redis"}) as services:
        if services.missing:
            sys.exit(f"missing: {services.missing}")
        os.environ |= services.environment() | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
        import django

        django.setup()
        found = _soak(root, services.brokers["redis"], wanted.minutes * 60, wanted.seed)
    if not found:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if found else 0


def _soak(root: Path, broker: str, seconds: float, seed: int) -> list[str]:
    from tests.acceptance.shop import shop
    from tests.faults.arena import Arena
    from tests.git.remotes import Origin
    from tests.soak.crew import crew
    from tests.soak.files import Files
    from tests.soak.story import Story

    chance = random.Random(seed)
    with shop("postgresql", broker, root) as made:
        made.environment.update(DJANGO_SETTINGS_MODULE="tests.soak.settings", SOAK_RUNS=str(root / "runs.jsonl"))
        arena, origin = Arena("postgresql", made), Origin(root / "origin.git")
        with crew(made, origin.root) as running:
            story = Story(chance, origin, arena, running, Files(chance))
            story.push()
            began = time.time()
            _until(story, lambda: len(_names(root)) > 5)
            while (left := began + seconds - time.time()) > 0:
                story.go_on(min(60.0, left))
                print(f"{time.time() - began:.0f} s: {story.counts()}", *_so_far(story, began), sep="\n  ", flush=True)
            facts = _quiet(story, began)
        return _report(story, facts)


def _names(root: Path) -> set[str]:
    from tests.soak import reading

    return {run.name for run in reading.runs(root / "runs.jsonl")}


def _until(story: Story, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise SystemExit(f"it did not happen in {_PATIENCE:g} s; see {story.shop.root}")
        story.wait(0.5)


def _so_far(story: Story, began: float) -> list[str]:
    """Return what already does not hold, as to ticks that the workers must have run by now."""
    from tests.soak import reading
    from tests.soak.facts import Facts
    from tests.soak.invariants import violations_so_far

    now, root, arena = time.time(), story.shop.root, story.arena
    runs = [run for run in reading.runs(root / "runs.jsonl") if run.tick < now - _LATE]
    journal = [noted for noted in reading.journal(arena) if noted.tick < now - _LATE]
    records, agents = reading.records(arena), reading.agents(root)
    return violations_so_far(Facts(began, now, now, runs, story.happenings, records, journal=journal, agents=agents))


def _quiet(story: Story, began: float) -> Facts:
    """Disturb nothing any more, wait until all is done, end everything, and read the facts."""
    from tests.soak import reading
    from tests.soak.facts import Facts, family

    root, arena = story.shop.root, story.arena
    story.push()
    quiet = time.time()
    print("quiet", flush=True)
    _until(story, lambda: reading.applied_commit(arena) == story.last_commit)

    def all_ran() -> bool:
        late = {family(run.name) for run in reading.runs(root / "runs.jsonl") if run.tick > quiet + 5}
        return {family(name) for name in reading.ledger(arena)} <= late

    _until(story, all_ran)
    drift = story.shop.run("drift", str(_checkout(story)))
    story.crew.end("agent")
    story.crew.end("beat")
    _until(story, lambda: _is_drained(story))
    story.crew.end("worker")
    return Facts(
        began, quiet, time.time(), reading.runs(root / "runs.jsonl"), story.happenings, reading.records(arena),
        reading.rows(arena), reading.ledger(arena), reading.claims(arena), reading.journal(arena),
        reading.agents(root), drift.stdout + drift.stderr if drift.returncode else "", story.last_commit,
        reading.applied_commit(arena),
    )  # fmt: skip


def _checkout(story: Story) -> Path:
    """Return a directory with the files of the last commit."""
    target = story.shop.root / "clone"
    subprocess.run(["git", "clone", "--quiet", str(story.origin.root), str(target)], check=True)
    return target / "schedules"


def _is_drained(story: Story) -> bool:
    """Say whether the workers have run, and confirmed, everything in the broker."""
    import redis

    with redis.Redis.from_url(story.shop.environment["SHOP_BROKER"]) as client:
        return not any(client.exists(key) for key in ("celery", "elsewhere", "unacked"))


def _report(story: Story, facts: Facts) -> list[str]:
    from tests.soak.invariants import died_with_a_worker, repeats, violations

    (story.shop.root / "facts.json").write_text(json.dumps(asdict(facts), indent=1))
    found = violations(facts)
    starts = {member.name: member.starts for member in story.crew.members.values()}
    print(f"what happened: {story.counts()}\nstarts: {starts}")
    ticks, epochs = len({run.id for run in facts.runs}), len({noted.epoch for noted in facts.journal})
    print(f"{ticks} ticks ran in {facts.ended - facts.began:.0f} s, {repeats(facts)} again under their id")
    print(f"the journal has {len(facts.journal)}, by {epochs} epochs of Beats")
    print(f"{len(died_with_a_worker(facts))} messages died with a worker that was killed as it took them")
    print(f"{len(facts.records)} audit records, {len(facts.agents)} epochs of agents")
    print("\n".join(found[:50]) if found else "everything holds", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
