"""Other systems → desired: Celery's settings, crontab. Each reader takes what a source holds and returns values.

The room may import files, database, planning, calendar and core, and no use case. Begin with ``celery_settings``.
"""
