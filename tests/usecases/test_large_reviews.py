"""A change of thousands of schedules by one edit can be read, and approved, by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path

import git
import pytest

from schedsync.render.comment import markdown
from schedsync.render.page import review as html
from schedsync.render.programs import json_
from schedsync.review.result import Request, Review
from schedsync.usecases.review import review
from tests.usecases.prepared import as_read, in_the_open

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=timezone.utc)
TENANTS = [f"tenant-{number:04}" for number in range(5000)]
CONFIGURATION = 'set = "shop"\nenvironments = ["staging", "production"]\n'
NIGHTLY = '  archive-orders: {task: shop.tasks.archive_orders, crontab: "0 5 * * *"%s}\n'


def fan(crontab: str) -> str:
    """Return one definition for all tenants."""
    return (
        "  sync-{tenant}:\n"
        "    task: shop.tasks.sync_tenant\n"
        "    for_each: {tenant: {file: tenants.txt}}\n"
        f'    crontab: "{crontab}"\n'
        '    kwargs: {tenant: "{tenant}"}\n'
        "    owner: team-data\n"
    )


def compared(root: Path, before: dict[str, str], after: dict[str, str]) -> Review:
    """Commit two sets of files, and review the second."""
    commits = []
    with git.Repo.init(root, initial_branch="main") as repository:
        for files in (before, after):
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            repository.git.add(all=True)
            commits.append(repository.index.commit("change").hexsha)
    return review(Request(commits[0], commits[1], directory=root, pictures=True), NOW)


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Review]:
    """Return a function that reviews a new timing of all tenants, beside a delete in production."""
    reviewed: dict[str, Review] = {}

    def change(crontab: str) -> Review:
        if crontab not in reviewed:
            old, new = "H/15 * * * *", crontab
            common = {"schedsync.toml": CONFIGURATION, "schedules/tenants.txt": "\n".join(TENANTS) + "\n"}
            before = {"schedules/shop.yaml": f"version: 1\nschedules:\n{fan(old)}{NIGHTLY % ''}"}
            after = {"schedules/shop.yaml": f"version: 1\nschedules:\n{fan(new)}{NIGHTLY % ', only_in: [staging]'}"}
            reviewed[crontab] = compared(tmp_path_factory.mktemp("shop"), common | before, after)
        return reviewed[crontab]

    return change


#: Three times as often, by another grid; and once a day, in an hour of its own for each tenant.
NEW_TIMINGS = ["H/5 * * * *", "H H(1-5) * * *"]


def named(text: str) -> set[str]:
    return set(re.findall(r"\bsync-tenant-\d{4}\b", text))


@pytest.mark.parametrize("crontab", NEW_TIMINGS)
def test_the_comment_on_5000_changed_tenants_is_short(tenants: Callable[[str], Review], crontab: str) -> None:
    comment = markdown.review(tenants(crontab))

    assert len(comment) < 6_000


@pytest.mark.parametrize("crontab", NEW_TIMINGS)
def test_the_comment_on_5000_changed_tenants_is_of_one_change(tenants: Callable[[str], Review], crontab: str) -> None:
    comment = as_read(markdown.review(tenants(crontab)))

    assert "5,000" in comment
    assert "sync-{tenant}" in comment
    assert 1 <= comment.count("H/15 * * * *") <= 3
    assert 1 <= comment.count(crontab) <= 3
    assert {"staging", "production"} <= set(re.findall(r"\w+", comment))


@pytest.mark.parametrize("crontab", NEW_TIMINGS)
def test_the_comment_names_the_first_tenants_and_where_all_are(tenants: Callable[[str], Review], crontab: str) -> None:
    value = tenants(crontab)
    comment = as_read(markdown.review(value))
    summary = markdown.review(value, markdown.SUMMARY)

    assert 3 <= len(named(comment)) <= 200
    assert "sync-tenant-0000" in comment
    assert re.search(r"summary|--format json|schedsync review", comment)
    assert re.search(rf"\b{5_000 - len(named(comment)):,}\b|all 5,000", comment)
    assert len(named(summary)) == 5_000
    assert len(named(json.dumps(json_.review(value)))) == 5_000


@pytest.mark.parametrize("crontab", NEW_TIMINGS)
def test_a_delete_is_in_the_open_beside_5000_changed_tenants(tenants: Callable[[str], Review], crontab: str) -> None:
    comment = as_read(in_the_open(markdown.review(tenants(crontab))))
    at = comment.find("archive-orders")

    assert at >= 0
    assert at < comment.find("sync-{tenant}") or "sync-{tenant}" not in comment
    assert "production" in comment[max(at - 200, 0) : at + 200]


class Visible(HTMLParser):
    """Counts what a page shows as a line or a row, outside of foldouts and pictures."""

    _LINES = frozenset({"tr", "li", "dt", "p", "h1", "h2", "h3", "h4", "summary", "article", "figcaption"})
    _VOID = frozenset({"br", "meta", "link", "img", "hr", "input", "col", "wbr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines, self._stack = 0, list[str]()
        self.text: list[str] = []
        self.feed(page)

    @property
    def _hidden(self) -> bool:
        foldouts = self._stack.count("details") - ("summary" in self._stack)
        return foldouts > 0 or not {"svg", "style", "head"}.isdisjoint(self._stack)

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self._VOID:
            self._stack.append(tag)
        self.lines += tag in self._LINES and not self._hidden

    def handle_endtag(self, tag: str) -> None:
        if tag in self._stack:
            while self._stack.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


def test_visible_lines_are_those_outside_of_foldouts_and_pictures() -> None:
    page = (
        "<style>p {}</style><h1>a</h1><p>b<br>c</p><svg><p>d</p></svg><ul><li>e</li><li>f</li></ul>"
        "<details><summary>g</summary><p>h</p><table><tr><td>i</td></tr></table></details><p>j</p>"
    )
    visible = Visible(page)

    assert (visible.lines, "".join(visible.text)) == (6, "abcefgj")


def equal_changes() -> Iterator[tuple[str, str]]:
    """Yield the schedules of three files, which one new hour changes in the same way."""
    for number in range(300):
        team = ("orders", "stock", "mails")[number % 3]
        yield team, f"  {team}-{number:03}: {{<<: *nightly, task: shop.tasks.{team}, kwargs: {{part: {number}}}}}\n"


def files_of(hour: int) -> dict[str, str]:
    files: dict[str, str] = {}
    for team, text in equal_changes():
        head = f'version: 1\nx-nightly: &nightly {{crontab: "0 {hour} * * *", timezone: Europe/Berlin}}\nschedules:\n'
        files[f"schedules/{team}.yaml"] = files.get(f"schedules/{team}.yaml", head) + text
    return files


def test_the_page_of_300_equal_changes_is_short_and_has_all_names(tmp_path: Path) -> None:
    page = html.review(compared(tmp_path, {"schedsync.toml": 'set = "shop"\n'} | files_of(1), files_of(4)))
    visible = Visible(page)
    shown = "".join(visible.text)
    names = set(re.findall(r"\b(?:orders|stock|mails)-\d{3}\b", page))

    assert visible.lines <= 60
    assert re.search(r"\b300\b", shown)
    assert "Europe/Berlin" in shown
    assert len(names) == 300
    assert len(re.findall(r"\b(?:orders|stock|mails)-\d{3}\b", shown)) <= 60
