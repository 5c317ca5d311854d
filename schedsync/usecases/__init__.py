"""The verbs, one file each, and the only place where files, Git, planning and the database meet.

A use case may import every room below it, but neither ``render`` nor ``commands``: it takes and returns values. Begin
with ``sync``, which holds plan, apply and drift.
"""
