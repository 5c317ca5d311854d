"""The key ``monitor``: what a service is to watch of a schedule."""

from __future__ import annotations

from collections.abc import Mapping

from schedsync.core.monitor import DEFAULT_RUNTIME, LONGEST, SHORTEST, Monitor, monitor_text, unwatchable
from schedsync.core.timing import Timing, TimingError, duration
from schedsync.files.node import Node
from schedsync.files.reporter import Reporter


def read_monitor(
    fields: Mapping[str, Node],
    shown: str,
    timing: Timing,
    reporter: Reporter,
    *,
    one_off: bool,
    max_runtime: int | None,
) -> str | None:
    """Return the monitor of a schedule as canonical JSON; None if it has none, or, with a finding, an invalid one.

    ``max_runtime`` is that of the schedule, in seconds: the monitor's default.
    """
    node = fields.get("monitor")
    if node is None or node.value is False or not isinstance(node.value, (bool, dict)):
        return None
    if reason := unwatchable(timing, one_off=one_off):
        message, hint = f"no service can watch `{shown}`: it {reason}", "leave out `monitor`, or write `monitor: false`"
        reporter.finding("SS139", message, node.at(reporter.path), hint)
        return None
    given = node.value if isinstance(node.value, dict) else {}
    runtime = min(max(max_runtime or DEFAULT_RUNTIME, SHORTEST), LONGEST)
    default = Monitor(max_runtime=runtime)
    seconds = [_seconds(given.get(key), key, getattr(default, key), reporter) for key in Monitor._fields]
    return monitor_text(Monitor(*seconds))


def _seconds(node: Node | None, key: str, default: int, reporter: Reporter) -> int:
    """Return a time in seconds, the default where it is not given or, with a finding, not valid."""
    if node is None or not isinstance(node.value, str):
        return default
    try:
        microseconds = duration(node.value)
    except TimingError as error:
        reporter.finding("SS133", error.message, node.at(reporter.path), error.hint)
        return default
    seconds, rest = divmod(microseconds, 10**6)
    if rest or not SHORTEST <= seconds <= LONGEST:
        message = (
            f"`{node.value}` is not a valid `{key}` of a monitor: whole seconds, at least 1 minute, at most 28 days"
        )
        reporter.finding("SS133", message, node.at(reporter.path))
        return default
    return seconds
