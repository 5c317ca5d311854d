"""A small project on embedded parts: SQLite, and a broker of plain files.

SHOP_DATA is where both live; SHOP_DATABASES (Django's DATABASES as JSON) and SHOP_BROKER take real servers instead.
"""

import contextlib
import json
import os
from pathlib import Path

import django

with contextlib.suppress(ImportError):
    import pymysql

    # Django asks for the version of mysqlclient, whose interface PyMySQL has.
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()

DATA = Path(os.environ.get("SHOP_DATA", Path(__file__).parents[3] / ".demo"))
QUEUE = DATA / "broker"
QUEUE.mkdir(parents=True, exist_ok=True)

SECRET_KEY = "of an example"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "schedsync",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "shop.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = json.loads(os.environ.get("SHOP_DATABASES", "null")) or {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "shop.sqlite3",
        # Beat and we write to one file: let each wait for the other.
        # A transaction that reads and then writes cannot wait for another's writes, unless it says so when it begins.
        "OPTIONS": {"timeout": 20, **({"transaction_mode": "IMMEDIATE"} if django.VERSION >= (5, 1) else {})},
    }
}

# Where Beat's lease lives: "database" is the default, "redis://…" the other place; a demo has no time for 15 s.
SCHEDSYNC_LEADER = os.environ.get("SHOP_LEADER", "database")
SCHEDSYNC_LEASE = 6
SCHEDSYNC_RENEW = 2

CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": DATA / "cache"}}

CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "schedsync.beat:Scheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BROKER_URL = os.environ.get("SHOP_BROKER", "filesystem://")
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE),
        "data_folder_out": str(QUEUE),
        "control_folder": str(QUEUE),
        "polling_interval": 0.2,
    }
