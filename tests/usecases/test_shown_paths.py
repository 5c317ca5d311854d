"""Paths are shown relative to the directory in which one is, wherever the set is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Project


@pytest.fixture
def broken(files: Project) -> Project:
    """A set with a mistake, in a directory with others."""
    files.write('set = "shop"\n', "schedsync.toml")
    files.schedules("  a: {task: t, evry: 1h}\n")
    for name in ("app/deep", "schedules/team"):
        (files.root / name).mkdir(parents=True)
    return files


@pytest.mark.parametrize(
    ("here", "words", "shown"),
    [
        (".", (), "schedules/shop.yaml"),
        (".", ("schedules",), "schedules/shop.yaml"),
        ("app", ("../schedules",), "../schedules/shop.yaml"),
        ("app/deep", ("../../schedules/shop.yaml",), "../../schedules/shop.yaml"),
        ("schedules/team", ("..",), "../shop.yaml"),
        ("schedules", (".",), "shop.yaml"),
    ],
)
def test_findings_are_shown_from_where_one_is(
    broken: Project, monkeypatch: pytest.MonkeyPatch, here: str, words: tuple[str, ...], shown: str
) -> None:
    name = next(path.name for path in (broken.root / "schedules").glob("*.yaml"))
    monkeypatch.chdir(broken.root / here)
    found = json.loads(broken.command("validate", "--format", "json", *words).out)["findings"]

    assert {finding["location"]["path"] for finding in found} == {shown.replace("shop.yaml", name)}


def test_a_configuration_above_is_shown_from_where_one_is(broken: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (broken.root / "schedsync.toml").write_text("sett = 1\n")
    shown = []
    for here in (".", "schedules", "schedules/team"):
        monkeypatch.chdir(broken.root / here)
        shown.append(broken.command("validate", "." if here != "." else "schedules").err.split(": ")[1])

    assert shown == ["schedsync.toml", "../schedsync.toml", "../../schedsync.toml"]


def test_the_configured_paths_are_shown_from_where_one_is(broken: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # The default path is searched for from here upward: `schedules/team/schedules` is in the set's directory.
    monkeypatch.chdir(broken.root / "schedules/team")
    found = json.loads(broken.command("validate", "--format", "json").out)["findings"]

    assert {Path(finding["location"]["path"]).parent.as_posix() for finding in found} == {".."}


def test_a_configuration_is_not_searched_beside_the_path(files: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write('paths = ["none"]\nset = "of-app"\n', "app/schedsync.toml")
    files.schedules("  a: {task: t, every: 1h}\n")
    monkeypatch.chdir(files.root / "app")
    done = files.command("validate", "../schedules/../schedules")

    assert (done.code, "1 schedule in 1 file" in done.err) == (0, True)
    assert "of-app" not in done.out + done.err
