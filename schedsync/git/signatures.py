"""Whether one of the given keys has signed a commit or a tag: decided by exit code and fingerprint, never by text.

The keys are only those of one file. The user's own keyring and configuration add none: a good signature by a stranger
is no signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from schedsync.core.refusal import Refusal
from schedsync.errors import Refused, WrongUsage
from schedsync.git.command import command_in, settings_in_environment
from schedsync.git.mirror import Followed, Mirror

_MAX_BYTES = 2**20
#: A public key of SSH in a line of allowed signers.
_SSH_KEY = re.compile(r"(?:^|\s)(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]{1,60}\s{1,8}(?P<key>[A-Za-z0-9+/]{20,20000}={0,2})")
#: One end of the time in which a key of SSH is valid. OpenSSH reads the names of options in any case.
_VALIDITY = re.compile(
    r"valid-(?P<end>before|after)=\"?(?P<time>[0-9]{8}(?:[0-9]{4}(?:[0-9]{2})?)?)(?P<utc>Z|UTC)?", re.IGNORECASE
)
_TIMES = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
#: The programs that check signatures.
_PROGRAMS = {"ssh": ("ssh-keygen", "OpenSSH"), "gpg": ("gpg", "GnuPG")}
_HINT = "sign it with a key of the file, or add the key there"


@dataclass(frozen=True, slots=True)
class Keys:
    """A file of keys: allowed signers of SSH, or exported public keys of GnuPG."""

    kind: Literal["ssh", "gpg"]
    file: Path

    def __post_init__(self) -> None:
        program, product = _PROGRAMS[self.kind]
        if shutil.which(program) is None:
            raise WrongUsage(f"{product} is not installed", hint=f"`{program}` checks signatures")
        self.text()

    def text(self) -> str:
        """Return the file; raises WrongUsage if it cannot be read, is empty or too large."""
        try:
            with self.file.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise WrongUsage(f"cannot read the keys `{self.file}`: {error.strerror}") from error
        if not 0 < len(data) <= _MAX_BYTES:
            raise WrongUsage(f"`{self.file}` holds no keys, or more than {_MAX_BYTES:,} bytes")
        return data.decode("utf-8", "replace")


def check_signature(mirror: Mirror, found: Followed, keys: Keys) -> None:
    """Raise Refused unless a key of the file has signed the commit; where tags are followed, the tag.

    Raises WrongUsage if the file has no usable key.
    """
    with tempfile.TemporaryDirectory(prefix="schedsync-keys-") as home:
        Path(home).chmod(0o700)
        fingerprints = _ssh_fingerprints(keys.text()) if keys.kind == "ssh" else _gpg_fingerprints(keys.file, home)
        if not fingerprints:
            raise WrongUsage(f"`{keys.file}` has no {keys.kind.upper()} key that is valid now")
        is_tag = mirror.remote.tags is not None
        signed = found.tag if is_tag else found.commit
        shown = f"the tag {found.name}" if is_tag else f"the commit {found.commit[:12]}"
        if signed is None:
            raise _refused(f"{shown} is not annotated, so it has no signature")
        if is_tag and _name_in(mirror, signed) != found.name:
            raise _refused(f"{shown} is another tag that was renamed")
        if not _is_signed(mirror, signed, keys, home, fingerprints, is_tag=is_tag):
            raise _refused(f"{shown} is not signed by a key of `{keys.file.name}`")


def _name_in(mirror: Mirror, tag: str) -> str | None:
    """Return the name within a tag object, which is signed; the name of the reference is not."""
    if mirror.repository.size(tag, "the tag") > _MAX_BYTES:
        return None
    lines = mirror.repository.read(tag, "the tag").split(b"\n", 3)
    name = lines[2] if len(lines) > 2 else b""
    return name[4:].decode("utf-8", "replace") if name.startswith(b"tag ") else None


def _refused(message: str) -> Refused:
    return Refused([Refusal("not_signed", message, _HINT)])


def _is_signed(mirror: Mirror, object_id: str, keys: Keys, home: str, known: frozenset[str], *, is_tag: bool) -> bool:
    command = command_in(mirror.root, _variables(mirror, keys, home))
    status, _, raw = command.execute(
        ["git", "verify-tag" if is_tag else "verify-commit", "--raw", object_id],
        with_extended_output=True,
        with_exceptions=False,
    )
    return status == 0 and not known.isdisjoint(_fingerprints(str(raw), keys))


def _fingerprints(raw: str, keys: Keys) -> frozenset[str]:
    """Return the fingerprints of the keys that made the signature, as the program that checked it says."""
    if keys.kind == "gpg":
        lines = [line.split() for line in raw.splitlines() if line.startswith("[GNUPG:] VALIDSIG ")]
        return frozenset(word for line in lines for word in (line[2], line[-1]))
    return frozenset(line.split()[-1] for line in raw.splitlines() if line.startswith('Good "git" signature for '))


def _variables(mirror: Mirror, keys: Keys, home: str) -> dict[str, str]:
    """Return the variables for a check by one kind of key; a signature of another kind is checked by `false`."""
    is_ssh = keys.kind == "ssh"
    settings = {
        "core.hooksPath": os.devnull,
        "gpg.program": "false" if is_ssh else "gpg",
        "gpg.openpgp.program": "false" if is_ssh else "gpg",
        "gpg.x509.program": "false",
        "gpg.ssh.program": "ssh-keygen" if is_ssh else "false",
        "gpg.ssh.allowedSignersFile": str(keys.file.resolve()) if is_ssh else os.devnull,
        "gpg.minTrustLevel": "undefined",
        "safe.directory": "*",
    }
    return {
        **settings_in_environment(settings),
        "GIT_DIR": str(mirror.root / ".git"),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GNUPGHOME": home,
    }


def _ssh_fingerprints(text: str) -> frozenset[str]:
    """Return the fingerprints of the keys that are valid now.

    `ssh-keygen` compares `valid-before` and `valid-after` with the time in the commit, which its author writes.
    """
    found = set()
    for line in text.splitlines():
        match = None if line.lstrip().startswith("#") else _SSH_KEY.search(line)
        if match and _is_valid_now(line):
            try:
                digest = hashlib.sha256(base64.b64decode(match["key"], validate=True)).digest()
            except binascii.Error:
                continue
            found.add("SHA256:" + base64.b64encode(digest).decode().rstrip("="))
    return frozenset(found)


def _is_valid_now(line: str) -> bool:
    ends = list(_VALIDITY.finditer(line))
    if len(ends) != line.lower().count("valid-"):
        return False
    now = datetime.now(timezone.utc)
    for end in ends:
        try:
            at = datetime.strptime(end["time"], _TIMES[len(end["time"])])
        except ValueError:
            return False
        at = at.replace(tzinfo=timezone.utc) if end["utc"] else at.astimezone()
        if (at <= now) == (end["end"].lower() == "before"):
            return False
    return True


def _gpg_fingerprints(file: Path, home: str) -> frozenset[str]:
    """Import the keys into a keyring of its own, and return the fingerprints of the keys and their subkeys."""
    command = command_in(Path(home), {"GNUPGHOME": home})
    command.execute(
        ["gpg", "--batch", "--no-tty", "--quiet", "--no-autostart", "--import", str(file.resolve())],
        with_extended_output=True,
        with_exceptions=False,
    )
    _, listed, _ = command.execute(
        ["gpg", "--batch", "--no-tty", "--quiet", "--no-autostart", "--with-colons", "--list-keys"],
        with_extended_output=True,
        with_exceptions=False,
    )
    return frozenset(line.split(":")[9] for line in str(listed).splitlines() if line.startswith("fpr:"))
