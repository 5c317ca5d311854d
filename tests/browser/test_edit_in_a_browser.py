"""Somebody edits a schedule in the admin, in a real browser; drift names them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance.shop import EXAMPLE, shop

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SAM = "from django.contrib.auth import get_user_model as u; u().objects.create_superuser('sam', 's@example.org', 'sam')"


def test_drift_names_who_saved_the_form(tmp_path: Path, django_db_blocker: Any) -> None:
    if not settings.BROWSER:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with django_db_blocker.unblock(), shop("default", "filesystem://", tmp_path) as made:
        made.write("version: 1\nschedules:\n  one: {task: shop.tasks.heartbeat, every: 1h}\n")
        assert made.run("apply", "--yes").returncode == 0
        assert made.python(str(EXAMPLE / "manage.py"), "shell", "-c", SAM).returncode == 0
        server = subprocess.Popen(
            [sys.executable, str(EXAMPLE / "manage.py"), "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=made.root, env={**made.environment, "SHOP_ADMIN": "warn"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=settings.BROWSER, args=FLAGS)
                page = browser.new_page()
                page.goto(f"http://127.0.0.1:{port}/admin/django_celery_beat/periodictask/?name=one")
                page.fill("#id_username", "sam")
                page.fill("#id_password", "sam")
                page.click("input[type=submit]")
                page.click("th.field-name a")
                page.fill("#id_description", "only for today")
                page.click("input[name=_save]")
                page.wait_for_selector(".messagelist .success")
                browser.close()
        finally:
            server.terminate()
            server.wait(10)
        drift = made.run("drift", "--format", "json")

    changes = json.loads(drift.stdout)["changes"]
    assert drift.returncode == 2
    assert [(one["by"]["user"], one["fields"][0]["before"]) for one in changes] == [("sam", "only for today")]


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not come up")
