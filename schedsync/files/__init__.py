"""Reads YAML files: from their text to the desired schedules of a set, with a finding for everything that is wrong.

The room may import config, schemas and core; never git, Django or the database. Begin with ``schedule_set``, which
reads a whole set; ``one_file`` reads one file in steps, ``parse`` one schedule.
"""
