"""A file in a branch of its own at a remote: the branch has one commit, without a parent, so that it stays small.

Nothing is checked out. A branch that has anything else is left alone: only commits that were made here are replaced.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from schedsync.errors import Failed, Unavailable, WrongUsage
from schedsync.git.bounded_process import Ended, Limits, run_bounded
from schedsync.git.mirror import Mirror, open_mirror
from schedsync.git.remote import Remote

#: The first line of the message of each commit that is made here.
MESSAGE = "Publish a snapshot of schedsync"
_TRIES = 8
#: In seconds: the longest wait before the first new try, which grows with each one.
_WAIT = 0.5
#: In seconds, for each call of Git.
_SECONDS = 60.0
#: What `git ls-remote --exit-code` ends with where there is no such branch.
_NO_BRANCH = 2
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "schedsync"), ("EMAIL", "schedsync@localhost"))
}


def read_published(remote: Remote, path: str, most: int) -> bytes:
    """Return a file of the branch; ``most`` is in bytes.

    Raises Unavailable if the remote does not answer, Failed if there is no such branch or file, or it is too large.
    """
    with _repository(remote, most) as mirror:
        if not _exists(mirror):
            raise Failed(f"{remote.shown} has no branch `{remote.branch}`", hint="publish a snapshot there first")
        commit = _fetched(mirror)
        entry = mirror.repository.tree(commit).entry(PurePosixPath(path))
        if entry is None or not entry.mode.startswith("100"):
            raise Failed(f"{remote.followed} of {remote.shown} has no file `{path}`")
        if mirror.repository.size(entry.id, path) > most:
            raise Failed(f"`{path}` in {remote.followed} is larger than {most // 2**20} MB")
        return mirror.repository.read(entry.id, path)


def publish_in_branch(
    remote: Remote, path: str, data: bytes, most: int, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Put a file into the branch, beside the other files there, and push it; others may do the same at the same time.

    Raises Unavailable if the remote does not answer or refuses, Failed if the branch was not made here.
    """
    with _repository(remote, most) as mirror:
        for attempt in range(1, _TRIES + 1):
            base = _fetched(mirror) if _exists(mirror) else None
            if base is not None:
                _check_ours(mirror, base)
            ended = _pushed(mirror, base, _commit(mirror, base, path, data))
            if ended.killed is None and ended.status == 0:
                return
            # Somebody else may have pushed meanwhile. If not, the remote refuses.
            if ended.killed is not None or (_fetched(mirror) if _exists(mirror) else None) == base:
                raise _unavailable("push to", remote, ended)
            sleep(random.uniform(0.1, 1.0) * _WAIT * attempt)
    raise Unavailable(f"cannot push to {remote.followed} of {remote.shown}: others push to it all the time")


@contextmanager
def _repository(remote: Remote, most: int) -> Iterator[Mirror]:
    with (
        tempfile.TemporaryDirectory(prefix="schedsync-") as directory,
        open_mirror(remote, Path(directory), _SECONDS, 2 * most) as mirror,
    ):
        mirror.command.update_environment(**_IDENTITY)
        yield mirror


def _run(mirror: Mirror, words: list[str]) -> Ended:
    return run_bounded(mirror.command, words, Limits(_SECONDS, mirror.most_bytes, lambda: 0))


def _exists(mirror: Mirror) -> bool:
    remote = mirror.remote
    ended = _run(mirror, ["ls-remote", "--exit-code", "--quiet", "--", remote.url, f"refs/heads/{remote.branch}"])
    if ended.killed is None and ended.status in (0, _NO_BRANCH):
        return ended.status == 0
    raise _unavailable("read", remote, ended)


def _fetched(mirror: Mirror) -> str:
    try:
        return mirror.fetch().commit
    except Unavailable as error:
        raise Unavailable(error.message, hint="give another address, or try again") from error


def _check_ours(mirror: Mirror, commit: str) -> None:
    parents = mirror.command.execute(["git", "log", "-1", "--format=%P", commit])
    if parents or not mirror.repository.message(commit).startswith(MESSAGE):
        hint = "publish to a branch that nothing else uses, or delete this one"
        raise Failed(
            f"{mirror.remote.followed} of {mirror.remote.shown} has other commits, nothing was pushed", hint=hint
        )


def _commit(mirror: Mirror, base: str | None, path: str, data: bytes) -> str:
    """Return the id of a new commit without a parent, which has the files of ``base``, and this one."""
    git, root = mirror.command, mirror.root
    (root / "published").write_bytes(data)
    blob = str(git.execute(["git", "hash-object", "-w", "--no-filters", str(root / "published")]))
    with git.custom_environment(GIT_INDEX_FILE=str(root / "published.index")):
        git.execute(["git", "read-tree", base or "--empty"])
        git.execute(["git", "update-index", "--add", "--replace", "--cacheinfo", f"100644,{blob},{path}"])
        tree = str(git.execute(["git", "write-tree"]))
    return str(git.execute(["git", "commit-tree", "--no-gpg-sign", "-m", MESSAGE, tree]))


def _pushed(mirror: Mirror, base: str | None, commit: str) -> Ended:
    branch = f"refs/heads/{mirror.remote.branch}"
    return _run(
        mirror,
        ["push", "--quiet", "--no-verify", f"--force-with-lease={branch}:{base or ''}", "--", mirror.remote.url,
         f"{commit}:{branch}"],
    )  # fmt: skip


def _unavailable(verb: str, remote: Remote, ended: Ended) -> Unavailable:
    reason = ended.killed or remote.without_credentials(ended.said) or f"exit status {ended.status}"
    return Unavailable(f"cannot {verb} {remote.followed} of {remote.shown}: {reason}")


def remote_of(url: str, branch: str) -> Remote:
    """Return the remote of a published file; raises WrongUsage for an address or a branch that Git must not see."""
    remote = Remote(url, branch)
    if remote.is_open_to_all:
        raise WrongUsage(f"{remote.shown} is open to everybody on the way", hint="give one by https or ssh")
    return remote
