"""The files of a soak as they change: which schedules there are, and how a push changes or breaks them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

CONFIG = "[safety]\nmax_stops = 100\nmax_stop_percent = 100\n"
STEADY = [f"steady-{number}" for number in range(5)]
MOVED = [f"moved-{number}" for number in range(3)]
PAUSED = [f"paused-{number}" for number in range(2)]
EDITED = [f"edited-{number}" for number in range(3)]
_BROKEN = (
    "version: [\n",
    "  x: {task: t, every: 1 parsec}\n",
    "  x: {task: t}\n",
    "  steady-0: {task: t, every: 1s}\n",
)


@dataclass
class Files:
    """The schedules that the next good push has; ``earlier`` are those of pushes before, the newest last."""

    chance: random.Random
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    earlier: list[str] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        for name in (*STEADY, *MOVED, *PAUSED, *EDITED, "roamer-v0"):
            self.schedules[name] = {"every": "1s" if name in STEADY else "2s"}

    def text(self) -> str:
        lines = [f"  {name}: {json.dumps(_whole(values))}\n" for name, values in self.schedules.items()]
        return "version: 1\nschedules:\n" + "".join(lines)

    def change(self) -> str:
        """Change a timing or an argument, rename, add or remove; returns in words what was done."""
        self._number += 1
        kind = self.chance.choice(["timing", "timing", "kwargs", "rename", "add", "remove"])
        name = self.chance.choice(MOVED)
        if kind == "timing":
            self.schedules[name]["every"] = self.chance.choice(["1s", "2s", "3s"])
        elif kind == "kwargs":
            self.schedules[name]["number"] = self._number
        elif kind == "rename":
            self._rename()
        elif kind == "add":
            self.schedules[f"comer{self._number}"] = {"every": "2s"}
        elif kind == "remove":
            comers = [known for known in self.schedules if known.startswith("comer")]
            for known in comers[:1]:
                del self.schedules[known]
        return kind

    def _rename(self) -> None:
        name = next(known for known in self.schedules if known.startswith("roamer"))
        values = self.schedules.pop(name)
        self.schedules[f"roamer-v{self._number}"] = values | {"renamed_from": name}

    def broken(self) -> str:
        return self.text() + self.chance.choice(_BROKEN)


def _whole(values: dict[str, Any]) -> dict[str, Any]:
    number = values.get("number", 0)
    others = {key: value for key, value in values.items() if key != "number"}
    return {"task": "shop.tasks.report", "kwargs": {"kind": f"number {number}"}, "missed_runs": "all", **others}
