from django.db import models
from django_tenants.models import DomainMixin, TenantMixin


class Customer(TenantMixin):
    """A tenant whose schema is only a name: its tables are those of the public schema."""

    name = models.CharField(max_length=100)
    auto_create_schema = False


class Domain(DomainMixin):
    pass
