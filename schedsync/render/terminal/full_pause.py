"""The pause of everything, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schedsync.core.full_pause import FullyPaused
from schedsync.planning.converter import full_pause_document
from schedsync.render.programs.json_ import dump
from schedsync.render.words import counted, printable


def stopped_text(pause: FullyPaused, at: datetime, beats: Iterable[str], trouble: Iterable[str]) -> str:
    """Say that everything is paused, and what goes on nevertheless."""
    names, warnings = list(beats), list(trouble)
    lines = [_sentence(pause, at)]
    if names:
        lines.append(f"{counted(len(names), 'Beat')} obey{'s' if len(names) == 1 else ''} within two seconds")
    if not names:
        lines.append("No Beat of schedsync's own is running. Stock Beat cannot be paused: it goes on with all rows")
    elif warnings:
        lines.append("Stock Beat cannot be paused: where it runs, it goes on with all rows, managed or not")
    return "\n".join([*lines, *(f"  {printable(warning)}" for warning in warnings)])


def stopped_json(pause: FullyPaused, beats: Iterable[str], trouble: Iterable[str]) -> str:
    """Write the same for programs."""
    document: dict[str, Any] = {"version": 1, **full_pause_document(pause)}
    return dump(document | {"beats": list(beats), "trouble": list(trouble)})


def resumed_text(*, catch_up: bool, still_paused: int) -> str:
    """Say that everything runs again, and what becomes of the ticks of the pause."""
    meanwhile = "what fell due meanwhile counts as missed" if catch_up else "what fell due meanwhile is not sent"
    lines = [f"Everything runs again; {meanwhile}"]
    if still_paused:
        have = "has a pause of its own, which goes on" if still_paused == 1 else "have pauses of their own, which go on"
        lines.append(f"{counted(still_paused, 'schedule')} {have}")
    return "\n".join(lines)


def _sentence(pause: FullyPaused, at: datetime) -> str:
    text = printable(pause.text(at))
    return f"{text[:1].upper()}{text[1:]}"
