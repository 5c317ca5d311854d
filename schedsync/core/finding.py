"""A finding: one problem at one place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from schedsync.core.location import Location

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: a stable code, a message of one line, the place, and the remedy where there is one.

    ``names`` are all schedules that it is about, where it is about several and the message only counts them.
    ``environments`` are those that have it, where others that were checked have it not. ``schedule`` is the name of the
    only schedule that it is about, as the file has it, where that is known; findings that differ only there are equal.
    """

    code: str
    message: str
    location: Location | None = None
    hint: str | None = None
    severity: Severity = "error"
    names: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    schedule: str | None = field(default=None, compare=False)


#: Every code with its meaning. A code is never used again for another meaning.
CODES: Mapping[str, str] = {
    "SS101": "the file cannot be read",
    "SS102": "the file is not UTF-8",
    "SS103": "the file is not YAML",
    "SS104": "a limit is exceeded: size, nesting, or values behind aliases",
    "SS105": "a symbolic link leaves the directory",
    "SS106": "a mapping has the same key twice",
    "SS107": "an explicit YAML tag",
    "SS108": "several documents in one file",
    "SS109": "a value that JSON cannot hold",
    "SS110": "a number with leading zeros",
    "SS111": "a key that is not text",
    "SS112": "an ignore comment that names no rule",
    "SS113": "a mask of a secret, `***`, written as a value",
    "SS114": "a Git LFS pointer instead of the file",
    "SS115": "a merge conflict",
    "SS116": "a set that is too large: schedules, files, text, or entries of a Git tree",
    "SS120": "an unknown key",
    "SS121": "a value of the wrong type",
    "SS122": "a key is missing",
    "SS123": "a value outside what the format allows",
    "SS130": "not exactly one of `crontab`, `every`, `solar` and `at`",
    "SS131": "an invalid crontab",
    "SS132": "a crontab that can never fire",
    "SS133": "an invalid interval",
    "SS135": "an invalid solar event",
    "SS136": "an invalid instant",
    "SS137": "an unknown time zone",
    "SS138": "a schedule that Celery refuses",
    "SS139": "options that exclude each other",
    "SS140": "an invalid name",
    "SS141": "a name that the set defines twice",
    "SS142": "names that differ only in case",
    "SS143": "a name that belongs to Beat itself",
    "SS144": "an unknown environment",
    "SS145": "a name under `removed` that the set still defines",
    "SS146": "an invalid `renamed_from`",
    "SS147": "names that some databases take for one",
    "SS150": "an invalid `for_each`",
    "SS151": "a placeholder that cannot be filled",
    "SS152": "a source of `for_each` that gives no values",
    "SS153": "schedules that are not known here: only the application knows the values of their source",
    "SS160": "a completed schedule: its only instant, or its end, has passed",
    "SS161": "an announcement that is done and can be removed",
    "SS162": "schedsync cannot tell which commit is newer: a shallow clone, or no Git",
    "SS163": "a removal and a create that look like a rename",
    "SS164": "an apply would be refused",
    "SS165": "a submodule, which a review does not read",
    "SS166": "a secret that cannot be compared with a snapshot",
    "SS167": "schedules that are not compared: their files have errors",
    "SS168": "a change of the configuration, of guarantees or of what is reported, that a reviewer must see",
    "SS169": "an entry of `[[safety.allow]]` that has ended and can be removed",
    "SS170": "a refusal that the configuration lifts",
    "SS171": "a task that is not allowed",
    "SS172": "a queue that is not allowed",
    "SS173": "a schedule that starts more often than is allowed",
    "SS174": "an invalid setting of schedsync",
    "SS176": "a schedule that is taken over from another set",
    "SS177": "a name under `removed` or `renamed_from` whose row this set does not manage, so that it stays",
    "SS178": "files that differ from the commit that they are applied as",
    "SS179": "a set that `--all` or `--changed` could not handle; the message is the error",
    "SS180": "a freeze: nothing is applied until it ends",
    "SS181": "a freeze that never ends, because its windows leave no gap: nothing could ever be applied",
    "SS182": "a file that is not in canonical form",
    "SS183": "a file that `fmt` leaves as it is, because its meaning would change",
    "SS184": "schedules that were rolled back: an apply leaves them alone until their files change",
    "SS190": "rules of another package that cannot be used, or that failed",
    "SS191": "a code under `[lint]` that no rule has, neither ours nor that of an installed package",
    "SS201": "a time that daylight saving skips at the next change of the clock",
    "SS202": "a time that occurs twice at the next change of the clock",
    "SS203": "a crontab that restricts both the day of the month and the day of the week",
    "SS204": "a step that does not divide what it counts in: the hour, the day, the week, the month or the year",
    "SS205": "an interval under a second, or starts that are closer together than the task's time limit",
    "SS206": "more than `max_starts` schedules that start in the same minute",
    "SS207": "a schedule that runs each minute or more often, and whose messages never expire",
    "SS208": "`expires_after` longer than the time to the next run",
    "SS209": "a one-off with a recurring timing and no `start_at`",
    "SS210": "an `at` that `start_at` or `expires_at` contradicts",
    "SS211": "an `at` or an `expires_at` that has passed",
    "SS212": "a value in `args`, `kwargs` or `headers` that looks like a secret",
    "SS213": "a queue that neither the configuration nor the application knows",
    "SS214": "`enabled: false` without a `disabled_reason`",
    "SS215": "a schedule without an `owner`",
    "SS216": "two schedules with the same task, the same arguments and the same timing",
    "SS217": "options that Celery silently drops or overwrites",
    "SS218": "a schedule that a known fault of django-celery-beat runs at the wrong time",
    "SS219": "a task that the application does not register",
    "SS220": "`args` and `kwargs` that do not fit the task's signature",
    "SS221": "a key that only schedsync's own Beat supports",
    "SS222": "a change after which a schedule runs at least ten times as often",
    "SS223": "a crontab with an open minute, hour or day below a narrow field",
    "SS224": "a sun event that never happens at that place, or coordinates that look swapped",
    "SS225": "a day from 29 to 31 that some of its months do not have",
    "SS226": "`expires_after` shorter than a message may wait in its queue",
    "SS301": "`USE_TZ` is off",
    "SS302": "`DJANGO_CELERY_BEAT_TZ_AWARE` is off",
    "SS303": "an unknown `CELERY_TIMEZONE`",
    "SS304": "a short `beat_cron_starting_deadline`",
    "SS305": "an installed version with a known fault",
    "SS306": "a managed name is also defined in `CELERY_BEAT_SCHEDULE`",
    "SS307": "Beat does not use the database scheduler",
    "SS308": "schedules that `CELERY_BEAT_SCHEDULE` defines, and no set manages",
    "SS309": "a setting of the metrics cannot be used",
    "SS310": "migrations are missing",
    "SS311": "rights are missing",
    "SS312": "the change row is missing",
    "SS313": "`overlap: skip` without `track_runs`",
    "SS314": "the setting of the alarms cannot be used",
    "SS320": "a row that stops Beat",
    "SS321": "a row that never runs",
    "SS322": "a row that fails at every send",
    "SS323": "a time zone that this machine does not know",
    "SS330": "duplicate schedule rows",
    "SS331": "orphaned schedule rows",
    "SS332": "a name in the ledger whose row is missing",
    "SS333": "a row with a value that its column cannot have",
    "SS334": "a row of schedsync's own tables that cannot be read",
    "SS335": "rows that nobody manages",
    "SS340": "a database of another environment",
    "SS341": "a database on another server than when it was bound",
    "SS345": "monitors that could not be compared with their service",
}

