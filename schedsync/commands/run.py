"""``schedsync run``: send a schedule's message now, or for ticks of the past."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click

from schedsync.calendar.clock_times import ClockTime
from schedsync.commands.django import set_up
from schedsync.commands.help import LIFT
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    format_option,
    gather,
    is_typed,
    option,
    verb,
)
from schedsync.commands.output import report, show
from schedsync.commands.parameters import Clock, Rate, SentRate, WholeNumber
from schedsync.commands.selectors import Selected, selector_options
from schedsync.commands.terminal import progress_line
from schedsync.core.hand_run import MOST_TICKS, PastRun
from schedsync.core.selector import Selector
from schedsync.errors import SchedsyncError, WrongUsage
from schedsync.render.programs import hand_run as hand_run_json
from schedsync.render.terminal import hand_run

_INTERRUPTED = 130
#: Options that say how to send ticks of the past.
_OF_THE_PAST = {"until": "to", "missing": "missing", "rate": "rate", "dry_run": "dry-run", "again": "again"}


class JsonOption(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A JSON list or object."""

    name = "json"

    def __init__(self, kind: type, words: str) -> None:
        self.kind, self.words = kind, words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; any other text is wrong usage."""
        if isinstance(value, self.kind):
            return value
        try:
            parsed = json.loads(value, parse_constant=self._refuse)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, self.kind):
            self.fail(f"it takes {self.words}", param, ctx)
        return parsed

    @staticmethod
    def _refuse(word: str) -> Any:
        raise ValueError(word)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One call of ``run``; without ``since`` the schedules are sent now."""

    args: list[Any] | None
    kwargs: dict[str, Any] | None
    since: ClockTime | None
    until: ClockTime | None
    missing: bool
    rate: SentRate | None
    most: int
    again: bool
    dry_run: bool
    allow_paused: bool
    environment: str | None

    @property
    def span(self) -> tuple[ClockTime, ClockTime] | None:
        """The time whose ticks to send, or None for a run now; raises WrongUsage where options contradict."""
        if self.since is None:
            for name, flag in _OF_THE_PAST.items():
                if is_typed(name):
                    raise WrongUsage(f"`--{flag}` needs `--from`", hint="give `--from INSTANT --to INSTANT`")
            return None
        if self.until is None:
            raise WrongUsage("`--from` needs `--to`", hint="give the end of the time, such as `--to 03:00`")
        if self.args is not None or self.kwargs is not None:
            message = "`--args` and `--kwargs` are of one run now, ticks of the past have their schedule's own"
            raise WrongUsage(message, hint="leave them out, or leave out `--from`")
        return self.since, self.until

    def further(self, database: DatabaseOptions) -> list[str]:
        """Return the words of the command line that a call needs to go on, beside those of what it sends."""
        words = ["--allow-paused"] if self.allow_paused else []
        words += ["-e", self.environment] if self.environment else []
        return words + (["--database", database.database] if database.database else [])


