"""A remote, a host or another program that does its worst: the agent says so, goes on, and comes back by itself."""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schedsync.errors import Failed, Refused, Unavailable, WrongUsage
from schedsync.git.bounded_process import Limits, run_bounded
from schedsync.git.following import next_commit
from schedsync.git.mirror import Mirror, open_mirror
from schedsync.git.remote import Remote
from tests.git.remotes import Origin

ONE = {"schedules/a.yaml": "version: 1\n"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin.git")


@pytest.fixture
def mirror(origin: Origin, tmp_path: Path) -> Iterator[Mirror]:
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as opened:
        yield opened


def followed(mirror: Mirror) -> str:
    return next_commit(mirror, None, allow_rewind=False).commit


@pytest.mark.parametrize("odd", ["v9\u2028x", "v9\u00a0x", "v9\u0085x", "v9-\u202eb", "v9'\"$(x)"])
def test_a_name_of_a_tag_may_hold_any_character(origin: Origin, tmp_path: Path, odd: str) -> None:
    commit = origin.commit(ONE)
    origin.git("update-ref", f"refs/tags/{odd}", commit)
    with open_mirror(Remote(str(origin.root), tags="v*"), tmp_path / "mirror") as mirror:
        assert followed(mirror) == commit


@pytest.mark.parametrize("odd", ["v9\nx", "v9\x1b[31m", "v9..x", "-v9", "v9.lock"])
def test_a_remote_may_name_a_reference_that_git_forbids(origin: Origin, tmp_path: Path, odd: str) -> None:
    commit = origin.commit(ONE)
    origin.git("tag", "v1", commit)
    with (origin.root / "packed-refs").open("a", encoding="utf-8") as file:
        file.write(f"{commit} refs/tags/{odd}\n{commit} refs/heads/{odd}\n")
    for remote in (Remote(str(origin.root), tags="v*"), Remote(str(origin.root))):
        with open_mirror(remote, tmp_path / "mirror") as mirror:
            try:
                found = followed(mirror)
            except Unavailable as error:
                found = commit if error.message.isprintable() else ""

        assert found == commit


def test_a_release_comes_after_its_candidates_and_a_moved_tag_is_no_way_back(origin: Origin, tmp_path: Path) -> None:
    first, second, third = (origin.commit({"a": name}) for name in "123")
    origin.git("tag", "v2.0-rc1", first)
    origin.git("tag", "v2.0", second)
    with open_mirror(Remote(str(origin.root), tags="v*"), tmp_path / "mirror") as mirror:
        assert followed(mirror) == second
        mirror.note_applied(second)
        origin.git("tag", "--force", "v2.0", third)
        assert followed(mirror) == third
        mirror.note_applied(third)
        origin.git("tag", "--force", "v2.0", first)
        with pytest.raises(Refused) as refused:
            followed(mirror)

    assert [refusal.code for refusal in refused.value.refusals] == ["rewound"]


def test_a_repository_of_sha256_is_followed(tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin.git", "sha256")
    first = origin.commit(ONE)
    for _ in range(2):
        # The second time the directory is there.
        with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
            assert (len(first), followed(mirror), mirror.repository.algorithm) == (64, first, "sha256")
            assert mirror.repository.message(first) == "a commit\n"
            mirror.note_applied(first)
    other = Origin(tmp_path / "other.git")
    other.commit(ONE)
    with (
        open_mirror(Remote(str(other.root)), tmp_path / "mirror") as mirror,
        pytest.raises(Unavailable, match="mismatched algorithms: client sha256; server sha1"),
    ):
        followed(mirror)


def test_the_directory_of_a_sha256_repository_may_be_lost_while_it_is_in_use(tmp_path: Path) -> None:
    origin = Origin(tmp_path / "origin.git", "sha256")
    first = origin.commit(ONE)
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        mirror.note_applied(followed(mirror))
        shutil.rmtree(tmp_path / "mirror" / ".git")
        second = origin.commit({"a": "1"})

        assert (mirror.applied, followed(mirror)) == (first, second)


def test_a_shallow_remote_is_refused_clearly_also_later(origin: Origin, tmp_path: Path) -> None:
    first = origin.commit(ONE)
    whole = Remote(str(origin.root))
    with open_mirror(whole, tmp_path / "mirror") as mirror:
        assert followed(mirror) == first
        for number in range(2):
            origin.commit({"a": str(number)})
        url = f"file://{origin.root}"
        subprocess.run(["git", "clone", "-q", "--bare", "--depth=1", url, str(tmp_path / "shallow")], check=True)
        origin.root.rename(tmp_path / "away")
        (tmp_path / "shallow").rename(origin.root)
        with pytest.raises(Failed, match="shallow roots are not allowed"):
            followed(mirror)
    with (
        open_mirror(Remote(str(origin.root), tags="v*"), tmp_path / "mirror") as mirror,
        pytest.raises(Failed, match="no tag of a commit that fits"),
    ):
        followed(mirror)


def test_a_remote_of_another_user_is_refused_with_the_way_out(
    origin: Origin, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit(ONE)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(Unavailable, match=r"dubious ownership .* git config --global --add safe.directory"):
        followed(mirror)


def test_no_variable_of_the_process_leads_to_another_repository(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit(ONE)
    elsewhere = str(tmp_path / "elsewhere")
    variables = {
        "GIT_CONFIG_PARAMETERS": "'core.bare=false'", "GIT_DEFAULT_HASH": "sha256", "GIT_NAMESPACE": "x",
        "GIT_SHALLOW_FILE": "/etc/passwd", "GIT_GRAFT_FILE": "/etc/passwd",
        **{f"GIT_{name}": elsewhere for name in ("OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR",
                                                 "DIR", "INDEX_FILE", "WORK_TREE", "QUARANTINE_PATH")},
    }  # fmt: skip
    with monkeypatch.context() as changed:
        for name, value in variables.items():
            changed.setenv(name, value)
        with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
            assert followed(mirror) == commit
            mirror.note_applied(commit)
        assert {name: os.environ[name] for name in variables} == variables
    assert not Path(elsewhere).exists()


def test_what_another_program_wrote_into_the_repository_starts_and_reads_nothing(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = origin.commit(ONE)
    remote, root = Remote(f"ssh://127.0.0.1{origin.root}"), tmp_path / "mirror" / ".git"
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        followed(mirror)
    mark = tmp_path / "mark"
    with (root / "config").open("a") as file:
        file.write(f'[core]\n\tsshCommand = touch {mark};\n\tfsmonitor = touch {mark};\n\thooksPath = hooks\n'
                   f'[remote "{remote.url}"]\n\turl = {origin.root}\n\tuploadpack = touch {mark};\n'
                   f'[gpg]\n\tprogram = touch {mark};\n[include]\n\tpath = /etc/passwd\n')  # fmt: skip
    (root / "hooks").mkdir()
    (root / "hooks/reference-transaction").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (root / "hooks/reference-transaction").chmod(0o755)
    (root / "objects/info").mkdir(exist_ok=True)
    (root / "objects/info/alternates").write_text("/nowhere\n")
    (root / "shallow").write_text(f"{first}\n")
    origin.git("update-ref", f"refs/replace/{first}", first)
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    with open_mirror(remote, tmp_path / "mirror") as mirror, pytest.raises(Unavailable):
        followed(mirror)
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        assert followed(mirror) == first
    assert (mark.exists(), (root / "hooks").exists(), (root / "shallow").exists()) == (False, False, False)
    assert (root / "config").read_text().count("[") == 1


@pytest.mark.parametrize("how", ["a link", "writable by all"])
def test_a_repository_that_is_not_ours_is_made_again(origin: Origin, tmp_path: Path, how: str) -> None:
    origin.commit(ONE)
    remote, root = Remote(str(origin.root)), tmp_path / "mirror" / ".git"
    with open_mirror(remote, tmp_path / "mirror") as mirror:
        mirror.note_applied(followed(mirror))
    if how == "a link":
        root.rename(tmp_path / "theirs")
        root.symlink_to(tmp_path / "theirs")
    else:
        root.chmod(0o777)
    with open_mirror(remote, tmp_path / "mirror") as mirror:
        assert (mirror.applied, root.is_symlink(), root.stat().st_mode & 0o002) == (None, False, 0)


@pytest.mark.parametrize("what", [".", ".git"])
def test_a_directory_that_is_deleted_meanwhile_is_fetched_again(origin: Origin, mirror: Mirror, what: str) -> None:
    first = origin.commit(ONE)
    mirror.note_applied(followed(mirror))
    assert mirror.repository.message(first) == "a commit\n"
    subprocess.run(["rm", "-rf", str(mirror.root / what)], check=True)

    assert (followed(mirror), mirror.applied) == (first, first)
    assert mirror.repository.message(first) == "a commit\n"


def test_the_directory_does_not_grow_by_what_was_rewritten(origin: Origin, mirror: Mirror) -> None:
    mirror._memory.most_packs = 3
    for number in range(5):
        last = origin.commit({"a": str(number)}, None)
        mirror.fetch()
    git = ["git", "-C", str(mirror.root / ".git")]
    counted = subprocess.run([*git, "count-objects", "-v"], check=True, capture_output=True, text=True).stdout

    # Three objects of the fourth commit, which was the last one before all packs became one; then those of the fifth.
    assert {"count: 0", "in-pack: 6", "packs: 2"} <= {*counted.splitlines()}
    assert (mirror.repository.find(last), mirror._memory.most_packs) == (last, 51)


def test_what_was_rewritten_makes_room_where_the_directory_is_full(origin: Origin, mirror: Mirror) -> None:
    object.__setattr__(mirror, "most_bytes", 300_000)
    noise = [os.urandom(60_000).hex() for _ in range(6)]
    fetched, refused = [], []
    for number in range(12):
        commit = origin.commit({"noise": noise[number // 2]}, None)
        try:
            fetched.append(mirror.fetch().commit == commit)
        except Unavailable as error:
            refused.append("it is larger than 300,000 bytes" in error.message)

    assert (all(fetched), all(refused), len(fetched) > 6) == (True, True, True)


def test_what_was_killed_while_it_tidied_stops_nothing(
    origin: Origin, mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    mirror._memory.most_packs = 0
    commit = origin.commit(ONE)
    (mirror.root / ".git/objects/pack/multi-pack-index.lock").mkdir(parents=True)
    (mirror.root / ".git/packed-refs.lock").write_text("")
    (mirror.root / ".git/gc.pid").write_text(f"{os.getpid()} here\n")
    (mirror.root / ".git/shallow.lock").write_text("")
    (mirror.root / ".git/objects/pack/pack-x.keep").write_text("fetch-pack 1 on here\n")

    assert followed(mirror) == commit
    assert (mirror.root / ".git/packed-refs").exists()
    assert caplog.records == []


def test_a_commit_that_cannot_be_noted_is_remembered(
    origin: Origin, mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    commit = origin.commit(ONE)
    assert followed(mirror) == commit
    with full_disk():
        mirror.note_applied(commit)
        assert mirror.applied == commit
        origin_text = [record.message for record in caplog.records]
    mirror.note_applied(commit)

    assert (len(origin_text), "compared with the tables again" in origin_text[0]) == (1, True)
    assert mirror.repository.find("refs/schedsync/fetched") == commit


def test_a_full_disk_is_said_and_comes_back(origin: Origin, tmp_path: Path) -> None:
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        first = origin.commit(ONE)
        mirror.note_applied(followed(mirror))
        second = origin.commit({"noise": os.urandom(50_000).hex()})
        with full_disk(), pytest.raises(Unavailable, match=r"SIGXFSZ|File too large|index-pack"):
            followed(mirror)
        assert mirror.applied == first
        assert followed(mirror) == second


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no process of Git write to a file, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


AGENT = """
import sys
from pathlib import Path
from schedsync.git.mirror import open_mirror
from schedsync.git.remote import Remote
with open_mirror(Remote(sys.argv[1]), Path(sys.argv[2])) as mirror:
    print("open", flush=True)
    while True:
        mirror._memory.most_packs = 0
        mirror.note_applied(mirror.fetch().commit)
        print("fetched", flush=True)
"""


def test_an_agent_that_is_killed_at_any_point_starts_again(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit(ONE)
    words = [sys.executable, "-c", AGENT, str(origin.root), str(tmp_path / "mirror")]
    for number in range(4):
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as agent:
            assert agent.stdout is not None
            assert agent.stdout.readline() == b"open\n"
            commit = origin.commit({"a": str(number)})
            if number % 2:
                agent.stdout.readline()
            # Each time it is a little further.
            for _ in range(number * 20_000):
                pass
            agent.kill()
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        assert followed(mirror) == commit
        mirror.note_applied(commit)
    assert sorted(path.name for path in (tmp_path / "mirror").iterdir()) == [".git", "lock"]
    assert list((tmp_path / "mirror/.git").rglob("*.lock")) == []


def test_a_git_whose_agent_was_killed_is_ended(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = origin.commit(ONE)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"echo $$ > {tmp_path}/pid; exec sleep 600 #")
    words = [sys.executable, "-c", AGENT, "ssh://nowhere/x", str(tmp_path / "mirror")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as agent:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            assert agent.poll() is None
        agent.kill()
    number = int((tmp_path / "pid").read_text())
    os.kill(number, 0)
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        assert followed(mirror) == commit
    while is_running(number):
        pass


@pytest.mark.parametrize("kind", ["a link", "of another user"])
def test_who_may_write_into_the_directory_does_not_choose_what_is_ended(
    origin: Origin, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.commit(ONE)
    (tmp_path / "mirror").mkdir()
    child = tmp_path / "mirror/child"
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as sleep:
        (tmp_path / "number").write_text(str(sleep.pid))
        if kind == "a link":
            child.symlink_to(tmp_path / "number")
        else:
            (tmp_path / "number").rename(child)
            monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with child.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            said = ""
            try:
                with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
                    followed(mirror)
            except WrongUsage as error:
                said = error.message
        assert ("another agent uses" in said, sleep.poll()) == (kind == "of another user", None)
        sleep.kill()


def test_a_git_that_would_not_see_our_settings_is_refused(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\necho git version 2.30.2\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(WrongUsage, match=r"Git 2.30.2 is too old"):
        open_mirror(Remote(str(origin.root)), tmp_path / "mirror").__enter__()


def is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    # Nobody waits for what has lost its parent in a container without an init.
    return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z" if Path("/proc/self").exists() else True


def test_a_process_that_reads_objects_is_started_again_if_it_was_killed(origin: Origin, mirror: Mirror) -> None:
    commit = origin.commit(ONE)
    followed(mirror)
    for _ in range(2):
        assert mirror.repository.message(commit) == "a commit\n"
        for process in mirror.repository.objects._processes.values():
            process.proc.kill()
            process.proc.wait()


def test_a_small_pack_does_not_fill_the_memory(origin: Origin, tmp_path: Path) -> None:
    """A delta that copies 16 MB of zeros twenty times."""
    file = tmp_path / "bomb.pack"
    file.write_bytes(bomb(20))
    assert file.stat().st_size < 20_000
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        words = ["index-pack", str(file)]
        ended = run_bounded(mirror.command, words, Limits(60, 2**30, lambda: 0, memory=150 * 2**20))

    assert (ended.status != 0, "Out of memory" in ended.reason) == (True, True)


def bomb(copies: int) -> bytes:
    base = bytes(2**24 - 1)
    delta = _length(len(base)) + _length(len(base) * copies) + b"\xf0\xff\xff\xff" * copies
    name = hashlib.sha1(b"blob %d\0" % len(base) + base).digest()
    body = b"PACK" + struct.pack(">II", 2, 2) + _head(3, len(base)) + zlib.compress(base)
    body += _head(7, len(delta)) + name + zlib.compress(delta)
    return body + hashlib.sha1(body).digest()


def _length(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + _length(number >> 7) if number > 0x7F else bytes([number])


def _head(kind: int, size: int) -> bytes:
    first, rest = kind << 4 | size & 15, size >> 4
    return bytes([first | 0x80]) + _length(rest) if rest else bytes([first])


@pytest.mark.parametrize(
    ("url", "said", "shown"),
    [
        ("ssh://git@github.com/a", "git@github.com: Permission denied", "git@github.com: Permission denied"),
        ("https://t0ken-abcdef@h/a", "no t0ken-abcdef", "no ***"),
        ("https://git@github.com/a", "no github.com", "no github.com"),
        ("https://bot:p%40ss-word@h/a", "p@ss-word, p%40ss-word, bot:p%40ss-word", "***, ***, ***"),
        ("https://h/a?private=abcdef", "unable to access 'https://h/a?private=abcdef/': private=abcdef",
         "unable to access 'https://h/a/': ***"),
        ("https://h/a", "ab\x1b[31mc\nremote: d", "ab\\u001b[31mc remote: d"),
    ],
)  # fmt: skip
def test_what_git_says_shows_no_credentials(url: str, said: str, shown: str) -> None:
    assert Remote(url).without_credentials(said) == shown


def test_a_directory_that_cannot_be_taken_back_is_named(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/.git").write_text("gitdir: /nowhere\n")
    with pytest.raises(WrongUsage, match="is not ours, and cannot be deleted"):
        open_mirror(Remote(str(origin.root)), tmp_path / "mirror").__enter__()


def test_a_signal_that_ended_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "kill -9 $PPID #")
    with (
        open_mirror(Remote("ssh://nowhere/x"), tmp_path / "other") as other,
        pytest.raises(Unavailable, match=f"ended by {signal.SIGKILL.name}"),
    ):
        other.fetch()
