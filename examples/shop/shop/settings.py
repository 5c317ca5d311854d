"""A small project without servers: the database is SQLite, and the broker keeps its messages in plain files.

SHOP_DATA is the directory of both. To use real servers, set SHOP_DATABASES (Django's DATABASES as JSON) and
SHOP_BROKER.
"""

import contextlib
import json
import os
from pathlib import Path

import django

with contextlib.suppress(ImportError):
    import pymysql

    # PyMySQL has the interface of mysqlclient; Django checks this version number of mysqlclient.
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()

DATA = Path(os.environ.get("SHOP_DATA", Path(__file__).parents[3] / ".demo"))
QUEUE = DATA / "broker"
QUEUE.mkdir(parents=True, exist_ok=True)

SECRET_KEY = "an example, no secret"
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
        # Beat and schedsync write to one file: each waits up to 20 seconds for the other.
        # With IMMEDIATE a transaction that reads first and then writes waits too, instead of failing at once.
        "OPTIONS": {"timeout": 20, **({"transaction_mode": "IMMEDIATE"} if django.VERSION >= (5, 1) else {})},
    }
}

# The place of Beat's lease: "database" (the default) or a Redis URL. The lease is shorter than the default of
# 15 seconds, so that the demo shows the takeover sooner.
SCHEDSYNC_LEADER = os.environ.get("SHOP_LEADER", "database")
SCHEDSYNC_LEASE = 6
SCHEDSYNC_RENEW = 2

# What the admin lets people do with schedules that Git manages: nothing, unless they open one for editing.
SCHEDSYNC_ADMIN = os.environ.get("SHOP_ADMIN", "readonly")

CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": DATA / "cache"}}

CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "schedsync.beat:Scheduler"
# With a result backend, schedsync knows how the first run of a changed schedule ended.
CELERY_RESULT_BACKEND = os.environ.get("SHOP_RESULTS")
CELERY_TASK_IGNORE_RESULT = CELERY_RESULT_BACKEND is None
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
