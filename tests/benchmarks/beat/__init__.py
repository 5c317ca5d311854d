"""Our Beat beside stock ``DatabaseScheduler`` and a bare loop, in one run, each measurement in its own process.

Begin with ``section``, which measures everything; ``page`` writes it down and ``plots`` draws it. ``scale`` says how
much is measured: LARGE=1 adds a million schedules, QUICK=1 makes everything short.
"""

from tests.benchmarks.beat.measure import section
from tests.benchmarks.beat.page import TITLE
from tests.benchmarks.beat.scale import SIZES

__all__ = ["SIZES", "TITLE", "section"]
