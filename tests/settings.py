"""Django settings of the test suite; tests/servers.py says by environment which databases there are."""

import contextlib
import json
import os

with contextlib.suppress(ImportError):
    import pymysql

    # Django asks for the version of mysqlclient, whose interface PyMySQL has.
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()

SECRET_KEY = "only for tests"
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_celery_beat",
    "schedsync",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
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
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
DATABASES = json.loads(
    os.environ.get(
        "SCHEDSYNC_TEST_DATABASES", '{"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}'
    )
)
DATABASE_ROUTERS = ["tests.router.Router"]
BROKERS = json.loads(os.environ.get("SCHEDSYNC_TEST_BROKERS", "{}"))
BROWSER = os.environ.get("SCHEDSYNC_TEST_BROWSER", "")
MISSING = json.loads(os.environ.get("SCHEDSYNC_TEST_MISSING", "{}"))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
