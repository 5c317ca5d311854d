"""The edge to the tables: reads them as plain values, and writes changes in one transaction behind the apply lock.

It may import planning, calendar, core, errors and the models, and decides nothing itself: what to write is a plan's
to say. Begin with ``observe`` for reading, ``transaction`` for writing, ``confirm`` for what follows a commit.
"""
