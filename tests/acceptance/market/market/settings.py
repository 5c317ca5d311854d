"""Settings of a shop that keeps some schedules here, and most in the admin."""

import json
import os
from datetime import timedelta

from celery.schedules import crontab

try:
    import pymysql
except ImportError:
    pass
else:
    # PyMySQL has the interface of mysqlclient; Django checks this version number of mysqlclient.
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()

SECRET_KEY = "an example, no secret"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_celery_beat",
    "schedsync",
    "market",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": json.loads(os.environ["MARKET_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

SCHEDSYNC_SOURCES = {"tenants": "market.tenants.active"}

CELERY_BROKER_URL = "memory://"
CELERY_TIMEZONE = "Europe/Berlin"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BEAT_SCHEDULE = {
    "hourly-health": {
        "task": "ops.tasks.check_health",
        "schedule": crontab(minute=0),
    },
    # The carts of visitors who never came back.
    "purge-carts": {
        "task": "shop.tasks.purge_carts",
        "schedule": 3600.0,
        "kwargs": {"older_than_days": 30},
    },
    "thumbnails": {"task": "shop.tasks.make_thumbnails", "schedule": timedelta(minutes=10), "args": (200, 200)},
    "digest": {
        "task": "mail.tasks.send_digest",
        "schedule": crontab(hour=7, minute=30, day_of_week="mon-fri"),
        "options": {"queue": "mail", "priority": 3},
    },
    "fetch-rates": {
        "task": "billing.tasks.fetch_rates",
        "schedule": crontab(minute="*/20"),
        "args": ("ECB",),
        "options": {"queue": "billing", "expire_seconds": 600},
    },
    "archive-orders": {
        "task": "shop.tasks.archive_orders",
        "schedule": crontab(minute=0, hour=0, day_of_month=1),
    },
    "sitemap": {"task": "shop.tasks.write_sitemap", "schedule": crontab(minute=0, hour=4)},
    "quarterly-audit": {
        "task": "reports.tasks.audit",
        "schedule": crontab(minute=15, hour=5, day_of_month="1", month_of_year="1,4,7,10"),
        "options": {"headers": {"x-audit": "yes"}},
    },
}
