"""When something is tried next: at an interval with jitter, and more and more seldom while it fails."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: Agents that were started together do not ask the remote together: each interval is up to so much shorter.
_JITTER = 0.2
#: The longest wait after failures, in seconds, unless the interval is longer.
_LONGEST = 300.0
#: The shortest time between two tries, in seconds.
_BETWEEN = 2.0


@dataclass
class Pace:
    """The pace of one thing that is tried again and again; ``interval`` is in seconds, of the monotonic clock."""

    interval: float
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    failures: int = 0
    _next: float = field(default=float("-inf"))
    _done: float = field(default=float("-inf"))

    @property
    def is_due(self) -> bool:
        """Whether it is time to try."""
        return self.clock() >= self._next

    @property
    def wait(self) -> float:
        """Seconds until it is time; 0 if it is."""
        return max(self._next - self.clock(), 0.0)

    def done(self, *, failed: bool) -> None:
        """Note that it was tried, and whether that failed."""
        self.failures = min(self.failures + 1, 30) if failed else 0
        longest = max(_LONGEST, self.interval)
        seconds = min(self.interval * 2 ** max(self.failures - 1, 0), longest)
        self._done = self.clock()
        self._next = self._done + seconds * (1 - _JITTER * self.chance())

    def hurry(self) -> None:
        """Try soon: at once, if the last try is long enough ago, so that a flood of calls does no harm."""
        self._next = min(self._next, self._done + _BETWEEN)
