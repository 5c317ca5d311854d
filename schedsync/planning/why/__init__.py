"""Why a schedule ran, or did not run: facts in, an answer out.

It may import the calendar and core, as all of planning. Begin with ``explain.py``: it finds the ticks, and asks
``rules.py`` about those of the past and ``coming.py`` about those to come.
"""
