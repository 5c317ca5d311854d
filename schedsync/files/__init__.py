"""From the text of YAML files to the schedules that a set wants, with a finding for everything that is wrong.

The room may import the configuration, planning's words in core, and calendar; never Git, Django or the tables. Begin
with ``schedule_set``, which reads a whole set; ``parse`` reads one schedule.
"""
