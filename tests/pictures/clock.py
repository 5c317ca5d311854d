"""Runs a program of Python at a fixed instant: ``python -m tests.pictures.clock INSTANT FILE ARGUMENTS``."""

from __future__ import annotations

import runpy
import sys

import time_machine

if __name__ == "__main__":
    instant, *sys.argv = sys.argv[1:]
    with time_machine.travel(instant, tick=False):
        runpy.run_path(sys.argv[0], run_name="__main__")
