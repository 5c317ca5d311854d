"""What other places know about schedules becomes our files: today the rows of the tables.

Each source yields drafts; the other modules spell, fold, group and write them, and read the text back. The room may
import files, database, planning, lint and below, and no use case. Begin with ``rows``.
"""
