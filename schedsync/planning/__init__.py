"""From what the files say and what the tables hold to a plan: the comparison, its consequences and its refusals.

The room is pure: it reads no clock, file, database or Git, and imports only calendar, errors and core. Begin with
``build``, where the steps meet; ``diff`` compares, ``consequences`` foretells, ``safety`` refuses.
"""
