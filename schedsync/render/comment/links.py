"""Links of Markdown: a place in a file at a commit, and the page that explains a code.

An address is made of values that were checked, and of a path that is percent-encoded: no text can make another link.
"""

from __future__ import annotations

import posixpath
from urllib.parse import quote

from schedsync.core.finding import CODES
from schedsync.core.location import Location
from schedsync.core.origin import Web
from schedsync.render.code_spans import code
from schedsync.render.programs.sarif import help_uri

_FILES = {
    "github": "{url}/blob/{commit}/{path}#L{line}",
    "gitlab": "{url}/-/blob/{commit}/{path}#L{line}",
    "bitbucket": "{url}/src/{commit}/{path}#lines-{line}",
}

_COMMITS = {
    "github": "{url}/commit/{commit}",
    "gitlab": "{url}/-/commit/{commit}",
    "bitbucket": "{url}/commits/{commit}",
}


def commit_address(commit: str | None, web: Web | None) -> str | None:
    """Return where people can read a commit in a browser; None where that is not known."""
    if web is None or not commit or not commit.isalnum():
        return None
    return _COMMITS[web.forge].format(url=web.url, commit=commit)


def place_link(location: Location, web: Web | None, *, at_base: bool = False) -> str:
    """Write a place as code, with a link to it if it is known where people can read the file."""
    shown = code(f"{location.path}:{location.line}")
    address = place_address(location, web, at_base=at_base)
    return f"[{shown}]({address})" if address else shown


def place_address(location: Location, web: Web | None, *, at_base: bool = False) -> str | None:
    """Return the address of a place in a browser; None where it is not known, or outside of the repository."""
    commit = web and (web.base if at_base else web.head)
    if web is None or not commit or not commit.isalnum() or location.path.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(web.directory, location.path))
    if path.split("/")[0] == "..":
        return None
    encoded = quote(path, safe="/", errors="replace")
    return _FILES[web.forge].format(url=web.url, commit=commit, path=encoded, line=location.line)


def code_link(finding_code: str) -> str:
    """Write the code of a finding, with a link to its page if the project's documentation has one."""
    return f"[{finding_code}]({help_uri(finding_code)})" if finding_code in CODES else finding_code
