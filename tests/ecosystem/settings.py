"""Django settings of the processes in which a tool meets a Beat."""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

TOOL = os.environ["ECOSYSTEM_TOOL"]
APPS = {
    "results": ["django_celery_results"],
    "tenants": ["django_tenants", "tests.ecosystem.tenants"],
}
INSTALLED_APPS = [*APPS.get(TOOL, []), *INSTALLED_APPS]
DATABASES = {"default": json.loads(os.environ["ECOSYSTEM_DATABASE"])}
DATABASE_ROUTERS: list[str] = []
ALLOWED_HOSTS = ["testserver"]
if TOOL == "tenants":
    DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
    DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
    MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
    SHARED_APPS = INSTALLED_APPS
    TENANT_APPS = ["django.contrib.contenttypes"]
    TENANT_MODEL = "tenants.Customer"
    TENANT_DOMAIN_MODEL = "tenants.Domain"
