"""Print the section of CHANGELOG.md that belongs to a tag: ``python .ci/release_notes.py v0.1.0``.

It fails if the tag is not the version in pyproject.toml, or if the changelog has no section with a date for it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes_of(tag: str, project: str, changelog: str) -> str:
    """Return the changelog's section for a tag, without its heading; exit with a message if the tag does not fit."""
    version = re.search(r'^version = "([^"]+)"$', project, re.MULTILINE)
    if version is None or tag != f"v{version[1]}":
        sys.exit(f"the tag is {tag}, but the version in pyproject.toml is {version[1] if version else 'missing'}")
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, notes = section.partition("\n")
        if re.fullmatch(rf"\[{re.escape(version[1])}\] - \d{{4}}-\d\d-\d\d", heading) and notes.strip():
            return notes.strip()
    sys.exit(f"CHANGELOG.md has no section `## [{version[1]}] - YYYY-MM-DD`, or nothing in it")


if __name__ == "__main__":
    print(
        notes_of(
            sys.argv[1],
            (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
            (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        )
    )