@verb("Send a schedule's message now, or for ticks of the past.")
@selector_options("Every schedule, rows that nobody manages too.")
@gather(
    "request",
    RunRequest,
    option("--args", type=JsonOption(list, "a JSON list, such as '[1]'"), metavar="JSON",
           help="Positional arguments in place of the schedule's own."),
    option("--kwargs", type=JsonOption(dict, "a JSON object, such as '{\"day\": 1}'"), metavar="JSON",
           help="Keyword arguments in place of the schedule's own."),
    option("--from", "since", type=Clock(), metavar="INSTANT",
           help="Send the ticks from this instant on, instead of one run now."),
    option("--to", "until", type=Clock(), metavar="INSTANT", help="Send the ticks before this instant, which is past."),
    option("--missing", is_flag=True, help="Leave out ticks that a claim, the journal or a result knows as sent."),
    option("--rate", type=Rate(), metavar="N/UNIT", help="Send at most this many, such as 10/m; units are s, m and h."),
    option("--max", "most", type=WholeNumber(1), default=MOST_TICKS, show_default=True, metavar="N",
           help="Send up to N messages."),
    option("--again", is_flag=True, help="Send ticks again that an earlier call with the same arguments has sent."),
    option("--dry-run", is_flag=True, help="List the ticks, and send none."),
    option("--allow-paused", heading=LIFT, is_flag=True, help="Send although everything or the schedule is paused."),
    environment_option,
)  # fmt: skip
@database_options
@format_option("json")
def run(selected: Selected, request: RunRequest, database: DatabaseOptions, format_: str) -> int:
    """Send the message of each selected schedule now, as Beat would, with an id of its own.

    With --from and --to it sends the ticks of that time by the schedule's own timing, under the ids that Beat gives
    them, the oldest first. A call that was stopped goes on where it was if it is given again. INSTANT has an offset,
    or is a time in the schedule's zone: `2026-11-27 02:00`, `2026-11-27`, or `02:00` for the last such time.

    Beat is not disturbed: it sends what falls due as before. What is sent is written into the audit record.
    """
    selector = selected.required("run")
    span = request.span
    using = set_up(database)
    if span is None:
        return _run_now(using, selector, request, format_)
    return _Past(selector, *span, request, request.further(database)).run(using, format_)


def _run_now(using: str, selector: Selector, request: RunRequest, format_: str) -> int:
    from schedsync.usecases.run import NowRequest
    from schedsync.usecases.run import run as run_now

    sent, error = [], None
    now = NowRequest(selector, request.args, request.kwargs, request.environment, request.allow_paused, request.most)
    try:
        for each in run_now(using, now):
            sent.append(each)
            if format_ != "json":
                show(lambda paint, each=each: hand_run.sent_now(each, paint))  # type: ignore[misc]
    except SchedsyncError as failure:
        if not sent or format_ != "json":
            raise
        error = failure
    if format_ == "json":
        click.echo(hand_run_json.sent_now(sent, error))
    return error.exit_code if error else 0


@dataclass(frozen=True, slots=True)
class _Past:
    """A call for ticks of the past; ``further`` are the words of the command line beside those of what it sends."""

    selector: Selector
    since: ClockTime
    until: ClockTime
    request: RunRequest
    further: Sequence[str]

    def run(self, using: str, format_: str) -> int:
        """Send the ticks, and say what became of them; returns the exit code."""
        done, error = self._send(using)
        dry_run = self.request.dry_run
        if format_ == "json":
            click.echo(hand_run_json.past_run(done, error, dry_run=dry_run))
        else:
            show(lambda paint: hand_run.past_run(done, paint, dry_run=dry_run))
        if error is None:
            return _INTERRUPTED if done.stopped else 0
        if format_ != "json" and error.hint:
            report(error, format_)
        return error.exit_code

    def _send(self, using: str) -> tuple[PastRun, SchedsyncError | None]:
        from schedsync.usecases.run_past import PastOptions, TypedPast, run_past

        request, rate = self.request, self.request.rate or SentRate()
        typed = TypedPast(
            self.selector, self.since, self.until, request.missing, request.most, rate.text, rate.gap, request.again
        )
        with _stopping() as wait, progress_line() as progress:
            options = PastOptions(request.environment, request.allow_paused, request.dry_run, wait, progress)
            done, error = run_past(using, typed, options)
        return replace(done, options=self.further), error


@contextmanager
def _stopping() -> Iterator[Callable[[float], bool]]:
    """Let Ctrl-C end the work between two messages; gives a function that waits, and says whether to stop."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.wait
        return

    def end(*_: Any) -> None:
        # The second one ends it at once.
        signal.signal(signal.SIGINT, before)
        # This thread may be inside `wait`, with the lock that `set` needs.
        threading.Thread(target=stop.set).start()

    before = signal.signal(signal.SIGINT, end)
    try:
        yield stop.wait
    finally:
        signal.signal(signal.SIGINT, before)
