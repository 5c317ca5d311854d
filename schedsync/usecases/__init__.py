"""The verbs, one file each, and the only place where files, Git, planning and the database meet.

A use case takes and returns values. It may import every room below it, but neither ``render`` nor ``commands``. Begin
with ``sync``, which holds plan, apply and drift.
"""