#: The lint rules, which the configuration and comments can switch off. SS222 is a review's alarm: nothing silences it.
RULE_CODES = tuple(code for code in CODES if code.startswith("SS2") and code != "SS222")

#: The codes of other packages' rules. Those that begin with SS are ours.
PACKAGE_CODE = re.compile(r"(?!SS)[A-Z]{2,10}[0-9]{1,4}\Z", re.ASCII)

#: A comparison takes time by the square of the length. No known word is longer than this.
_LONGEST_WORD = 250


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a word is near to, or None where none is near."""
    if len(word) > _LONGEST_WORD:
        return None
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the nearest known word, or None where none is near."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


def most_severe_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings by severity; those of one severity keep their order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def has_errors(findings: Iterable[Finding], *, strict: bool = False) -> bool:
    """Say whether any finding fails the command: an error, with ``strict`` also a warning."""
    failing = {"error", "warning"} if strict else {"error"}
    return any(finding.severity in failing for finding in findings)


def naming_environments(by_environment: Mapping[str | None, Iterable[Finding]]) -> dict[Finding, Finding]:
    """Return for each finding the same with the environments that have it, unless all of them have it."""
    having: dict[Finding, list[str | None]] = {}
    for environment, findings in by_environment.items():
        for finding in dict.fromkeys(findings):
            having.setdefault(finding, []).append(environment)
    return {
        finding: replace(finding, environments=tuple(filter(None, names)) if len(names) < len(by_environment) else ())
        for finding, names in having.items()
    }


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, each once, sorted by place; those without a place come first.

    A finding of several schedules, as at an anchor, is of none of them alone.
    """
    once: dict[Finding, Finding] = {}
    for finding in findings:
        known = once.setdefault(finding, finding)
        if known.schedule != finding.schedule:
            once[finding] = replace(known, schedule=None)
    return sorted(
        once.values(),
        key=lambda finding: (finding.location or ("", 0, 0), finding.code, finding.message),
    )
