"""A commit or a tag counts as signed only by a key of the given file: all else fails closed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schedsync.errors import Refused, WrongUsage
from schedsync.git.following import may_follow, next_commit
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

    def revoke(self, fingerprint: str) -> None:
        """Use the certificate that GnuPG makes with each key."""
        file = self.root / "openpgp-revocs.d" / f"{fingerprint}.rev"
        file.write_text(file.read_text().replace(":-----BEGIN", "-----BEGIN"))
        self.run("gpg", "--batch", "--quiet", "--import", str(file))

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
def other(ring: Ring) -> str:
    return ring.ssh("other")


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


@pytest.mark.parametrize(
    "option",
    [
        'valid-before="20200101"', 'valid-before="20200101000000Z"', 'valid-before="soon"', 'Valid-Before="20200101"',
        'valid-before="20200101UTC"', 'valid-after="20900101"', 'valid-after="20200101",valid-before="20210101"',
        'namespaces="file"', "cert-authority",
    ],
)  # fmt: skip
def test_a_key_of_ssh_that_is_not_valid_now_is_refused_whatever_time_the_commit_says(
    ring: Ring, ours: str, other: str, origin: Origin, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ssh-keygen` compares with the time in the commit, which its author writes."""
    signers = tmp_path / "signers"
    signers.write_text(f"maria@example.org {option} {ours}\nben@example.org {other}\n")
    year = "2099" if "2090" in option else "2020" if "2021" in option else "2019"
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"{year}-06-01T00:00:00Z")
    origin.commit(ONE, options=ring.ssh_options("ours"))

    assert codes(origin, Keys("ssh", signers), tmp_path) == ["not_signed"]


def test_a_key_of_ssh_within_its_time_is_taken(ring: Ring, ours: str, origin: Origin, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f'maria@example.org valid-after="20200101",valid-before="20990101Z" {ours}\n')
    origin.commit(ONE, options=ring.ssh_options("ours"))

    assert codes(origin, Keys("ssh", signers), tmp_path) == []


def test_a_commit_signed_by_gnupg_is_taken_and_any_other_is_refused(
    ring: Ring, ours: str, our_gpg: str, origin: Origin, tmp_path: Path
) -> None:
    old, revoked = ring.gpg("old", expired=True), ring.gpg("revoked")
    revoked_commit = origin.commit(ONE, options=ring.gpg_options(revoked))
    ring.revoke(revoked)
    public = tmp_path / "keys.asc"
    public.write_text(ring.run("gpg", "--batch", "--armor", "--export", our_gpg, old, revoked))
    keys = Keys("gpg", public)
    assert codes(origin, keys, tmp_path) == ["not_signed"], revoked_commit
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
    # The signed tag says its name. Who may only push can give it another one.
    origin.git("update-ref", "refs/tags/v4", "refs/tags/v3")
    assert codes(origin, keys, tmp_path, "v*") == ["not_signed"]
    # What counts is the tag: it names the commit, and with it all of the history.
    unsigned = origin.commit({"a": "1"})
    origin.git(*options, "tag", "-s", "-m", "x", "v5", unsigned)

    assert codes(origin, keys, tmp_path, "v*") == []


def test_what_may_be_kept_is_signed_as_what_is_followed(ring: Ring, ours: str, origin: Origin, tmp_path: Path) -> None:
    """A commit that nobody signed may be kept where one of its tags is signed, and the tag says its own name."""
    signers = tmp_path / "signers"
    signers.write_text(f"maria@example.org {ours}\n")
    keys, options = Keys("ssh", signers), ring.ssh_options("ours")
    renamed, tagged, untagged = (origin.commit({"a": text}) for text in "123")
    signed = origin.commit({"a": "4"}, options=options)
    for name, commit in (("v1", renamed), ("v2", tagged), ("v9", signed)):
        origin.git(*options, "tag", "-s", "-m", "x", name, commit)
    origin.git("update-ref", "refs/tags/v3", "refs/tags/v1")
    origin.git("update-ref", "-d", "refs/tags/v1")
    kept = []
    for tags in ("v*", None):
        with open_mirror(Remote(str(origin.root), tags=tags), tmp_path / f"mirror-{tags is None}") as mirror:
            head = next_commit(mirror, keys, allow_rewind=False).commit
            commits = {"renamed": renamed, "tagged": tagged, "untagged": untagged, "signed": signed}
            kept.append(
                [name for name, id_ in commits.items() if may_follow(mirror, id_, head, keys, allow_rewind=False)]
            )

    assert kept == [["tagged", "signed"], ["signed"]]


LIAR = """#!/bin/sh
cat > /dev/null
echo "[GNUPG:] NEWSIG"
echo "[GNUPG:] GOODSIG 0123456789ABCDEF maria"
echo "[GNUPG:] VALIDSIG {key} 2020-01-01 1577836800 0 4 0 22 8 00 {key}"
echo "[GNUPG:] TRUST_ULTIMATE 0 pgp"
echo 'Good "git" signature for maria with ED25519 key {key}'
exit 0
"""


@pytest.mark.parametrize("kind", ["ssh", "gpg"])
def test_no_configuration_and_no_variable_says_which_program_checks(
    kind: str, ring: Ring, ours: str, our_gpg: str, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that finds every signature good is named everywhere, and it was asked by a Git without our settings."""
    keys_file, liar, config = tmp_path / "keys", tmp_path / "liar", tmp_path / "gitconfig"
    keys_file.write_text(
        f"maria@example.org {ours}\n" if kind == "ssh" else ring.run("gpg", "--batch", "--armor", "--export", our_gpg)
    )
    liar.write_text(LIAR.format(key=our_gpg))
    liar.chmod(0o755)
    config.write_text(f'[gpg]\n\tprogram = {liar}\n[gpg "openpgp"]\n\tprogram = {liar}\n'
                      f'[gpg "ssh"]\n\tprogram = {liar}\n\tallowedSignersFile = {keys_file}\n')  # fmt: skip
    strange = ring.gpg_options(ring.gpg(f"strange-{kind}")) if kind == "gpg" else ring.ssh_options("strange-program")
    if kind == "ssh":
        ring.ssh("strange-program")
    commit = origin.commit(ONE, options=strange)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'gpg.program={liar}' 'gpg.ssh.program={liar}'")
    believed = subprocess.run(
        ["git", "-C", str(origin.root), "verify-commit", commit], check=False, capture_output=True
    )
    if kind == "gpg":
        assert believed.returncode == 0

    assert codes(origin, Keys(kind, keys_file), tmp_path) == ["not_signed"]  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "product"), [("ssh", "OpenSSH"), ("gpg", "GnuPG")])
def test_a_program_that_is_not_installed_is_named(
    kind: str, product: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").write_text("x")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WrongUsage, match=f"{product} is not installed"):
        Keys(kind, tmp_path / "keys")  # type: ignore[arg-type]


def test_keys_that_are_gone_meanwhile_refuse_everything(ours: str, origin: Origin, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text(f"maria@example.org {ours}\n")
    keys = Keys("ssh", signers)
    origin.commit(ONE)
    signers.unlink()
    with pytest.raises(WrongUsage, match="cannot read the keys"):
        codes(origin, keys, tmp_path)


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
