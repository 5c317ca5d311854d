"""What other systems know about schedules becomes our files: rows of the tables, Celery's settings, crontab files.

Readers take what a source holds and return values or drafts; the other modules spell, fold, group and write drafts, and
read the text back. The room may import files, database, planning, lint and below, and no use case. Begin with ``rows``.
"""
