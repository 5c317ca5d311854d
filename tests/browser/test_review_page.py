"""The pages of a review and of a forecast, in a real browser: light and dark, narrow and wide; one picture is kept."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import git
import pytest
from django.conf import settings

from tests.browser.test_edit_in_a_browser import FLAGS
from tests.conftest import Project

#: The picture of the docs; it is taken again where SCHEDSYNC_KEEP_PICTURES is set.
KEPT = Path(__file__).parents[2] / "docs/guides/review.png"
BEFORE = """\
  nightly-report:
    task: shop.tasks.report
    crontab: "0 2 * * *"
    timezone: Europe/Berlin
    owner: team-data
  heartbeat: {task: shop.tasks.ping, every: 5s}
  rates: {task: shop.tasks.rates, crontab: "0 3 * * *", owner: team-fx}
  old-cleanup: {task: shop.tasks.cleanup, crontab: "0 5 * * sun"}
  "sync-{tenant}":
    task: shop.tasks.sync
    crontab: "0 * * * *"
    kwargs: {tenant: "{tenant}"}
    for_each: {tenant: [acme, globex, initech, umbrella, hooli, wonka, stark, wayne, tyrell, cyberdyne, duff, soylent]}
"""
AFTER = (
    BEFORE.replace('"0 2 * * *"', '"0 4 * * *"')
    .replace('"0 3 * * *"', '"*/2 * * * *"')
    .replace('  old-cleanup: {task: shop.tasks.cleanup, crontab: "0 5 * * sun"}\n', "")
    .replace('"0 * * * *"', '"H * * * *"')
    + "  export:\n    task: shop.tasks.export\n    crontab: '30 2 * * *'\n    timezone: Europe/Berlin\n"
    "    kwargs: {api_token: x, kind: full}\n"
)
SCREEN = {"width": 1280, "height": 800}


def review_page(files: Project, before: str, after: str) -> Path:
    """Commit the schedules before, and write the page of a review of those after."""
    with git.Repo.init(files.root, initial_branch="main") as repository:
        repository.create_remote("origin", "https://bot:s3cret@git.example.org/acme/shop.git")
        files.schedules(before)
        repository.git.add("schedules")
        repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", "x"])
        files.schedules(after)
        done = files.command("review", "--format", "html", "--out", "review.html")
    assert done.code == 0, done
    return files.root / "review.html"


@pytest.fixture
def page(files: Project, clock: Any) -> Path:
    return review_page(files, BEFORE, AFTER)


@pytest.fixture
def forecast(files: Project, clock: Any) -> Path:
    files.schedules(AFTER)
    assert files.command("forecast", "--format", "html", "--out", "forecast.html").code == 0
    return files.root / "forecast.html"


@contextmanager
def browser() -> Iterator[Any]:
    if not settings.BROWSER:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=settings.BROWSER, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def overflow(view: Any) -> int:
    """Return by how many pixels the page is wider than the window."""
    width: int = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


#: What is cut off: text that is outside of the window, and of no box that scrolls.
CLIPPED = """() => [...document.querySelectorAll("h1, h2, p, td, li, dd, summary, figcaption, .legend li")]
  .filter(one => one.offsetParent && !one.closest(".scroll") && !one.closest("details:not([open]) > .inside"))
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
  .map(one => one.textContent.trim().slice(0, 60))"""


@pytest.mark.parametrize("name", ["page", "forecast"])
def test_a_page_fits_and_asks_for_nothing(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file: Path = request.getfixturevalue(name)
    asked: list[str] = []
    wrong: list[str] = []
    colours = {}
    with browser() as chromium:
        for scheme in ("light", "dark"):
            for width in (380, 768, 1280):
                context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
                view = context.new_page()
                view.on("request", lambda request: asked.append(request.url))
                view.on("console", lambda message: wrong.append(message.text))
                view.on("pageerror", lambda error: wrong.append(str(error)))
                view.goto(file.as_uri())
                colours[scheme] = view.evaluate("getComputedStyle(document.body).backgroundColor")
                view.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)

                assert (overflow(view), view.evaluate(CLIPPED)) == (0, []), (scheme, width)
                for details in view.locator("details").all():
                    details.evaluate("one => one.open = true")
                assert (overflow(view), view.evaluate(CLIPPED)) == (0, []), (scheme, width, "open")
                context.close()

    assert set(asked) == {file.as_uri()}
    assert wrong == []
    assert colours["light"] != colours["dark"]


def test_a_review_shows_the_alarms_first_in_words(page: Path) -> None:
    with browser() as chromium:
        view = chromium.new_page(viewport=SCREEN)
        view.goto(page.as_uri())
        shown = view.inner_text("body").replace("\u00a0", " ")
        titles = view.locator("h2, h3").all_inner_texts()
        maps = view.locator("figcaption:visible").all_inner_texts()
        if os.environ.get("SCHEDSYNC_KEEP_PICTURES"):
            view.screenshot(path=KEPT, full_page=True)

    assert titles[:4] == ["Stops", "Far more often", "Other changes", "Load of a week"]
    assert "git.example.org/acme/shop" in shown
    assert "s3cret" not in shown
    assert "Mon 23 Nov 2026 10:00 UTC, by schedsync" in shown
    assert "Sun 29 Nov 05:00 · Sun 6 Dec 05:00 · Sun 13 Dec 05:00 UTC\n→ no run" in shown
    assert "daily 02:00 → daily 04:00 Europe/Berlin" in re.sub(r"\s+", " ", shown)
    assert "Tue 24 Nov 02:00 · Wed 02:00 · Thu 02:00\n→ Tue 24 Nov 04:00 · Wed 04:00 · Thu 04:00 Europe/Berlin" in shown
    assert "720 times a day instead of once a day" in shown
    assert "The maps leave out 12 a minute, steadily: heartbeat." in shown
    assert [caption.partition(":")[0] for caption in maps] == ["Rises and falls", "Before", "After"]


def test_a_page_can_be_read_with_the_keyboard_alone(page: Path) -> None:
    """Each foldout can be opened, then takes the width of its table, and each map can be scrolled."""
    reached = []
    with browser() as chromium:
        view = chromium.new_page(viewport=SCREEN)
        view.goto(page.as_uri())
        visible = view.locator("summary:visible, .scroll:visible").count()
        for _ in range(visible):
            view.keyboard.press("Tab")
            reached.append(view.evaluate("document.activeElement.tagName + document.activeElement.className"))
        view.locator("td.more summary").first.focus()
        view.keyboard.press("Enter")
        row = view.locator("tr:has(details[open])").first
        inside = row.locator(".inside")

        assert inside.is_visible()
        assert inside.bounding_box()["width"] > 0.9 * row.bounding_box()["width"]

    assert sorted(reached) == ["DIVscroll"] * 3 + ["SUMMARY"] * (visible - 3)


def test_three_hundred_equal_changes_fit_two_screens(files: Project, clock: Any) -> None:
    jobs = "".join(f"  job-{number}: {{task: t.job{number}, crontab: '0 1 * * *'}}\n" for number in range(300))
    page = review_page(files, jobs, jobs.replace("0 1 *", "0 2 *"))
    with browser() as chromium:
        view = chromium.new_page(viewport=SCREEN)
        view.goto(page.as_uri())
        height = view.evaluate("document.documentElement.scrollHeight")
        rows = view.locator("tbody tr").count()
        shown = view.inner_text("body")
        view.locator("summary", has_text="names").click()
        opened = view.inner_text("body")

    assert (height <= 2 * SCREEN["height"], rows) == (True, 1), height
    assert "300 schedules" in shown
    assert "job-299" not in shown
    assert [number for number in range(300) if f"job-{number}" not in opened] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_as_a_file_has_a_ground_of_its_own(files: Project, clock: Any, scheme: str) -> None:
    files.schedules(AFTER)
    svg = files.command("forecast", "--format", "svg").out
    # A page of the other colour: the ground must come from the picture.
    other = "#0d1117" if scheme == "light" else "#ffffff"
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    (files.root / "page.html").write_text(f'<body style="background: {other}"><img src="{source}"></body>')
    with browser() as chromium:
        context = chromium.new_context(color_scheme=scheme, viewport={"width": 700, "height": 300})
        view = context.new_page()
        view.goto((files.root / "page.html").as_uri())
        ground = view.evaluate("""async () => {
          const image = document.querySelector("img"), canvas = document.createElement("canvas");
          await image.decode();
          canvas.width = image.width;
          canvas.height = image.height;
          const pen = canvas.getContext("2d");
          pen.drawImage(image, 0, 0);
          return [...pen.getImageData(2, 2, 1, 1).data];
        }""")
        context.close()

    assert ground in ([255, 255, 255, 255], [13, 17, 23, 255])
