"""Which forge a repository is at, and its token: settings of the process, never of the repository.

A token is sent to one host only: that of the forge's setting, and only if the followed remote is at that host.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from schedsync.core.published import LOCAL
from schedsync.errors import WrongUsage
from schedsync.http.settings import require_urllib3, setting, token_of

if TYPE_CHECKING:
    from schedsync.core.origin import Forge as ForgeName
    from schedsync.forges.forge import Forge

_TOKENS: Final[dict[ForgeName, str]] = {"github": "SCHEDSYNC_GITHUB_TOKEN", "gitlab": "SCHEDSYNC_GITLAB_TOKEN"}
_URLS: Final[dict[ForgeName, tuple[str, str]]] = {
    "github": ("SCHEDSYNC_GITHUB_URL", "https://github.com"),
    "gitlab": ("SCHEDSYNC_GITLAB_URL", "https://gitlab.com"),
}
_REPORT_URL: Final = "SCHEDSYNC_REPORT_URL"
#: Other hosts of the same forge, by which Git is reached through a firewall.
_SAME_HOST: Final = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
_URL = re.compile(r"https?://[^\s/?#@]{1,255}(?:/[^\s?#]{0,500})?\Z")
_LINK = re.compile(r"https?://[^\s/@]{1,255}(?:/[!-~]{0,1000})?\Z")
_PATH = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+\Z")
_LONGEST_PATH: Final = 500
#: For how many seconds one report may talk to a forge.
SECONDS: Final = 30.0
_HINT: Final = "see docs/guides/agent.md"


def forge_of(place: str) -> tuple[Forge, str] | None:
    """Return the forge of a repository and its address in a browser; None where no token is for it.

    ``place`` is `host/path` of the remote that the process follows. Raises WrongUsage where a setting is not valid.
    """
    host, _, path = place.partition("/")
    for name, variable in _TOKENS.items():
        token = token_of(variable)
        base = _base(name)
        parts = urlsplit(base)
        if token is None or _SAME_HOST.get(host, host) != parts.netloc.lower():
            continue
        # A GitLab may be below a path of its host; a remote by ssh has no such path.
        path = path.removeprefix(f"{parts.path.strip('/')}/")
        if not _PATH.match(path) or ".." in path or len(path) > _LONGEST_PATH:
            continue
        return _made(name, base, path, token), f"{base}/{path}"
    return None


def report_url() -> str | None:
    """Return where the link of a status leads, None without a setting; raises WrongUsage where it is no address."""
    url = setting(_REPORT_URL)
    if url is not None and not _LINK.match(url):
        raise WrongUsage(f"{_REPORT_URL} is no address", hint=_HINT)
    return url


def _made(name: ForgeName, base: str, path: str, token: str) -> Forge:
    require_urllib3(_TOKENS[name])
    # Loaded here: only a process that reports needs it.
    from schedsync.forges.github import GitHub
    from schedsync.forges.gitlab import GitLab
    from schedsync.http.client import Budget, Client

    if name == "github":
        api = "https://api.github.com" if base == _URLS[name][1] else f"{base}/api/v3"
        return GitHub(Client(api, {"Authorization": f"Bearer {token}"}, (token,), Budget(SECONDS)), path)
    return GitLab(Client(f"{base}/api/v4", {"PRIVATE-TOKEN": token}, (token,), Budget(SECONDS)), path)


def _base(name: ForgeName) -> str:
    variable, default = _URLS[name]
    url = (setting(variable) or default).rstrip("/")
    parts = urlsplit(url) if _URL.match(url) else None
    if parts is None or "@" in url or not (parts.scheme == "https" or parts.hostname in LOCAL):
        raise WrongUsage(f"{variable} is no address of a forge by https", hint=_HINT)
    return url
