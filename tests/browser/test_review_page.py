"""The page of a review, in a real browser: light and dark, narrow and wide; one picture of it is kept."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import git
import pytest
from django.conf import settings

from tests.browser.test_edit_in_a_browser import FLAGS
from tests.conftest import Project

KEPT = Path(__file__).parents[2] / "docs/guides/review.png"
BEFORE = """\
  nightly-report:
    task: shop.tasks.report
    crontab: "0 2 * * *"
    timezone: Europe/Berlin
    owner: team-data
  old-cleanup: {task: shop.tasks.cleanup, crontab: "0 5 * * sun"}
  "sync-{tenant}":
    task: shop.tasks.sync
    crontab: "0 * * * *"
    kwargs: {tenant: "{tenant}"}
    for_each: {tenant: [acme, globex, initech, umbrella, hooli, wonka, stark, wayne, tyrell, cyberdyne, duff, soylent]}
"""
AFTER = (
    BEFORE.replace('"0 2 * * *"', '"*/2 * * * *"')
    .replace('  old-cleanup: {task: shop.tasks.cleanup, crontab: "0 5 * * sun"}\n', "")
    .replace('"0 * * * *"', '"H * * * *"')
    + "  export:\n    task: shop.tasks.export\n    crontab: '30 2 * * *'\n    timezone: Europe/Berlin\n"
    "    kwargs: {api_token: x, kind: full}\n"
)


@pytest.fixture
def page(files: Project, clock: Any) -> Path:
    with git.Repo.init(files.root, initial_branch="main") as repository:
        files.schedules(BEFORE)
        repository.git.add("schedules")
        repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", "x"])
        files.schedules(AFTER)
        done = files.command("review", "--format", "html", "--out", "review.html")
    assert done.code == 0, done
    return files.root / "review.html"


def test_the_page_fits_and_asks_for_nothing(page: Path, tmp_path: Path) -> None:
    if not settings.BROWSER:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    wrong: list[str] = []
    colours = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=settings.BROWSER, args=FLAGS)
        for scheme in ("light", "dark"):
            for width in (360, 1280):
                context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
                view = context.new_page()
                view.on("request", lambda request: asked.append(request.url))
                view.on("console", lambda message: wrong.append(message.text))
                view.on("pageerror", lambda error: wrong.append(str(error)))
                view.goto(page.as_uri())
                overflow = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                colours[scheme] = view.evaluate("getComputedStyle(document.body).backgroundColor")
                shown = view.inner_text("body")
                file = tmp_path / f"{scheme}-{width}.png"
                view.screenshot(path=file, full_page=True)

                assert overflow <= 0, (scheme, width)
                assert "720 times a day instead of once a day" in shown
                assert view.locator("svg.heat").count() == 3
                context.close()
        browser.close()

    assert set(asked) == {page.as_uri()}
    assert wrong == []
    assert colours["light"] != colours["dark"]


def keep() -> None:
    """Take the picture of the docs again: ``python -m tests.browser.test_review_page PAGE``."""
    import sys

    command = ["chromium", "--headless", *FLAGS, "--hide-scrollbars", f"--screenshot={KEPT}", "--window-size=1180,1500"]
    subprocess.run([*command, Path(sys.argv[1]).resolve().as_uri()], check=True)


if __name__ == "__main__":
    keep()
