"""The counters of one Beat since its start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Numbers that only grow while Beat runs; ``reload_seconds`` is the time that all reloads took together.

    ``refused`` counts attempts: a message that the broker refuses for now is tried again. ``given_up`` are messages
    that can never be sent. ``unsure`` are messages that the broker may have received before the connection broke.
    """

    sent: int = 0
    refused: int = 0
    given_up: int = 0
    unsure: int = 0
    passed_over: int = 0
    lease_losses: int = 0
    reloads: int = 0
    reload_seconds: float = 0.0
