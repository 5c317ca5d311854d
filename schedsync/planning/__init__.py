"""The plan that brings the tables to what the files say: the comparison, its consequences and its refusals.

The room is pure: it reads no clock, file, database or Git, and imports only calendar, errors and core. Begin with
``build``, where the steps meet; ``diff`` compares, ``consequences`` predicts, ``safety`` refuses, and ``converter``
writes the values as JSON and reads them back.
"""
