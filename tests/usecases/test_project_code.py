"""Code of the user's project that fails: one line that names its place, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """\
SECRET_KEY = "x"
INSTALLED_APPS = ["django_celery_beat", "schedsync", "shop"]
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
"""
APP = "from django.apps import AppConfig\n\n\nclass Shop(AppConfig):\n    name = 'shop'\n"

#: What the project's files hold beside the above, and what is said of it.
FAILING = {
    "a variable that is not set": (
        {"settings.py": 'import os\n\nSECRET_KEY = os.environ["NO_SUCH_KEY"]\n'},
        "settings.py:3: KeyError: 'NO_SUCH_KEY'",
    ),
    "a syntax error": ({"settings.py": "DEBUG = True\nDATABASES = {\n"}, "settings.py:2: SyntaxError: '{' was never"),
    "a division": ({"settings.py": "A = 1\nB = 1 / 0\n"}, "settings.py:2: ZeroDivisionError: division by zero"),
    "an exit": ({"settings.py": 'raise SystemExit("set SHOP_KEY first")\n'}, "settings.py:1: SystemExit: set SHOP_KEY"),
    "an exception without a message": ({"settings.py": "raise RuntimeError\n"}, "settings.py:1: RuntimeError"),
    "an import within the settings": ({"settings.py": "import no_such_module\n"}, "settings.py:1: ModuleNotFoundError"),
    "a module that the settings import": (
        {"settings.py": "import shop.base\n", "shop/base.py": "\nint('x')\n"},
        "shop/base.py:2: ValueError: invalid literal",
    ),
    "an app's models": ({"shop/models.py": "\n\nraise LookupError('no models')\n"}, "shop/models.py:3: LookupError"),
    "an app's ready": (
        {"shop/apps.py": f"{APP}\n    def ready(self):\n        [][1]\n"},
        "shop/apps.py:8: IndexError: list index out of range",
    ),
    "an app that is not installed": (
        {"settings.py": SETTINGS.replace('"shop"', '"no_such_app"')},
        "`settings`: ModuleNotFoundError: No module named 'no_such_app'",
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_code_of_the_project_that_fails_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    files, message = FAILING[name]
    base = {"settings.py": SETTINGS, "shop/__init__.py": "", "schedules/shop.yaml": "version: 1\nschedules: {}\n"}
    for file, text in (base | files).items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    words = [sys.executable, "-m", "schedsync", "plan", "schedules", "--settings", "settings"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 64, done.stderr
    assert done.stderr.startswith("error: Django cannot be set up with `settings`: ")
    assert message in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
