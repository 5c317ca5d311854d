"""``apply --watch``: waits for the first runs of the schedules that were changed, and says how they end."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schedsync.commands.options import option
from schedsync.commands.output import say, show
from schedsync.commands.parameters import Seconds
from schedsync.commands.terminal import progress_line
from schedsync.core.first_run import FirstRuns
from schedsync.core.names import first_names
from schedsync.errors import SchedsyncError
from schedsync.render.first_runs import counts_text, run_line
from schedsync.render.terminal.first_runs import first_runs
from schedsync.render.words import printable

if TYPE_CHECKING:
    from schedsync.usecases.target import Target

#: In seconds, where neither the command line nor the configuration says it.
_WATCH = 600.0
#: The value of the option without a time.
_AS_CONFIGURED = -1.0
#: How many names, and runs that are not good, are said at a time; the summary says more.
_NAMED = 5

watch_option = option(
    "--watch",
    type=Seconds(),
    is_flag=False,
    flag_value=_AS_CONFIGURED,
    default=None,
    metavar="[DURATION]",
    help="Wait until the first runs of the changed schedules end, 10m without a time; exit 6 if one fails.",
)


@dataclass
class _Said:
    """Says of each run once how it ended, on lines of their own."""

    _names: set[str] = field(default_factory=set)

    def add(self, value: FirstRuns) -> None:
        """Say what is new."""
        new = [run for run in value.runs if not run.is_open() and run.name not in self._names]
        self._names |= {run.name for run in new}
        bad = [run for run in new if run in value.bad]
        for run in bad[:_NAMED]:
            say(printable(run_line(run)))
        good = [run.name for run in new if run not in value.bad and run.tick is not None]
        if good:
            say(printable(f"first runs known: {first_names(good, _NAMED)}"))


def watched(target: Target, seconds: float | None, run: uuid.UUID | None, *, format_: str) -> FirstRuns | None:
    """Watch the first runs after a run, and return what is known of them in the end.

    None where nothing was written, or without ``seconds`` to watch them. Text for people is written here, after the
    lines of progress.
    """
    if seconds is None:
        if run is not None and target.config.rollout is not None:
            say("First runs are not waited for: an agent looks at them, or `schedsync apply --watch` does")
        return None
    try:
        return _watched(target, seconds, run, format_)
    except SchedsyncError as error:
        said = f"committed as run {run}, but the" if run else "the"
        say(f"{said} first runs are not known: {printable(error.message)}")
        return None


def _watched(target: Target, seconds: float, run: uuid.UUID | None, format_: str) -> FirstRuns | None:
    from schedsync.usecases.first_runs import watch_until
    from schedsync.usecases.first_runs import watched as watch
    from schedsync.usecases.rollout import RolloutReport, look, unfinished_run

    rules = target.config.rollout
    # An apply without changes goes on with the rollout of an earlier one.
    run = run or unfinished_run(target)
    if run is None:
        return None
    if seconds == _AS_CONFIGURED:
        seconds = rules.watch.total_seconds() if rules else _WATCH
    said, reports = _Said(), list[RolloutReport]()
    with progress_line() as progress:

        def note(known: FirstRuns) -> bool:
            if progress.is_shown:
                progress(f"watching first runs, Ctrl-C ends it: {counts_text(known)}")
            else:
                said.add(known)
            report = look(target, say, known) if rules is not None else None
            if report is not None and report.rollout.run == run:
                reports.append(report)
            return any(report.is_bad for report in reports)

        found = watch(target.using, run, watch_until(seconds), note)
    found = reports[-1].first_runs if reports else found
    if format_ == "text":
        show(lambda paint: first_runs(found, paint))
    return found
