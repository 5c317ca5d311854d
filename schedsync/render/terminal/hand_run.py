"""Runs by hand, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from schedsync.core.hand_run import PastRun, PastTick, SentNow
from schedsync.core.timing import moment
from schedsync.render.terminal.paint import Paint
from schedsync.render.words import counted, printable


def sent_now(sent: SentNow, paint: Paint) -> str:
    """Say that a message was sent, and with which id."""
    note = f"\n  {paint('note', 'yellow')} {printable(sent.note)}" if sent.note else ""
    return f"{paint('sent', 'green')} {printable(sent.name)} as task {sent.task_id}{note}"


def past_run(run: PastRun, paint: Paint, *, dry_run: bool) -> str:
    """Say what became of the ticks of the past; a dry run lists them."""
    lines = [*_listed(run.ticks, paint)] if dry_run else []
    lines.append(_dry(run) if dry_run else _outcome(run, paint))
    lines += [f"  {paint('note', 'yellow')}  {printable(sentence)}" for sentence in run.notes]
    lines += [f"  unknown  {printable(sentence)}" for sentence in run.unknown]
    if not dry_run and run.left:
        first = run.left[0]
        lines.append(f"Left: {_ticks(len(run.left))}, first {printable(first.name)} of {moment(first.tick)} UTC")
        lines.append(f"To go on: schedsync run {printable(run.words)}")
    return "\n".join(lines)


def _listed(ticks: Iterable[PastTick], paint: Paint) -> Iterable[str]:
    for tick in ticks:
        yield f"{moment(tick.tick)} UTC  {printable(tick.name)}  {paint(tick.task_id, 'dim')}"


def _dry(run: PastRun) -> str:
    return f"Would send {_ticks(len(run.ticks))}{_left_out(run)}; nothing was sent"


def _outcome(run: PastRun, paint: Paint) -> str:
    if run.stopped:
        return f"{paint('STOPPED', 'red')}  {printable(run.stopped)}\nSent {_ticks(run.sent)}{_left_out(run)}"
    if run.before and not run.ticks:
        return f"Nothing is left: run {run.run[:8]} has sent {_ticks(run.before)}; `--again` sends them again"
    if not run.ticks and not run.known and run.notes:
        return "Nothing to send"
    if not run.ticks and not run.known:
        return "Nothing to send: the schedules have no tick in that time"
    return f"Sent {_ticks(run.sent)} in run {run.run[:8]}{_left_out(run)}"


def _left_out(run: PastRun) -> str:
    earlier = f"; an earlier call has sent {run.before:,}" if run.before else ""
    return earlier + (f"; left out {run.known:,} that {_were(run.known)} already sent" if run.known else "")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _ticks(count: int) -> str:
    return counted(count, "tick")
