"""A release has one version: in the tag, in pyproject.toml and in the changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHANGELOG = """# Changelog

## [Unreleased]

- later

## [1.2.0] - 2026-11-27

- two

## [1.20] - 2026-11-20

- three
"""


def release_notes(root: Path, tag: str, version: str, changelog: str = CHANGELOG) -> tuple[int, str, str]:
    (root / ".ci").mkdir()
    script = root / ".ci/release_notes.py"
    script.write_text((ROOT / ".ci/release_notes.py").read_text())
    (root / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{version}"\n')
    (root / "CHANGELOG.md").write_text(changelog)
    done = subprocess.run([sys.executable, script, tag], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_notes_are_the_section_of_the_tag(tmp_path: Path) -> None:
    assert release_notes(tmp_path, "v1.2.0", "1.2.0") == (0, "- two\n", "")


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "message"),
    [
        ("v1.2.1", "1.2.0", CHANGELOG, "the tag is v1.2.1, but the version in pyproject.toml is 1.2.0\n"),
        ("v1.3.0", "1.3.0", CHANGELOG, "CHANGELOG.md has no section `## [1.3.0] - YYYY-MM-DD`, or nothing in it\n"),
        (
            "v1.2.0", "1.2.0", CHANGELOG.replace("- two\n", ""),
            "CHANGELOG.md has no section `## [1.2.0] - YYYY-MM-DD`, or nothing in it\n",
        ),
    ],
)  # fmt: skip
def test_a_tag_that_does_not_fit_is_no_release(
    tmp_path: Path, tag: str, version: str, changelog: str, message: str
) -> None:
    assert release_notes(tmp_path, tag, version, changelog) == (1, "", message)


def test_the_present_version_has_its_section() -> None:
    version = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version"))
    tag = "v" + version.split('"')[1]
    done = subprocess.run([sys.executable, ROOT / ".ci/release_notes.py", tag], capture_output=True, check=False)

    assert done.returncode == 0
