"""Where people can read the files of a commit in a browser, as CI or the configuration says."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

from schedsync.core.origin import Forge, Web
from schedsync.git.repository import Repository

_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?\Z")
_FORGES: tuple[Forge, ...] = ("github", "gitlab", "bitbucket")


def web_of(repository: Repository, configured: str | None, base: str, head: str | None) -> Web | None:
    """Return where the two commits can be read; ``configured`` is the URL in the configuration of the base.

    A run of CI looks at a commit that nobody edits, so that its work tree can be read there too.
    """
    named = _named_by_ci() or address_of(configured or "")
    if named is None:
        return None
    here = Path.cwd().resolve()
    directory = here.relative_to(repository.root).as_posix() if here.is_relative_to(repository.root) else ""
    checked_out = repository.find("HEAD") if os.environ.get("CI") else None
    return Web(*named, base, head or checked_out, "" if directory == "." else directory)


def web_of_url(url: str | None, commit: str | None = None) -> Web | None:
    """Return where a commit of a recorded repository can be read; None where its host does not tell the forge."""
    named = address_of(url or "")
    return None if named is None else Web(*named, base="", head=commit)


def _named_by_ci() -> tuple[str, Forge] | None:
    get = os.environ.get
    if get("GITHUB_SERVER_URL") and get("GITHUB_REPOSITORY"):
        return _checked(f"{get('GITHUB_SERVER_URL')}/{get('GITHUB_REPOSITORY')}", "github")
    if project := get("CI_PROJECT_URL"):
        return _checked(project, "gitlab")
    if project := get("BITBUCKET_GIT_HTTP_ORIGIN"):
        return _checked(project, "bitbucket")
    return None


def address_of(url: str) -> tuple[str, Forge] | None:
    """Return the address for a URL of a repository and its kind, if its host tells what kind of forge it is.

    The URL may have no scheme, as the tables have it.
    """
    address = url if "://" in url else f"https://{url}"
    host = address.split("://", 1)[1].partition("/")[0].lower()
    forge = next((name for name in _FORGES if name in host), None)
    return _checked(address.removesuffix(".git"), forge) if url and forge else None


def _checked(url: str, forge: Forge) -> tuple[str, Forge] | None:
    """Return an address that holds nothing but scheme, host and path; None for every other address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not _HOST.match(parts.netloc) or not path or ".." in path.split("/"):
        return None
    return f"{parts.scheme}://{parts.netloc}/{quote(path, safe='/')}", forge
