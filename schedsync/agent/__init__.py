"""The agent: one process beside Beat that pulls what Git says and keeps the tables so.

It imports everything below the use cases, and them. Begin to read with ``loop.py``: it says which follow of a database
has its turn; ``follow.py`` says when a turn of ``usecases/agent.py`` is due, and ``pace.py`` when the remote is asked.
``process.py`` has a loop for each database, ``lease.py`` says which of several agents acts, ``start.py`` makes all of
it from ``options.py``, which the flags or ``configuration.py`` fill. ``reports.py`` says what is logged,
``observers.py`` who else hears of a turn, ``outside.py`` who of them is outside, whom ``background.py`` tells in a
thread, and ``server.py`` serves the probes, the metrics and the hook.
"""
