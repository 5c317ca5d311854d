"""A soak: a day of agents, Beats, workers, pushes, edits, pauses and kills in a few minutes, and what holds after it.

``python -m tests.soak --minutes 10`` runs it on PostgreSQL and Redis; ``make test`` only tests the checks in
``invariants.py``. Begin with ``story.py``.
"""
