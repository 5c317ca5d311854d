"""The pages in Django's admin in a real browser: light and dark, narrow and wide, by keyboard; pictures are kept.

``SCHEDSYNC_KEEP_PICTURES=1 make test ARGS=tests/browser/test_admin_page.py`` takes the pictures again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.admin.visitors import PAGE, named
from tests.browser.admin_sample import POLICY, bad_morning, served
from tests.browser.test_review_page import browser, overflow
from tests.conftest import Project

#: Where the pictures of the docs are.
IMAGES = Path(__file__).parents[2] / "docs/images"
KEEP, SHOTS = os.environ.get("SCHEDSYNC_KEEP_PICTURES"), os.environ.get("SCHEDSYNC_SHOTS")
PATHS = {"page": PAGE, "schedule": named("nightly-report"), "search": f"{PAGE}?q=sync&state=paused#schedules"}

pytestmark = pytest.mark.one_database

#: What is cut off: it reaches out of the window, and of no box that scrolls.
CLIPPED = """() => [...document.querySelectorAll(".schedsync *")]
  .filter(one => one.offsetParent && !one.closest(".schedsync-scroll"))
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(one => one.outerHTML.slice(0, 80))"""
#: What a user of a screen reader would miss.
UNNAMED = """() => [
  ...[...document.querySelectorAll(".schedsync :is(input, select, button, a, summary)")]
    .filter(one => one.type !== "hidden")
    .filter(one => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)),
  ...document.querySelectorAll(".schedsync th:not([scope])"),
  ...[...document.querySelectorAll(".schedsync section")].filter(one => !one.getAttribute("aria-labelledby")),
].map(one => one.outerHTML.slice(0, 80))"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")]
  .filter(one => one.closest("#content, main") && one.offsetParent).map(one => Number(one.tagName[1]))"""
#: Pairs of colours, by the contrast of a text with what is behind it; only texts on the page's own ground.
FAINT = """() => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const light = colour => {
    pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => part / 255)
      .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll(".schedsync-state, .schedsync-word, .schedsync p, .schedsync td, .schedsync a")]
    .filter(one => {
      const text = light(getComputedStyle(one).color);
      return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05) < 4.5;
    }).map(one => one.className + one.textContent.slice(0, 30));
}"""


@pytest.fixture
def site(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, Any]]]:
    bad_morning(project, clock, monkeypatch)
    with served(project.using) as address:
        yield address


def shot(view: Any, name: str) -> None:
    if SHOTS:
        view.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def _text(message: Any) -> str:
    """Return what the console says; empty for the icon that the browser asks for by itself."""
    return "" if message.location.get("url", "").endswith("/favicon.ico") else str(message.text)


def test_the_pages_fit_and_can_be_read_by_everybody(site: tuple[str, dict[str, Any]]) -> None:
    url, cookie = site
    wrong: list[str] = []
    asked: set[str] = set()
    policies: set[str | None] = set()
    grounds = {}
    with browser() as chromium:
        for scheme in ("light", "dark"):
            context = chromium.new_context(color_scheme=scheme, reduced_motion="reduce")
            context.add_cookies([cookie])
            view = context.new_page()
            view.on("console", lambda message: wrong.append(_text(message)))
            view.on("pageerror", lambda error: wrong.append(str(error)))
            view.on("request", lambda request: asked.add(request.url))
            for name, path in PATHS.items():
                policies.add(view.goto(url + path).headers.get("content-security-policy"))
                grounds[scheme] = view.evaluate("getComputedStyle(document.body).backgroundColor")
                for width in (380, 800, 1400):
                    view.set_viewport_size({"width": width, "height": 900})
                    shot(view, f"{name}-{scheme}-{width}")

                    assert (overflow(view), view.evaluate(CLIPPED)) == (0, []), (name, scheme, width)
                for details in view.locator("details").all():
                    details.evaluate("one => one.open = true")
                view.set_viewport_size({"width": 380, "height": 900})
                shot(view, f"{name}-{scheme}-open")

                assert (overflow(view), view.evaluate(CLIPPED)) == (0, []), (name, scheme, "open")
                assert view.evaluate(UNNAMED) == []
                assert view.evaluate(FAINT) == [], (name, scheme)
                levels = view.evaluate(HEADINGS)
                assert levels[:2] == [1, 2]
                assert all(after - before <= 1 for before, after in pairwise(levels))
            context.close()

    assert [text for text in wrong if text] == []
    assert policies == {POLICY}
    assert {address for address in asked if not address.startswith(url)} == set()
    assert grounds["light"] != grounds["dark"]


def test_everything_is_paused_by_the_keyboard_alone(site: tuple[str, dict[str, Any]]) -> None:
    url, cookie = site
    with browser() as chromium:
        context = chromium.new_context(viewport={"width": 1400, "height": 900})
        context.add_cookies([cookie])
        view = context.new_page()
        view.goto(url + PAGE)
        view.locator("summary", has_text="Pause everything").focus()
        view.keyboard.press("Enter")
        view.keyboard.press("Tab")
        chosen = view.evaluate("document.activeElement.name")
        view.keyboard.press("Tab")
        view.keyboard.type("INC-43")
        view.keyboard.press("Tab")
        view.keyboard.press("Enter")
        view.wait_for_selector(".messagelist .success")
        said = view.inner_text(".messagelist")
        alarm = view.inner_text(".schedsync-stopped .schedsync-alarm")
        context.close()

    assert chosen == "minutes"
    assert "Everything is paused by ann until 10:30 UTC: INC-43" in said
    assert alarm == "everything is paused by ann until 10:30 UTC: INC-43"


@pytest.mark.skipif(not KEEP, reason="SCHEDSYNC_KEEP_PICTURES is not set")
def test_the_pictures_of_the_docs(site: tuple[str, dict[str, Any]]) -> None:
    url, cookie = site
    with browser() as chromium:
        for name, path, scheme, size in (
            ("admin-page", PAGE, "light", (1200, 1000)),
            ("admin-schedule", PATHS["schedule"], "light", (1200, 900)),
            ("admin-page-dark", PAGE, "dark", (1200, 600)),
        ):
            screen = {"width": size[0], "height": size[1]}
            context = chromium.new_context(color_scheme=scheme, viewport=screen)
            context.add_cookies([cookie])
            view = context.new_page()
            view.goto(url + path)
            view.screenshot(path=IMAGES / f"{name}.png")
            context.close()
