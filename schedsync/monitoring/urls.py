"""The URL of the metrics: ``path("metrics/", include("schedsync.monitoring.urls"))``."""

from __future__ import annotations

from django.urls import path

from schedsync.monitoring.views import metrics

urlpatterns = [path("", metrics, name="schedsync-metrics")]
