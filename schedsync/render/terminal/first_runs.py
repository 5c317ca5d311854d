"""The first runs after an apply as text for a terminal."""

from __future__ import annotations

from schedsync.core.first_run import BAD, FirstRuns, FirstRunVerdict
from schedsync.render.first_runs import counts_text, rollout_line, run_lines
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import printable


def first_runs(value: FirstRuns, paint: Paint = plain) -> str:
    """Write how many first runs ended well, and each that did not."""
    head = f"First runs: {counts_text(value)}"
    lines = [paint(head, "red" if value.bad else "green")]
    lines += [_styled(verdict, f"  {printable(line)}", paint) for verdict, line in run_lines(value)]
    if end := rollout_line(value):
        lines.append(paint(printable(end), "yellow"))
    return "\n".join(lines)


def _styled(verdict: FirstRunVerdict, line: str, paint: Paint) -> str:
    if verdict in BAD:
        return paint(line, "red")
    return paint(line, "yellow") if verdict is FirstRunVerdict.UNKNOWN else line
