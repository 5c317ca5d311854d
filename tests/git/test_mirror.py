"""One branch or some tags of a remote are fetched into a directory of their own, whatever the remote does."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedsync.errors import Failed, Refused, Unavailable, WrongUsage
from schedsync.git.following import next_commit
from schedsync.git.mirror import Mirror, open_mirror
from schedsync.git.remote import Remote
from tests.git.remotes import Origin, answering, daemon, stalling

ONE = {"schedules/a.yaml": "version: 1\n"}


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin.git")


@pytest.fixture
def mirror(origin: Origin, tmp_path: Path) -> Iterator[Mirror]:
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as opened:
        yield opened


def followed(mirror: Mirror, *, allow_rewind: bool = False) -> str:
    return next_commit(mirror, None, allow_rewind=allow_rewind).commit


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch", "-x", "ext::sh -c touch% x", "a b", "https://h/a\nb", "fd::7", "", "ftp://h/a",
        "https://h/\x1b]0;x", "C::x",
    ],
)  # fmt: skip
def test_an_address_that_git_must_not_see_is_refused(url: str) -> None:
    with pytest.raises(WrongUsage, match="no address of a repository"):
        Remote(url)


@pytest.mark.parametrize(
    "name",
    [
        "--output=x",
        "-d",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "a..b",
        "a b",
        "",
        "a:b",
        "+a",
        "a*",
        "@{-1}",
        "a.lock",
        "/a",
        "a~1",
    ],
)
def test_a_name_that_git_must_not_see_is_refused(name: str) -> None:
    with pytest.raises(WrongUsage, match="is not a valid branch"):
        Remote("https://example.org/shop.git", name)
    with pytest.raises(WrongUsage, match="is not a valid pattern of tags"):
        Remote("https://example.org/shop.git", tags=f"{name}*" if name == "a*" else name)


@pytest.mark.parametrize(
    ("url", "protocols", "shown"),
    [
        ("https://bot:s3cret@example.org/shop.git", "https", "https://example.org/shop.git"),
        ("git@example.org:acme/shop.git", "ssh", "git@example.org:acme/shop.git"),
        ("ssh://git@example.org/shop", "ssh", "ssh://example.org/shop"),
        ("http://example.org/shop", "http:https", "http://example.org/shop"),
        ("/srv/git/shop.git", "file", "/srv/git/shop.git"),
    ],
)
def test_only_the_transport_of_the_address_is_allowed(url: str, protocols: str, shown: str) -> None:
    remote = Remote(url)

    assert (remote.protocols, remote.shown) == (protocols, shown)
    assert "s3cret" not in remote.without_credentials(f"fatal: {url} said {'s3cret' if 's3cret' in url else ''}")


def test_the_last_commit_of_the_branch_is_next(origin: Origin, mirror: Mirror) -> None:
    first = origin.commit(ONE)
    assert followed(mirror) == first
    mirror.note_applied(first)
    commits = [origin.commit({"a": str(number)}) for number in range(20)]

    assert followed(mirror) == commits[-1]
    assert not (mirror.root / ".git" / "index").exists()


def test_a_path_is_seen_from_the_working_directory(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = origin.commit(ONE)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with open_mirror(Remote("../origin.git"), Path("mirror")) as mirror:
        assert mirror.fetch().commit == commit


@pytest.mark.parametrize("parent", ["main~1", None])
def test_a_rewound_or_rewritten_branch_is_refused_unless_it_is_allowed(
    origin: Origin, mirror: Mirror, parent: str | None
) -> None:
    origin.commit(ONE)
    last = origin.commit({"a": "1"})
    mirror.note_applied(followed(mirror))
    rewritten = origin.commit({"a": "2"}, parent)
    with pytest.raises(Refused) as refused:
        followed(mirror)

    assert [refusal.code for refusal in refused.value.refusals] == ["rewound"]
    assert (mirror.applied, followed(mirror, allow_rewind=True)) == (last, rewritten)


def test_the_tag_of_the_highest_version_is_followed(origin: Origin, tmp_path: Path) -> None:
    commits = [origin.commit({"a": str(number)}) for number in range(4)]
    for name, commit in zip(("v1.2", "v1.10", "w9", "v1.9"), commits, strict=True):
        origin.git("tag", name, commit)
    origin.git("tag", "v2-blob", origin.git("hash-object", "-w", "--stdin", data=b"x"))
    for pattern, expected in (("v*", ("v1.10", commits[1])), ("w9", ("w9", commits[2]))):
        with open_mirror(Remote(str(origin.root), tags=pattern), tmp_path / "mirror") as mirror:
            found = next_commit(mirror, None, allow_rewind=False)

        assert (found.name, found.commit, found.tag) == (*expected, None)
    none = Remote(str(origin.root), tags="x*")
    with open_mirror(none, tmp_path / "mirror") as mirror, pytest.raises(Failed, match="no tag of a commit that fits"):
        mirror.fetch()


def test_a_branch_or_a_remote_that_is_gone_says_so_without_its_password(
    origin: Origin, mirror: Mirror, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="couldn't find remote ref refs/heads/main"):
        mirror.fetch()
    private = Remote("https://bot:s3cret@127.0.0.1:1/shop.git")
    with open_mirror(private, tmp_path / "other") as other, pytest.raises(Unavailable) as error:
        other.fetch()

    assert "127.0.0.1" in error.value.message
    assert "s3cret" not in error.value.message


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"no"), (200, b"garbage"), (200, b"001e# service=git-upload-pack\n")]
)
def test_a_server_that_answers_wrongly_changes_nothing(status: int, body: bytes, tmp_path: Path) -> None:
    with answering(status, body) as port:
        remote = Remote(f"http://127.0.0.1:{port}/shop.git")
        with open_mirror(remote, tmp_path / "mirror") as mirror, pytest.raises(Unavailable):
            mirror.fetch()

    assert not remote.is_open_to_all
    assert Remote("http://example.org/shop.git").is_open_to_all
    assert Remote("git://127.0.0.1.example.org/shop.git").is_open_to_all


def test_a_remote_that_hangs_in_the_middle_of_a_pack_is_given_up(origin: Origin, tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(200_000).hex()
    commit = origin.commit({"noise": noise})
    with daemon(tmp_path) as port:
        with stalling(port, 50_000) as slow:
            remote = Remote(f"git://127.0.0.1:{slow}/origin.git")
            with (
                open_mirror(remote, tmp_path / "mirror", 1.5) as mirror,
                pytest.raises(Unavailable, match="longer than"),
            ):
                mirror.fetch()
        assert list((tmp_path / "mirror/.git/objects/pack").glob("tmp_*")) == []
        with open_mirror(Remote(f"git://127.0.0.1:{port}/origin.git"), tmp_path / "mirror") as mirror:
            assert mirror.fetch().commit == commit


def test_a_fetch_that_is_too_large_or_no_longer_wanted_is_stopped(origin: Origin, tmp_path: Path) -> None:
    origin.commit({"noise": random.Random(7).randbytes(200_000).hex()})
    with daemon(tmp_path) as port, stalling(port, 150_000) as slow:
        remote = Remote(f"git://127.0.0.1:{slow}/origin.git")
        with open_mirror(remote, tmp_path / "mirror", 60, 50_000) as mirror:
            with pytest.raises(Unavailable, match="it is larger than 50,000 bytes"):
                mirror.fetch()
            with pytest.raises(Unavailable, match="the agent stops"):
                mirror.fetch(lambda: True)


def test_no_configuration_and_no_file_of_the_remote_starts_anything(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    hook = f"#!/bin/sh\ntouch {mark}\n"
    origin.commit({
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {mark}"\n\tupdate = !touch {mark}\n',
        "x": "160000 " + "1" * 40,
        ".gitattributes": "* filter=x\n",
        "a": "1",
    })  # fmt: skip
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc"):
        (template / name).write_text(hook)
        (template / name).chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        mirror.fetch()

    assert not mark.exists()
    assert sorted(path.name for path in (tmp_path / "mirror").iterdir()) == [".git", "lock"]


def test_a_redirection_leads_to_no_other_transport(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin
) -> None:
    """Also not the configuration of the user, which may put another address in the place of one."""
    origin.commit(ONE)
    (tmp_path / "gitconfig").write_text(f'[url "file://{origin.root}"]\n\tinsteadOf = https://example.org/shop\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    remote = Remote("https://example.org/shop")
    with open_mirror(remote, tmp_path / "mirror") as mirror, pytest.raises(Unavailable, match="'file' not allowed"):
        mirror.fetch()


def test_what_a_killed_git_left_behind_stops_nothing(origin: Origin, tmp_path: Path) -> None:
    first = origin.commit(ONE)
    remote, directory = Remote(str(origin.root)), tmp_path / "mirror"
    with open_mirror(remote, directory) as mirror:
        mirror.fetch()
        mirror.note_applied(first)
    (directory / ".git/refs/schedsync/fetched.lock").write_text("")
    (directory / ".git/packed-refs.lock").write_text("")
    (directory / ".git/objects/pack/tmp_pack_x").write_text("x")
    second = origin.commit({"a": "1"})
    with open_mirror(remote, directory) as mirror:
        assert (mirror.fetch().commit, mirror.applied) == (second, first)

    assert not (directory / ".git/objects/pack/tmp_pack_x").exists()


@pytest.mark.parametrize("what", ["HEAD", "objects"])
def test_a_damaged_repository_is_made_again(origin: Origin, tmp_path: Path, what: str) -> None:
    first = origin.commit(ONE)
    remote, directory = Remote(str(origin.root)), tmp_path / "mirror"
    with open_mirror(remote, directory) as mirror:
        mirror.fetch()
    subprocess.run(["rm", "-rf", str(directory / ".git" / what)], check=True)
    with open_mirror(remote, directory) as mirror:
        assert (mirror.fetch().commit, mirror.applied) == (first, None)


def test_two_agents_do_not_share_a_directory(mirror: Mirror, tmp_path: Path) -> None:
    second = open_mirror(mirror.remote, mirror.root)
    with pytest.raises(WrongUsage, match="another agent uses the directory"):
        second.__enter__()


def test_a_directory_that_cannot_be_used_is_named(origin: Origin) -> None:
    made = open_mirror(Remote(str(origin.root)), origin.root / "HEAD" / "below")
    with pytest.raises(WrongUsage, match="cannot use the directory"):
        made.__enter__()
