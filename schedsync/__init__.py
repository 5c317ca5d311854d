"""Celery Beat's schedules, kept in Git."""

__version__ = "0.1.0"
