"""Without the packages of the extras everything works that does not use them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXTRAS = ("redis", "apprise", "prometheus_client", "urllib3", "boto3")
DOORS = (
    "schedsync.cli",
    "schedsync.beat.scheduler",
    "schedsync.beat.sender",
    "schedsync.usecases.sync",
    "schedsync.usecases.doctor",
    "schedsync.usecases.status",
    "schedsync.admin.schedules",
    "schedsync.admin.page.urls",
)


def test_no_door_needs_an_extra() -> None:
    code = (
        f"import sys, importlib; sys.modules.update(dict.fromkeys({EXTRAS!r}))\n"
        f"import django; django.setup()\n"
        f"for door in {DOORS!r}: importlib.import_module(door)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True
    )

    assert (run.returncode, run.stderr) == (0, "")
