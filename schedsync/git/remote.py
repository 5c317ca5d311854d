"""A remote that is followed: its address, and the branch or the tags; checked before Git sees any of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from schedsync.core.published import LOCAL, shown
from schedsync.core.secrets import MASK, masked
from schedsync.errors import WrongUsage
from schedsync.files.writer import visible

#: Nothing that Git could take for an option, and no blank or control character.
_WORD = re.compile(r"\A[^\s\x00-\x20\x7f-][^\s\x00-\x20\x7f]{0,999}\Z")
#: What `git check-ref-format` refuses, and `*`; `:` and `+` would say something else in a refspec.
_FORBIDDEN = ("..", "//", "@{", "~", "^", ":", "?", "[", "\\", "*", "+")
_SCP = re.compile(r"\A(?:[^@/:]+@)?[^/:@]+:(?!:)")
#: The transports that a remote's scheme may use. A redirection can lead to no other one.
_PROTOCOLS = {"https": "https", "http": "http:https", "ssh": "ssh", "git+ssh": "ssh", "git": "git", "file": "file"}
#: Anyone between us and the remote can change what these bring.
_OPEN_TO_ALL = ("http", "git")
_LONGEST_REASON = 300
_SHORTEST_TOKEN = 12


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote and what is followed there: a branch, or with ``tags`` the tags that fit a pattern with one `*`.

    Raises WrongUsage for an address or a name that Git must not see.
    """

    url: str
    branch: str = "main"
    tags: str | None = None

    def __post_init__(self) -> None:
        if not _WORD.match(self.url) or "::" in self.url or self._scheme not in _PROTOCOLS:
            shown = visible(self.shown[:200])
            raise WrongUsage(f"`{shown}` is no address of a repository", hint="give one by https, ssh or a path")
        if self.tags is None:
            _check_name("branch", self.branch)
        else:
            _check_name("pattern of tags", self.tags.replace("*", "x", 1), self.tags)

    @property
    def _scheme(self) -> str:
        if "://" in self.url:
            return self.url.partition("://")[0].lower()
        return "ssh" if _SCP.match(self.url) else "file"

    @property
    def protocols(self) -> str:
        """What GIT_ALLOW_PROTOCOL is for this remote."""
        return _PROTOCOLS[self._scheme]

    @property
    def is_open_to_all(self) -> bool:
        """Whether nothing but a signature protects what is fetched on its way."""
        return self._scheme in _OPEN_TO_ALL and urlsplit(self.url).hostname not in LOCAL

    @property
    def shown(self) -> str:
        """The address for people, without a user and a password."""
        return shown(self.url) if "://" in self.url else self.url

    @property
    def followed(self) -> str:
        """What is followed there, for people."""
        return f"branch {self.branch}" if self.tags is None else f"tags {self.tags}"

    def without_credentials(self, text: str) -> str:
        """Return what Git says of this remote on one line, without its user and password, and not too long."""
        line = " ".join(text.replace(self.url, self.shown).split())
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        return visible(str(masked(line)))[:_LONGEST_REASON]

    @property
    def _secrets(self) -> list[str]:
        """What of the address must not be seen, the longest first: as it is written there, and as Git decodes it."""
        if "://" not in self.url:
            return []
        user, colon, password = urlsplit(self.url).netloc.rpartition("@")[0].partition(":")
        # A user alone may be a token; a short one is none, and `git` is in many words.
        name = user if len(user) >= _SHORTEST_TOKEN else ""
        query = urlsplit(self.url).query
        found = {user + colon + password if password else "", password, name, query}
        return sorted({*found, *map(unquote, found)} - {""}, key=len, reverse=True)


def _check_name(noun: str, name: str, given: str | None = None) -> None:
    parts = name.split("/")
    is_bad = not _WORD.match(name) or name == "@" or name.endswith((".", "/"))
    is_bad = is_bad or any(text in name for text in _FORBIDDEN)
    if is_bad or any(part.startswith(".") or part.endswith(".lock") or not part for part in parts):
        raise WrongUsage(f"`{visible((given or name)[:200])}` is not a valid {noun}")
