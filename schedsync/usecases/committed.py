"""The files of a set in a commit that an agent has fetched: read from the repository's objects, without a checkout."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from schedsync.config import DEFAULT_PATH, Config
from schedsync.core.pipeline import pull_request_in
from schedsync.core.sources import Source, Sources
from schedsync.errors import InvalidConfiguration, WrongUsage
from schedsync.files.schedule_set import ScheduleSet
from schedsync.git.origin import canonical_url
from schedsync.git.repository import Repository
from schedsync.git.tree import config_at
from schedsync.review.side import Side, read_commit


@dataclass
class Committed:
    """The files of a set in one commit; the repository must stay open.

    ``path`` is the directory within it, None for what its configuration says. ``url`` is the remote's address.
    """

    repository: Repository
    commit: str
    url: str
    path: PurePosixPath | None = None
    _side: Side | None = field(default=None, repr=False)
    _asked: bool = False

    def config(self) -> Config:
        """Return the configuration in the commit; raises InvalidConfiguration."""
        start = self.path or PurePosixPath(DEFAULT_PATH)
        return config_at(self.repository.tree(self.commit), start, str, given=self.path is not None)

    def read(self, sources: Sources) -> ScheduleSet:
        """Return what the files say; they are read again only where values of the application are in them.

        Raises WrongUsage where the commit has no files, and what ``read_commit`` raises.
        """
        if self._side is None or self._asked:
            self._side = self._read(sources)
        return self._side.reading

    def _read(self, sources: Sources) -> Side:
        self._asked = False

        def asked(name: str, environment: str | None) -> Source | None:
            self._asked = True
            return sources(name, environment)

        side = read_commit(self.repository, self.commit, self.path, asked)
        if not side.there:
            raise WrongUsage(f"there are no files at `{side.path}` in commit {self.commit[:12]}")
        return side

    def place(self, config: Config) -> tuple[str | None, str, str]:
        """Return the repository's URL without credentials, the path within it, and the commit."""
        return config.repository_url or canonical_url(self.url), config.paths[0].as_posix(), self.commit

    @property
    def pull_request(self) -> str | None:
        """The pull request that the message of the commit names, or None."""
        return pull_request_in(self.repository.message(self.commit))

    def has_set_at(self, path: str | None, config: Config) -> bool:
        """Say whether another configuration of the commit names the set, at the path where it was last applied from."""
        if path in (None, config.paths[0].as_posix()):
            return False
        tree = self.repository.tree(self.commit)
        try:
            other = config_at(tree, PurePosixPath(str(path)), str, given=False)
        except InvalidConfiguration:
            return False
        is_there = bool(tree.entries(PurePosixPath(str(path))))
        return is_there and other.file is not None and other.set == config.set and other.file != config.file
