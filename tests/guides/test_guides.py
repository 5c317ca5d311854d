"""Each guide is true: a reader who types its commands in a project of its own sees what the page shows."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from tests.guides.output import differs
from tests.guides.page import Command, File, NewProject, NotRun, read_page
from tests.guides.project import new_project
from tests.guides.stages import STAGES

ROOT = Path(__file__).parents[2]
PAGES = {page.name: page for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/guides/*.md"))]}
#: How many blocks of each page are marked as not run; every other block is run, or written as a file.
NOT_RUN = {
    "README.md": 3,
    "admin.md": 2,
    "alarms.md": 6,
    "agent.md": 6,
    "ci.md": 6,
    "images.md": 6,
    "metrics.md": 6,
    "monitors.md": 3,
    "operate.md": 1,
    "own-rules.md": 5,
    "restore.md": 1,
    "tutorial.md": 1,
}


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the tables of Django and of django-celery-beat, for all projects."""
    base = tmp_path_factory.mktemp("migrated")
    code, output = new_project(base).shell("python manage.py migrate --verbosity 0")
    assert code == 0, output
    return base / "db.sqlite3"


@pytest.mark.parametrize("name", PAGES)
def test_a_guide_does_what_it_says(name: str, migrated: Path, tmp_path: Path) -> None:
    project = new_project(tmp_path / "0", migrated)
    with contextlib.ExitStack() as at_end:
        for number, step in enumerate(read_page(PAGES[name]), start=1):
            if isinstance(step, NewProject):
                project = new_project(tmp_path / str(number), migrated)
                at_end.callback(project.end_processes)
                STAGES[step.stage](project)
            elif not isinstance(step, NotRun):
                problem = project.do(step)
                text = step.text if isinstance(step, Command) else step.path
                assert problem is None, f"{name}:{step.line}: {text}\n{problem}"


def test_no_block_is_left_out_in_silence() -> None:
    marked = {name: sum(isinstance(step, NotRun) for step in read_page(page)) for name, page in PAGES.items()}

    assert {name: count for name, count in marked.items() if count} == NOT_RUN


def test_a_block_that_is_neither_run_nor_marked_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```yaml\na: 1\n```\n")

    with pytest.raises(AssertionError, match=r"page\.md:1: neither"):
        read_page(page)


def test_a_page_is_read_in_its_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- project: admin -->\n\n1. Do\n\n   ```console\n   $ one \\\n     two   # exit code 3\n"
        "   out\n   $ three\n   ```\n\n"
        "<!-- not run: slow -->\n```console\n$ four\n```\n\n```yaml\n# a/b.yaml\nc: 1\n```\n"
    )
    project, first, second, *others = read_page(page)

    assert project == NewProject("admin")
    assert first == Command(5, "one \\\n  two   # exit code 3", "out\n")
    assert isinstance(first, Command)
    assert first.code == 3
    assert second == Command(5, "three", None)
    assert others == [NotRun(13, "slow"), File(17, "a/b.yaml", "c: 1\n")]


@pytest.mark.parametrize(
    ("shown", "real", "equal"),
    [
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd", True),
        ("at … now", "at 12 now", True),
        ("run 8dcb990c on 2026-11-27 02:00", "run 7aaa12bc on 2027-01-01 03:00", True),
        ("until Fri 27 Nov 2026 19:10 UTC", "until Sat 2 Jan 04:05:06 UTC", True),
        ("next 2026-11-27 02:00 UTC", "next Fri 27 Nov 02:00 UTC", True),
        ("12 runs", "14,000 runs", True),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
    ],
)
def test_output_is_compared_but_for_what_changes_from_day_to_day(shown: str, real: str, equal: bool) -> None:
    assert (differs(shown, real) is None) == equal


def test_the_index_lists_every_page() -> None:
    docs = ROOT / "docs"
    links = set(re.findall(r"\]\(([\w/-]+\.md)\)", (docs / "README.md").read_text()))
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} - {"README.md"}

    assert links == {page for page in pages if not page.startswith("reference/rules/")}


@pytest.mark.parametrize("page", [*PAGES.values(), ROOT / "docs/README.md"], ids=lambda page: page.name)
def test_every_link_of_a_guide_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
