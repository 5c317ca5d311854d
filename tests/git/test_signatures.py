"""A commit or a tag counts as signed only by a key of the given file: all else fails closed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schedsync.errors import Refused, WrongUsage
from schedsync.git.following import next_commit
from schedsync.git.mirror import open_mirror
from schedsync.git.remote import Remote
from schedsync.git.signatures import Keys
from tests.git.remotes import Origin

ONE = {"schedules/a.yaml": "version: 1\n"}


@dataclass(frozen=True)
class Ring:
    """Keys of SSH or GnuPG in a directory, made for the tests."""

    root: Path

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words, check=True, capture_output=True, text=True, env=os.environ | {"GNUPGHOME": str(self.root)}
        )
        return done.stdout

    def ssh(self, name: str) -> str:
        """Make a key, and return its public half."""
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.root / name))
        return (self.root / f"{name}.pub").read_text().strip()

    def ssh_options(self, name: str) -> tuple[str, ...]:
        return ("-c", "gpg.format=ssh", "-c", f"user.signingkey={self.root / name}")

    def gpg(self, name: str, *, expired: bool = False) -> str:
        """Make a key, and return its fingerprint; one that is expired was made in 2020 for a day."""
        words = ["gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
        past = ["--faked-system-time", "20200101T000000"] if expired else []
        self.run(
            *words, *past, "--quick-generate-key", f"{name}@example.org", "ed25519", "sign", "1d" if expired else "0"
        )
        listed = self.run("gpg", "--batch", "--with-colons", "--list-keys", f"{name}@example.org")
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def gpg_options(self, fingerprint: str, *, expired: bool = False) -> tuple[str, ...]:
        program = self.root / "gpg-then"
        program.write_text('#!/bin/sh\nexec gpg --faked-system-time 20200101T000100 "$@"\n')
        program.chmod(0o755)
        then = ("-c", f"gpg.program={program}") if expired else ()
        return ("-c", f"user.signingkey={fingerprint}", *then)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    root = tmp_path_factory.mktemp("ring")
    root.chmod(0o700)
    yield Ring(root)
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env=os.environ | {"GNUPGHOME": str(root)})


@pytest.fixture
def origin(tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> Origin:
    monkeypatch.setenv("GNUPGHOME", str(ring.root))
    return Origin(tmp_path / "origin.git")


def codes(origin: Origin, keys: Keys, tmp_path: Path, tags: str | None = None) -> list[str]:
    """The refusals of the next commit; none where its signature is good."""
    with open_mirror(Remote(str(origin.root), tags=tags), tmp_path / "mirror") as mirror:
        try:
            next_commit(mirror, keys, allow_rewind=True)
        except Refused as refused:
            return [refusal.code for refusal in refused.refusals]
    return []


@pytest.fixture(scope="module")
def ours(ring: Ring) -> str:
    return ring.ssh("ours")


@pytest.fixture(scope="module")
def our_gpg(ring: Ring) -> str:
    return ring.gpg("maria")


def test_a_commit_signed_by_ssh_is_taken_and_any_other_is_refused(
    ring: Ring, ours: str, our_gpg: str, origin: Origin, tmp_path: Path
) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f'# ours\nmaria@example.org namespaces="git" {ours}\n')
    keys = Keys("ssh", signers)
    ring.ssh("strange")
    origin.commit(ONE, options=ring.ssh_options("ours"))
    assert codes(origin, keys, tmp_path) == []
    origin.commit(ONE)
    assert codes(origin, keys, tmp_path) == ["not_signed"]
    origin.commit(ONE, options=ring.ssh_options("strange"))
    assert codes(origin, keys, tmp_path) == ["not_signed"]
    # The user's own keyring has this key, and Git would take it for a good signature.
    origin.commit(ONE, options=ring.gpg_options(our_gpg))

    assert codes(origin, keys, tmp_path) == ["not_signed"]


def test_a_commit_whose_signature_is_of_another_commit_is_refused(
    ring: Ring, ours: str, origin: Origin, tmp_path: Path
) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f"maria@example.org {ours}\n")
    signed = origin.commit(ONE, options=ring.ssh_options("ours"))
    text = origin.git("cat-file", "commit", signed)
    forged = origin.git("hash-object", "-t", "commit", "-w", "--stdin", data=f"{text} changed\n".encode())
    origin.git("update-ref", "refs/heads/main", forged)

    assert codes(origin, Keys("ssh", signers), tmp_path) == ["not_signed"]


@pytest.mark.parametrize("time", ["20200101", "20200101000000Z", "soon"])
def test_a_key_of_ssh_that_has_ended_is_refused_though_the_commit_says_an_earlier_time(
    ring: Ring, ours: str, origin: Origin, tmp_path: Path, time: str
) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f'maria@example.org valid-before="{time}" {ours}\nben@example.org {ring.ssh(f"ben-{time}")}\n')
    origin.commit(ONE, options=ring.ssh_options("ours"))

    assert codes(origin, Keys("ssh", signers), tmp_path) == ["not_signed"]


def test_a_commit_signed_by_gnupg_is_taken_and_any_other_is_refused(
    ring: Ring, ours: str, our_gpg: str, origin: Origin, tmp_path: Path
) -> None:
    old = ring.gpg("old", expired=True)
    public = tmp_path / "keys.asc"
    public.write_text(ring.run("gpg", "--batch", "--armor", "--export", our_gpg, old))
    keys = Keys("gpg", public)
    origin.commit(ONE, options=ring.gpg_options(our_gpg))
    assert codes(origin, keys, tmp_path) == []
    for options in (
        (),
        ring.gpg_options(ring.gpg("stranger")),
        ring.gpg_options(old, expired=True),
        ring.ssh_options("ours"),
    ):
        origin.commit(ONE, options=options)

        assert codes(origin, keys, tmp_path) == ["not_signed"]


def test_of_a_tag_the_tag_must_be_signed(ring: Ring, ours: str, origin: Origin, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f"maria@example.org {ours}\n")
    keys, options = Keys("ssh", signers), ring.ssh_options("ours")
    commit = origin.commit(ONE, options=options)
    origin.git("tag", "v1", commit)
    assert codes(origin, keys, tmp_path, "v*") == ["not_signed"]
    origin.git("tag", "-m", "x", "v2", commit)
    assert codes(origin, keys, tmp_path, "v*") == ["not_signed"]
    origin.git(*options, "tag", "-s", "-m", "x", "v3", commit)

    assert codes(origin, keys, tmp_path, "v*") == []


@pytest.mark.parametrize(
    "text", ["", "no key\n", "# maria ssh-ed25519 AAAA\n", "m ssh-ed25519 AAAAAAAAAAAAAAAAAAAAAAAAA=\n"]
)
@pytest.mark.parametrize("kind", ["ssh", "gpg"])
def test_a_file_without_keys_refuses_everything(kind: str, text: str, origin: Origin, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    origin.commit(ONE)
    with pytest.raises(WrongUsage, match=r"no \w+ key|holds no keys"):
        codes(origin, Keys(kind, file), tmp_path)  # type: ignore[arg-type]


def test_keys_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="cannot read the keys"):
        Keys("ssh", tmp_path / "nowhere")
