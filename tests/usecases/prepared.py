"""Prepared pull requests: the files before and after a change, and what its reviewer has to learn from the comment."""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import git
import yaml

from schedsync.render.comment import markdown
from schedsync.review.result import Request, Review
from schedsync.usecases.review import review

DIRECTORY = Path(__file__).parent / "pull_requests"
#: The kinds of facts: outside of foldouts, anywhere in the comment, and not in it at all.
KINDS = ("in_the_open", "anywhere", "nowhere")
_FOLDOUT = re.compile(r"<details>.*?</details>", re.DOTALL)
_SUMMARY = re.compile(r"<summary>.*?</summary>", re.DOTALL)
#: A line that says that a schedule fires at once, and not that none does.
_FIRES = re.compile(r"^(?!.*\b(?:no|not|none|nothing|never|0)\b).*\b(?:run|fire|start)s? at once", re.I | re.M)


@dataclass(frozen=True)
class PullRequest:
    """One pull request; ``answers`` is the content of its `answers.yaml`."""

    directory: Path
    answers: dict[str, Any]

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def now(self) -> datetime:
        """When the review is made."""
        return datetime.fromisoformat(self.answers["now"])

    @property
    def questions(self) -> list[dict[str, str]]:
        """The questions to a reviewer, each with its answer."""
        questions: list[dict[str, str]] = self.answers["questions"]
        return questions

    @property
    def facts(self) -> dict[str, list[str]]:
        """By kind: texts, and regular expressions between two slashes."""
        return {kind: self.answers["facts"].get(kind, []) for kind in KINDS}

    @property
    def fires_at_once(self) -> bool | None:
        """Whether the comment has to say that a schedule fires at once; None if that is not a question here."""
        fires: bool | None = self.answers["facts"].get("fires_at_once")
        return fires

    @property
    def longest(self) -> int | None:
        """How many characters the comment may have; None if that is not a matter of this change."""
        longest: int | None = self.answers["facts"].get("longest")
        return longest

    def review(self, root: Path) -> Review:
        """Commit both sides to a new repository, and compare them."""
        root.mkdir(parents=True)
        with git.Repo.init(root, initial_branch="main") as repository:
            self._commit(repository, "before")
            repository.git.checkout("-b", "feature")
            self._commit(repository, "after")
        with _working_in(root):
            return review(Request(base="main", head="feature", pictures=True), self.now)

    def comment(self, root: Path) -> str:
        """Return the comment on the pull request, made in a new repository."""
        return markdown.review(self.review(root))

    def _commit(self, repository: git.Repo, side: str) -> None:
        root = Path(repository.working_dir)
        for path in root.iterdir():
            if path.name == ".git":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        # With the times of the sources, Git takes a file of the same length for unchanged.
        shutil.copytree(self.directory / side, root, dirs_exist_ok=True, copy_function=shutil.copyfile)
        repository.git.add(all=True)
        author = git.Actor("Sam", "sam@example.org")
        repository.index.commit(side, author=author, committer=author, author_date=self.now, commit_date=self.now)


@contextmanager
def _working_in(directory: Path) -> Iterator[None]:
    """Make a directory the working directory for a time: findings name files as they are seen from there."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def pull_requests() -> list[PullRequest]:
    """Return all of them, by number."""
    return [
        PullRequest(path.parent, yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(DIRECTORY.glob("*/answers.yaml"))
    ]


def in_the_open(comment: str) -> str:
    """Return Markdown without what foldouts hide; their headings stay."""
    return _FOLDOUT.sub(lambda found: "".join(_SUMMARY.findall(found[0])), comment)


def as_read(comment: str) -> str:
    """Return the text of Markdown without marks of its format."""
    text = re.sub(r"<br ?/?>", " ", comment)
    text = re.sub(r"</?[a-z][^<>]*>", "", text)
    text = re.sub(r"\[([^\[\]]*)\]\([^()\s]*\)", r"\1", text)
    return re.sub(r"[`]|\*\*|\\(?=[^\w\s])", "", html.unescape(text))


def is_in(fact: str, text: str) -> bool:
    """Say whether a text has a fact: as a word of its own, or between slashes as a regular expression."""
    if fact.startswith("/"):
        return re.search(fact[1:-1], text, re.IGNORECASE | re.DOTALL) is not None
    return re.search(rf"(?<![\w-]){re.escape(fact)}(?![\w-])", text) is not None


def failures(pull_request: PullRequest, comment: str) -> Iterator[str]:
    """Yield each fact that a reader of the comment does not learn, or must not read there."""
    whole = as_read(comment)
    texts: Sequence[tuple[str, str, bool]] = (
        ("in_the_open", as_read(in_the_open(comment)), True),
        ("anywhere", whole, True),
        ("nowhere", whole, False),
    )
    for kind, text, expected in texts:
        yield from (f"{kind}: {fact}" for fact in pull_request.facts[kind] if is_in(fact, text) is not expected)
    if pull_request.fires_at_once not in (None, _FIRES.search(whole) is not None):
        yield f"fires at once: {pull_request.fires_at_once}"
    if pull_request.longest is not None and len(comment) > pull_request.longest:
        yield f"{len(comment):,} characters, where {pull_request.longest:,} are enough"
