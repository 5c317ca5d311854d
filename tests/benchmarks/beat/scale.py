"""How much is measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

SIZES = (1_000, 10_000, 100_000)
LARGE = 1_000_000


@dataclass(frozen=True)
class Scale:
    """``sizes`` are numbers of schedules; ``large`` is for our Beat alone, and 0 if it is not measured.

    ``late_sizes`` are numbers of schedules that run each second: the middle one and one instant are measured for
    ``seconds``, the others for ``short_seconds``. ``failovers`` says how often a leader gets each signal.
    """

    sizes: tuple[int, ...] = SIZES
    large: int = 0
    late_sizes: tuple[int, ...] = (100, 1_000, 5_000)
    seconds: int = 60
    short_seconds: int = 20
    pickups: int = 20
    stock_pickups: int = 3
    failovers: Mapping[str, int] = field(default_factory=lambda: {"SIGKILL": 10, "SIGTERM": 3, "SIGSTOP": 3})

    @classmethod
    def of(cls, sizes: tuple[int, ...], environment: Mapping[str, str] = os.environ) -> Scale:
        """Return the scale that the environment asks for: LARGE adds a million, QUICK makes the run short."""
        large = LARGE if environment.get("LARGE") else 0
        if not environment.get("QUICK"):
            return cls(sizes, large)
        once = {"SIGKILL": 1, "SIGTERM": 1, "SIGSTOP": 1}
        return cls(sizes, large, (100, 1_000, 2_000), 5, 5, 2, 2, once)

    @property
    def late_size(self) -> int:
        """The number of schedules of the longest measurement."""
        return self.late_sizes[len(self.late_sizes) // 2]

    @property
    def middle(self) -> int:
        """The size at which other databases, hooks, RabbitMQ and processes are measured."""
        return min(10_000, max(self.sizes))
