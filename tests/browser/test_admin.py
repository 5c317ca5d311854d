"""The admin in a real browser: Django's own under a strict policy, with and without JavaScript, and django-unfold."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance.shop import EXAMPLE, Shop, shop
from tests.browser.test_edit_in_a_browser import FLAGS, SAM, _wait_for

#: Settings of a project that forbids its pages everything from elsewhere, and everything inline.
STRICT = """
from shop.settings import *
MIDDLEWARE = ["office.settings.policy", *MIDDLEWARE]
DEBUG = True
def policy(get_response):
    def respond(request):
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response
    return respond
"""
#: As the documentation of django-unfold shows it; its class is registered after everything else.
UNFOLD = """
from shop.settings import *
INSTALLED_APPS = ["unfold", *INSTALLED_APPS, "office"]
"""
UNFOLD_ADMIN = """
from django.contrib import admin
from django_celery_beat.admin import PeriodicTaskAdmin as Stock
from django_celery_beat.models import PeriodicTask
from unfold.admin import ModelAdmin

admin.site.unregister(PeriodicTask)

@admin.register(PeriodicTask)
class PeriodicTaskAdmin(Stock, ModelAdmin):
    pass
"""
THEMES = {"stock": (STRICT, ""), "unfold": (UNFOLD, UNFOLD_ADMIN)}
SHOTS = os.environ.get("SCHEDSYNC_SHOTS")
TASKS = "/admin/django_celery_beat/periodictask/"


@contextlib.contextmanager
def served(root: Path, theme: str) -> Iterator[tuple[str, Shop]]:
    """Serve a project with one managed schedule; yields its address."""
    own_settings, own_admin = THEMES[theme]
    office = root / "own" / "office"
    office.mkdir(parents=True)
    for name, text in (("__init__", ""), ("settings", own_settings), ("admin", own_admin)):
        (office / f"{name}.py").write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with shop("default", "filesystem://", root) as made:
        path = f"{office.parent}:{made.environment['PYTHONPATH']}"
        environment = {**made.environment, "DJANGO_SETTINGS_MODULE": "office.settings", "PYTHONPATH": path}
        made = replace(made, environment=environment)
        made.write("version: 1\nschedules:\n  one: {task: shop.tasks.heartbeat, every: 1h}\n")
        assert made.run("apply", "--yes", "--settle", "0").returncode == 0
        assert made.python(str(EXAMPLE / "manage.py"), "shell", "-c", SAM).returncode == 0
        server = subprocess.Popen(
            [sys.executable, str(EXAMPLE / "manage.py"), "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=made.root, env=made.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}", made
        finally:
            server.terminate()
            server.wait(10)


@pytest.mark.parametrize("theme", THEMES)
def test_a_managed_schedule_is_paused_and_opened_by_buttons(theme: str, tmp_path: Path, django_db_blocker: Any) -> None:
    if not settings.BROWSER:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with django_db_blocker.unblock(), served(tmp_path, theme) as (base, made), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=settings.BROWSER, args=FLAGS)
        paused = _pause(browser.new_page(), base)
        # Only the look of unfold needs JavaScript.
        opened = _break_glass(browser.new_context(java_script_enabled=theme != "stock").new_page(), base)
        browser.close()
        drift = made.run("drift")
        applied = made.run("apply", "--yes", "--settle", "0")

    assert paused["git"] == "Git"
    assert ("Git manages this schedule" in paused["form"], paused["saves"]) == (True, 0)
    assert "Paused: one. No apply undoes it." in paused["after"]
    assert "Paused by sam until" in paused["after"]
    assert "INC-7 <b>" in paused["after"]
    assert paused["wrong"] == []
    assert "Open for editing by sam" in opened["form"]
    assert "the next apply of set “default” undoes this change" in opened["after"]
    assert (drift.returncode, applied.returncode) == (2, 0)
    assert "by hand" in drift.stdout


def _log_in(page: Any, base: str) -> None:
    page.goto(f"{base}{TASKS}")
    page.fill("#id_username", "sam")
    page.fill("#id_password", "sam")
    page.click("[type=submit]")


def _keep(page: Any, name: str) -> None:
    """Keep a picture for somebody who asked for it: drawing it takes Chromium seconds."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"admin-{name}.png")


def _pause(page: Any, base: str) -> dict[str, Any]:
    """Pause by the button of the form; returns the texts of the pages, and what the browser had against ours."""
    wrong: list[str] = []
    _log_in(page, base)
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(f"{base}{TASKS}?git=managed")
    _keep(page, "list")
    seen: dict[str, Any] = {"git": page.locator(".field-schedsync_git").first.inner_text(), "wrong": [*wrong]}
    page.locator(".field-name a").first.click()
    page.wait_for_load_state()
    _keep(page, "form")
    seen |= {"form": page.inner_text("body"), "saves": page.locator("[name=_save]").count()}
    # The form itself has an inline script of django-celery-beat, which the policy stops.
    wrong.clear()
    page.get_by_role("link", name="Pause…").click()
    page.fill("[name=reason]", "INC-7 <b>")
    page.select_option("[name=hours]", "4")
    _keep(page, "pause")
    seen["wrong"] += wrong
    page.click("#schedsync-operation [type=submit]")
    page.get_by_text("No apply undoes it").wait_for()
    return {**seen, "after": page.inner_text("body")}


def _break_glass(page: Any, base: str) -> dict[str, str]:
    """Open the form, and edit it; returns the texts of both pages."""
    _log_in(page, base)
    page.locator(".field-name a").first.click()
    page.get_by_role("link", name="Break glass…").click()
    page.fill("[name=reason]", "queue is down")
    page.click("#schedsync-operation [type=submit]")
    page.locator("[name=description]").wait_for()
    opened = page.inner_text("body")
    page.fill("[name=description]", "by hand")
    page.click("[name=_save]")
    page.wait_for_load_state()
    page.locator("[name=description], .field-name a").first.wait_for()
    return {"form": opened, "after": page.inner_text("body")}
