"""Alarms as text for any service: nothing in it is taken for markup, a mention or a link."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence

from schedsync.core.alarm import URGENT, Alarm, Kind, Letter, Noted, Phase
from schedsync.core.names import and_more
from schedsync.core.secrets import masked

#: How many subjects one letter names.
NAMED = 10
#: In characters: many services refuse longer texts.
_LONGEST_NAME, _LONGEST_TEXT, _LONGEST_TITLE = 80, 200, 120
#: Control characters, those that turn the writing direction, halves of pairs, and the ends of lines.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Characters that Markdown, HTML or a mention would use, and what is sent for them.
_HARMLESS = str.maketrans(
    {"`": "'", "*": "∗", "<": "‹", ">": "›", "[": "(", "]": ")", "@": "＠", "|": "¦", "~": "∼", "&": "＆", "\\": "/"}
)
_ONE = {
    Kind.NO_LEADER: "nobody leads: no task is sent",
    Kind.OVERDUE: "{} is overdue",
    Kind.FAILING: "{} is failing",
    Kind.CLOCK: "the clock of {} is wrong",
    Kind.DRIFT: "{} was changed behind Git's back",
    Kind.APPLY_FAILED: "apply of the set {} failed",
    Kind.PAUSE_ENDING: "the pause of {} ends soon",
    Kind.LEADER_CHANGED: "another Beat leads: {}",
    Kind.FIRST_RUN: "a first run after an apply of the set {} failed",
}
_MANY = {
    **_ONE,
    Kind.OVERDUE: "{} schedules are overdue",
    Kind.FAILING: "{} schedules are failing",
    Kind.CLOCK: "the clocks of {} Beats are wrong",
    Kind.DRIFT: "{} schedules were changed behind Git's back",
    Kind.APPLY_FAILED: "applies of {} sets failed",
    Kind.PAUSE_ENDING: "{} pauses end soon",
    Kind.FIRST_RUN: "first runs after applies of {} sets failed",
}
_ONE_OVER = {
    Kind.NO_LEADER: "a Beat leads again",
    Kind.OVERDUE: "{} is no longer overdue",
    Kind.FAILING: "{} is no longer failing",
    Kind.CLOCK: "the clock of {} is right again",
    Kind.DRIFT: "{} is as in Git again",
    Kind.APPLY_FAILED: "the set {} is applied",
}
_MANY_OVER = {
    **_ONE_OVER,
    Kind.OVERDUE: "{} schedules are no longer overdue",
    Kind.FAILING: "{} schedules are no longer failing",
    Kind.CLOCK: "the clocks of {} Beats are right again",
    Kind.DRIFT: "{} schedules are as in Git again",
    Kind.APPLY_FAILED: "{} sets are applied",
}
#: The command to type, for one subject and for many.
_NEXT = {
    Kind.NO_LEADER: ("schedsync status", "schedsync status"),
    Kind.OVERDUE: ("schedsync why {}", "schedsync status"),
    Kind.FAILING: ("schedsync why {}", "schedsync status"),
    Kind.CLOCK: ("schedsync status", "schedsync status"),
    Kind.DRIFT: ("schedsync drift", "schedsync drift"),
    Kind.APPLY_FAILED: ("schedsync plan", "schedsync plan"),
    Kind.PAUSE_ENDING: ("schedsync why {}", "schedsync list"),
    Kind.LEADER_CHANGED: ("schedsync status", "schedsync status"),
    Kind.FIRST_RUN: ("schedsync history", "schedsync history"),
}


def harmless(text: str, most: int = _LONGEST_TEXT) -> str:
    """Return text on one line in which no service finds markup, a mention or a link; secrets are masked."""
    hidden = str(masked(text[: 4 * most]))
    line = "".join("\N{REPLACEMENT CHARACTER}" if _is_invisible(character) else character for character in hidden)
    line = line.translate(_HARMLESS).replace("://", ": //")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE


def letter(phase: Phase, alarms: Sequence[Alarm | Noted], environment: str | None) -> Letter:
    """Return one letter for alarms of one kind; ``environment`` is the one that this process names, or None."""
    kind = alarms[0].kind
    subjects = [alarm.subject for alarm in alarms]
    title = _title(phase, kind, subjects)
    lines = [_line(alarm) for alarm in alarms[:NAMED]] if len(alarms) > 1 or _has_text(alarms[0]) else []
    if more := and_more(len(alarms), NAMED):
        lines.append(f"…{more}")
    if phase is not Phase.OVER:
        lines.append(f"Next: {_command(kind, subjects)}")
    return Letter(_headed(title, environment), "\n".join(lines) or title, phase, kind, _keys(alarms))


def trial_letter(environment: str | None, who: str) -> Letter:
    """Return the letter of ``doctor --notify``."""
    body = f"{harmless(who)} asked for it by: schedsync doctor --notify"
    return Letter(_headed("this is a test, all is well", environment), body, Phase.TEST)


def _headed(title: str, environment: str | None) -> str:
    head = f"schedsync {harmless(environment, 40)}" if environment else "schedsync"
    text = f"{head}: {title}"
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"


def _title(phase: Phase, kind: Kind, subjects: Sequence[str]) -> str:
    one, many = (_ONE_OVER, _MANY_OVER) if phase is Phase.OVER else (_ONE, _MANY)
    title = one[kind].format(harmless(subjects[0], _LONGEST_NAME))
    if len(subjects) > 1:
        title = many[kind].format(f"{len(subjects):,}")
    return f"still: {title}" if phase is Phase.REPEATED else title


def _has_text(alarm: Alarm | Noted) -> bool:
    return isinstance(alarm, Alarm) and bool(alarm.text)


def _line(alarm: Alarm | Noted) -> str:
    name = harmless(alarm.subject, _LONGEST_NAME)
    return f"- {name}: {harmless(alarm.text)}" if isinstance(alarm, Alarm) and alarm.text else f"- {name}"


def _command(kind: Kind, subjects: Sequence[str]) -> str:
    """Return the command to type; a name that is not sent as it is cannot be typed either."""
    one, many = _NEXT[kind]
    name = subjects[0]
    is_as_sent = len(subjects) == 1 and harmless(name, _LONGEST_NAME) == name
    return one.format(shlex.quote(name)) if is_as_sent else many


def _keys(alarms: Sequence[Alarm | Noted]) -> tuple[str, ...]:
    return tuple(alarm.key for alarm in alarms)


def is_urgent(sent: Letter) -> bool:
    """Say whether a letter is about tasks that do not run."""
    return sent.kind in URGENT and sent.phase is not Phase.OVER
