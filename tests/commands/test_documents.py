"""A file that a verb reads is checked before it is used; a file that a verb writes is never half written."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schedsync.commands.output import write_file
from schedsync.errors import Failed, WrongUsage
from tests.conftest import Project

ROOT = Path(__file__).parents[2]
SAVED = ROOT / "tests/planning/saved"
SCHEDULES = "  one: {task: t, every: 1h}\n"
#: What each verb reads: the words before the file.
READERS = {
    "plan": ("plan.json", ["apply", "schedules", "--yes", "--plan"]),
    "snapshot": ("snapshot.json", ["plan", "schedules", "--against"]),
}


def broken_text(edit: Callable[[str], str | bytes]) -> Callable[[str], bytes]:
    def apply(text: str) -> bytes:
        result = edit(text)
        return result if isinstance(result, bytes) else result.encode()

    return apply


def member(path: str, value: Any) -> Callable[[str], bytes]:
    """Return an edit that puts a value at a path such as ``changes.0.apply.row``."""

    def apply(text: str) -> bytes:
        values = json.loads(text)
        *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
        place = values
        for step in steps:
            place = place[step]
        place[last] = value
        return json.dumps(values).encode()

    return apply


TEXTS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "brackets": (broken_text(lambda _: "[" * 100_000), "levels deep"),
    "braces": (broken_text(lambda _: '{"a":' * 100_000), "levels deep"),
    "deep": (broken_text(lambda _: "[" * 500 + "]" * 500), "levels deep"),
    "empty": (broken_text(lambda _: ""), "Expecting value"),
    "half": (broken_text(lambda text: text[: len(text) // 2]), ""),
    "a list": (broken_text(lambda _: "[]"), "the document takes a mapping, not a list"),
    "a number": (broken_text(lambda _: "1"), "the document takes a mapping, not a number"),
    "not UTF-8": (broken_text(lambda _: b'{"set": "\xff"}'), "it is not UTF-8 at byte 9"),
    "UTF-16": (broken_text(lambda text: text.encode("utf-16")), "it is not UTF-8 at byte 0"),
    "NaN": (broken_text(lambda text: text.replace("1,", "NaN,", 1)), "`NaN` is not a number"),
    "infinite": (broken_text(lambda text: text.replace("1,", "1e999,", 1)), "`1e999` is not a number"),
    "long number": (broken_text(lambda text: text.replace("1,", "9" * 5000 + ",", 1)), "is not a number"),
    "version": (member("version", 2), "`version` takes 1, not `2`"),
    "unknown": (member("extra", 1), "the document has an unknown key `extra`"),
    "surrogate": (member("set", "\ud800"), "a lone surrogate"),
}
MEMBERS = {
    "plan": {
        "row": (member("changes.0.apply.row", []), "`changes[0].apply.row` takes a whole number, not a list"),
        "row too big": (member("changes.0.apply.row", 2**70), "`changes[0].apply.row` must be at most"),
        "line": (member("changes.0.location.line", 2**70), "`changes[0].location.line` must be at most 2147483647"),
        "commit": (member("commit", "\udc80"), "a lone surrogate"),
        "commit 2": (member("commit", 5), "`commit` takes text, not a number"),
        "kind": (member("changes.0.kind", "drop"), "`changes[0].kind` takes one of"),
        "field": (member("changes.0.fields.0.field", "id"), "`changes[0].fields[0].field` takes one of"),
        "unknown": (member("changes.0.sql", "x"), "`changes[0]` has an unknown key `sql`"),
        "rename": (member("changes.0.kind", "rename"), "a key is missing or unknown: 'old_name'"),
        "deeper": (member("changes.0.fields.0.after", json.loads("[" * 200 + "]" * 200)), "levels deep"),
    },
    "snapshot": {
        "row": (member("rows.0.id", "1"), "`rows[0].id` takes a whole number"),
        "count": (member("rows.0.total_run_count", 2**70), "must be at most"),
        "line": (member("ledger.0.location.line", 2**70), "must be at most 2147483647"),
        "created_at": (member("created_at", "2026-99-99T00:00:00Z"), ""),
        "since": (member("rows.0.last_run_at", "yesterday"), ""),
        "timing": (member("rows.0.fields", {"task": "t", "timing": {"every": "9" * 30 + "d"}}), ""),
        "crontab": (member("rows.0.fields", {"task": "t", "timing": {"crontab": "*"}}), ""),
        "no timing": (member("rows.0.fields", {"task": "t"}), ""),
        "unknown": (member("rows.0.fields", {"task": "t", "timing": {"every": "1h"}, "sql": 1}), ""),
        "unknown 2": (member("rows.0.sql", "x"), "`rows[0]` has an unknown key `sql`"),
        "commit": (member("last", {"commit": "\ud800"}), ""),
    },
}


CASES = [
    (kind, f"{kind}: {name}", edit, message)
    for kind in READERS
    for name, (edit, message) in (TEXTS | MEMBERS[kind]).items()
]


@pytest.mark.parametrize(("kind", "name", "edit", "message"), CASES, ids=[case[1].replace(" ", "-") for case in CASES])
def test_a_damaged_file_is_refused_in_words(
    files: Project, kind: str, name: str, edit: Callable[[str], bytes], message: str
) -> None:
    files.schedules(SCHEDULES)
    file, words = READERS[kind]
    (files.root / file).write_bytes(edit((SAVED / file).read_text()))
    done = files.command(*words, file)

    assert (done.code, message in done.err) == (64, True), done.err
    assert done.err.startswith(f"error: `{READERS[kind][0]}` is no ")
    assert "Traceback" not in done.err
    assert max(map(len, done.err.splitlines())) < 320


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_refused_without_waiting(
    files: Project, kind: str, make: Callable[[Path], None]
) -> None:
    files.schedules(SCHEDULES)
    name, words = READERS[kind]
    make(files.root / name)

    assert files.command(*words, name).code == 64


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_is_too_large_is_not_read(files: Project, kind: str) -> None:
    files.schedules(SCHEDULES)
    name, words = READERS[kind]
    with (files.root / name).open("wb") as stream:
        stream.truncate(256 * 2**20 + 1)
    done = files.command(*words, name)

    assert (done.code, "it is larger than 256 MB" in done.err) == (64, True)


HOSTILE = [None, True, 0, -1, 2**62, 1.5, "", "x", "\x00", "9" * 300, [], [[]], {}, {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


def test_no_value_of_a_snapshot_ends_in_a_traceback(files: Project) -> None:
    files.schedules("  report: {task: shop.report, every: 1h}\n  new: {task: t, crontab: '0 1 * * *'}\n")
    good = json.loads((SAVED / "snapshot.json").read_text())
    codes: set[int] = set()
    for path in list(places(good)):
        for value in HOSTILE:
            values = json.loads(json.dumps(good))
            place = values
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            (files.root / "snapshot.json").write_text(json.dumps(values))
            try:
                codes.add(files.command("plan", "schedules", "--against", "snapshot.json").code)
            except Exception as error:
                raise AssertionError(f"{path} = {value!r}") from error

    assert codes <= {0, 1, 3, 64}


# What is written.


def test_a_file_is_written_beside_and_renamed(tmp_path: Path) -> None:
    target, link = tmp_path / "plan.json", tmp_path / "link.json"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with target.open() as reader:
        write_file("new", link)

        assert reader.read() == "old"
    assert (target.read_text(), link.is_symlink()) == ("new", True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "plan.json"]


def test_a_new_file_has_the_permissions_of_the_user(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file("new", tmp_path / "plan.json")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o640


def test_a_file_that_cannot_be_replaced_is_written_in_place() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        target = directory / "plan.json"
        target.write_text("a longer old text")
        target.chmod(0o666)
        directory.chmod(0o555)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.getuid() == 0:
                    os.setuid(65534)
                write_file("new", target)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert target.read_text() == "new"
        directory.chmod(0o755)


@pytest.mark.parametrize("old", [None, "old"])
def test_a_full_disk_leaves_no_half_a_file(tmp_path: Path, old: str | None) -> None:
    target = tmp_path / "plan.json"
    if old is not None:
        target.write_text(old)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(Failed, match="cannot write"):
            write_file("x" * 100_000, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert [path.name for path in tmp_path.iterdir()] == ([] if old is None else ["plan.json"])
    assert old is None or target.read_text() == old


def test_a_full_device_is_no_wrong_usage(files: Project) -> None:
    files.schedules(SCHEDULES)
    (files.root / "snapshot.json").write_text((SAVED / "snapshot.json").read_text())
    done = files.command("plan", "schedules", "--against", "snapshot.json", "--out", "/dev/full")

    assert (done.code, "error: cannot write `/dev/full`: No space left on device" in done.err) == (1, True), done.err


@pytest.mark.parametrize("place", ["nowhere/plan.json", "file/plan.json"])
def test_a_place_that_is_not_there_is_wrong_usage(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongUsage, match="cannot write"):
        write_file("x", tmp_path / place)


def test_a_pipe_gets_what_is_written(tmp_path: Path) -> None:
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    write_file("new", pipe)
    reader.join()

    assert (found, stat.S_ISFIFO(pipe.stat().st_mode)) == (["new"], True)


@pytest.mark.parametrize("to_file", [True, False])
def test_dev_stdout_is_stdout(tmp_path: Path, to_file: bool) -> None:
    command = [sys.executable, "-m", "schedsync", "schema", "plan", "--out", "/dev/stdout"]
    if to_file:
        with (tmp_path / "out").open("w") as stream:
            subprocess.run(command, stdout=stream, stderr=subprocess.DEVNULL, check=True, cwd=ROOT)
        text = (tmp_path / "out").read_text()
    else:
        text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    assert json.loads(text)["title"] == "schedsync plan, version 1"
