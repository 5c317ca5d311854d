"""The words of schedsync as values: timing, schedule, change, observed state, finding, refusal.

The room is pure: no Django, no YAML, no clock, no I/O; it imports no other room. Begin with ``schedule`` for what the
files and rows say, ``observed`` for the tables, ``change`` for what a plan does.
"""
