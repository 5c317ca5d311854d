"""The agent: one process beside Beat that pulls what Git says and keeps the tables so.

It imports everything below the use cases, and them. Begin to read with ``loop.py``: it says when a turn of
``usecases/agent.py`` is taken; ``lease.py`` says which of several agents acts, ``pace.py`` when the remote is asked,
``reports.py`` what is logged, ``observers.py`` who else hears of a turn, ``outside.py`` who of
them is outside, and ``server.py`` serves the probes, the metrics and the hook.
"""
