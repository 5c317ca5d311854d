"""Runs the code of another package within bounds: what it raises, how long it takes, and what it returns."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from functools import partial
from types import FrameType
from typing import TypeGuard, TypeVar

from schedsync.core.finding import Finding
from schedsync.core.names import shortened
from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule

_T = TypeVar("_T")
#: More findings of one rule help nobody.
MOST_FOUND = 10_000
#: In characters, of a message or a hint.
_LONGEST = 1_000
#: In seconds: how long a rule may take, and how much longer for each schedule.
_LEAST_TIME, _TIME_EACH = 10.0, 0.001


class RuleError(Exception):
    """The code of another package did what a rule must not do: the message says what."""


class _TookTooLong(BaseException):
    """The time is over. Not an ``Exception``, so that the code that it interrupts does not catch it by mistake."""


#: By code and kind: the time of the command in which a rule failed, and how. A review asks a rule for each file.
_failures: dict[tuple[str, str], tuple[datetime, str]] = {}


def each_of(rule: Rule, context: Context) -> tuple[list[Found], list[Finding]]:
    """Return what a rule of another package finds in the schedules one by one, and a finding if it fails."""
    return _run(rule, "each", partial(_each_in_turn, rule.each), context) if rule.each else ([], [])


def whole_of(rule: Rule, context: Context) -> tuple[list[Found], list[Finding]]:
    """Return what a rule of another package finds in all schedules together, and a finding if it fails."""
    return _run(rule, "whole", rule.whole, context) if rule.whole else ([], [])


def _each_in_turn(each: Callable[[Schedule, Context], Iterable[Found]], context: Context) -> Iterator[Found]:
    for schedule in context.schedules:
        try:
            yield from each(schedule, context)
        except Exception as error:
            raise RuleError(f"{_words(error)}, at `{schedule.name}`") from error


def _run(
    rule: Rule, kind: str, find: Callable[[Context], Iterable[Found]], context: Context
) -> tuple[list[Found], list[Finding]]:
    failed_at, failure = _failures.get((rule.code, kind), (None, ""))
    problems: list[Found] = []
    if failed_at != context.now:
        seconds = _LEAST_TIME + _TIME_EACH * len(context.schedules)
        try:
            bounded(lambda: _collect(find(context), problems, context, time.monotonic() + seconds), seconds)
        except RuleError as error:
            failure = str(error)
            _failures[rule.code, kind] = context.now, failure
        else:
            return problems, []
    hint = f'correct the rule; `ignore = ["{rule.code}"]` under `[lint]` turns it off'
    return problems, [Finding("SS190", f"rule `{rule.code}` of {rule.package} failed: {failure}", None, hint)]


def _collect(found: Iterable[Found], problems: list[Found], context: Context, end: float) -> None:
    known = set(map(id, context.schedules))
    for problem in found:
        if wrong := _wrong(problem, known):
            raise RuleError(wrong)
        if len(problems) == MOST_FOUND:
            raise RuleError(f"it found more than {MOST_FOUND:,} problems")
        if time.monotonic() > end:
            raise _TookTooLong
        problems.append(problem)


def _wrong(problem: object, known: Container[int]) -> str | None:
    """Return what is wrong with a problem that a rule found, None where nothing is."""
    if not isinstance(problem, Found):
        return f"it gave a `{type(problem).__name__}` instead of a `Found`"
    if id(problem.schedule) not in known:
        return "it gave a `Found` without one of the schedules"
    if not is_line(problem.message) or not (problem.hint is None or is_line(problem.hint)):
        return f"it gave a message or a hint that is not one line of at most {_LONGEST:,} characters"
    if not (problem.key is None or isinstance(problem.key, str)):
        return "it gave a key that is not text"
    if not isinstance(problem.names, tuple) or not all(isinstance(name, str) for name in problem.names):
        return "it gave names that are not a tuple of texts"
    return None


def is_line(text: object) -> bool:
    """Say whether a value is text of one line, and neither empty nor very long."""
    return is_text(text) and 0 < len(text) <= _LONGEST and text.splitlines() == [text]


def is_text(text: object) -> TypeGuard[str]:
    """Say whether a value is text that can be written as UTF-8."""
    return isinstance(text, str) and not any("\ud800" <= character <= "\udfff" for character in text)


def bounded(call: Callable[[], _T], seconds: float) -> _T:
    """Return what a function of another package returns; raises RuleError where it fails or takes too long.

    What it prints goes to stderr: stdout is for our own data.
    """
    try:
        with redirect_stdout(sys.stderr), _time_limit(seconds):
            return call()
    except RuleError:
        raise
    except _TookTooLong:
        raise RuleError(f"it took more than {seconds:.0f} s") from None
    except (Exception, SystemExit) as error:
        raise RuleError(_words(error)) from error


def _words(error: BaseException) -> str:
    kind = type(error).__name__
    try:
        text = shortened(error, 200)
    except Exception:
        return kind
    return f"{kind}: {text}" if text else kind


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the block after a time, where a signal can: in the main thread, and not on Windows."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _interrupt)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    started = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            # The process had an alarm of its own.
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - started)), interval)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise _TookTooLong
