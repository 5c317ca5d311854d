"""Our dispatch in an interpreter of its own: ``python -m tests.benchmarks.beat.alone SIZE`` prints it as JSON.

The environment names the database and the broker. Further words are those of ``hooks.switch_on``.
"""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command

from tests.benchmarks.beat.dispatch import our_dispatch
from tests.benchmarks.beat.hooks import switch_on
from tests.benchmarks.beat.tables import fill

if __name__ == "__main__":
    size, *hooks = sys.argv[1:]
    if hooks:
        switch_on(*hooks)
    django.setup()
    call_command("migrate", verbosity=0)
    fill(int(size))
    json.dump(our_dispatch(int(size)), sys.stdout)
