from __future__ import annotations

from pathlib import Path

import git
import pytest

from schedsync.core.origin import Ancestry, Revision
from schedsync.git.origin import ancestry, canonical_url, name_at, pull_request_of, revision


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:secret@example.org/acme/shop.git", "example.org/acme/shop"),
        ("git@example.org:acme/shop.git", "example.org/acme/shop"),
        ("ssh://git@example.org:2222/acme/shop/", "example.org:2222/acme/shop"),
        ("https://example.org:abc/x", None),
        ("", None),
    ],
)
def test_a_repository_has_one_url_without_credentials(url: str, expected: str | None) -> None:
    assert canonical_url(url) == expected


@pytest.mark.parametrize(
    ("remote", "configured", "expected"),
    [
        ("https://bot:s3cret@example.org/acme/shop.git", None, "example.org/acme/shop"),
        ("git@example.org:acme/shop.git", None, "example.org/acme/shop"),
        ("https://example.org/acme/fork", "https://me:s3cret@example.org/acme/shop", "example.org/acme/shop"),
        ("/srv/git/shop.git", None, "mine"),
        ("file:///srv/git/shop.git", None, "mine"),
        ("../shop.git", None, "mine"),
        (None, None, "mine"),
    ],
)
def test_a_repository_has_a_name_for_people(
    tmp_path: Path, remote: str | None, configured: str | None, expected: str
) -> None:
    with git.Repo.init(tmp_path / "mine") as repository:
        if remote is not None:
            repository.create_remote("origin", remote)

        assert name_at(tmp_path / "mine", configured) == expected


def test_what_is_in_no_repository_has_no_name(tmp_path: Path) -> None:
    assert name_at(tmp_path) is None


@pytest.fixture
def history(tmp_path: Path) -> tuple[git.Repo, list[str]]:
    repository = git.Repo.init(tmp_path / "origin")
    with repository.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")
    path = Path(repository.working_dir) / "schedules"
    path.mkdir()
    commits = []
    for number in range(3):
        (path / "a.yaml").write_text(str(number))
        repository.git.add(all=True)
        commits.append(repository.index.commit(str(number)).hexsha)
    return repository, commits


def test_files_know_their_commit_and_place(history: tuple[git.Repo, list[str]]) -> None:
    repository, commits = history
    path = Path(repository.working_dir) / "schedules"

    assert revision([path]) == Revision(commits[-1], None, "schedules")
    assert revision([path], "example.org/x") == Revision(commits[-1], "example.org/x", "schedules")


def test_a_commit_is_older_where_it_does_not_descend(history: tuple[git.Repo, list[str]]) -> None:
    repository, (first, second, third) = history
    path = Path(repository.working_dir)

    assert ancestry(path, first, third) == Ancestry()
    assert ancestry(path, third, second) == Ancestry(older=True)
    assert ancestry(path, "f" * 40, third) == Ancestry(older=True)
    assert ancestry(path, "--upload-pack=x", third) == Ancestry()
    assert ancestry(path, None, third) == Ancestry()


def test_a_shallow_clone_cannot_tell(history: tuple[git.Repo, list[str]], tmp_path: Path) -> None:
    repository, (first, _, third) = history
    clone = git.Repo.clone_from(Path(repository.working_dir).as_uri(), tmp_path / "clone", depth=1)

    assert ancestry(Path(clone.working_dir), first, third) == Ancestry(shallow=True)


def test_files_without_a_repository_come_from_nowhere(tmp_path: Path) -> None:
    assert revision([tmp_path]) == Revision()
    assert ancestry(tmp_path, "a" * 40, "b" * 40) == Ancestry(unknown=True)


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git.Repo.init(tmp_path)

    assert revision([tmp_path]) == Revision(None, None, ".")


def test_the_message_of_a_commit_names_its_pull_request(tmp_path: Path, history: tuple[git.Repo, list[str]]) -> None:
    repository, commits = history
    # Git would run this program to check the signatures of what it shows.
    with repository.config_writer() as config:
        config.set_value("log", "showSignature", "true").set_value("gpg", "program", str(tmp_path / "evil"))
    path = Path(repository.working_dir) / "schedules"
    merge = repository.index.commit("Merge branch 'a' into 'main'\n\nB\xe4h\n\nSee merge request acme/shop!12\n").hexsha

    assert pull_request_of(path, merge) == "acme/shop!12"
    assert [pull_request_of(path, commit) for commit in (commits[0], "f" * 40, "--help", None)] == [None] * 4
    assert pull_request_of(tmp_path, merge) is None
