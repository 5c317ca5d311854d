"""The settings of django-celery-beat's own tests, with ours beside them."""

from t.proj.settings import *  # noqa: F403
from t.proj.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "schedsync"]
CELERY_BROKER_URL = "memory://"
