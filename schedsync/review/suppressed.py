"""Findings that a change keeps from its reviewer: by the `[lint]` of its configuration, or by its comments (SS168)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schedsync.core.application import Application
from schedsync.core.finding import Finding, Severity
from schedsync.core.names import counted
from schedsync.core.schedule import Desired, Schedule
from schedsync.files.one_file import ReadFile
from schedsync.lint import all_rules, lint, lint_each, lint_whole
from schedsync.lint.rule import Context, Options, Rule
from schedsync.review.novelty import Owners, new_findings
from schedsync.review.shown import CHANGED_SAFEGUARD
from schedsync.review.side import Side

_RANKS: Mapping[Severity, int] = {"info": 0, "warning": 1, "error": 2}
#: More ignored findings of one rule are counted.
_SHOWN = 5


@dataclass
class Suppressed:
    """The findings that the head hides, and that the base's configuration and comments would show."""

    before: Side
    after: Side
    now: datetime
    application: Application | None
    #: By code, without their severities: all that are hidden or weaker, and those of them that are new.
    hidden: dict[str, set[Finding]] = field(default_factory=dict)
    hidden_new: dict[str, set[Finding]] = field(default_factory=dict)
    by_comments: dict[Finding, None] = field(default_factory=dict)

    def _context(self, schedules: Iterable[Schedule], options: Options) -> Context:
        return Context(tuple(schedules), self.now, options, self.application)

    @property
    def _options(self) -> tuple[Options, Options]:
        return self.before.config.lint, self.after.config.lint

    def compare(
        self,
        environment: str | None,
        desired: tuple[Desired, Desired],
        fresh: Sequence[ReadFile],
        gone: Sequence[ReadFile],
    ) -> None:
        """Look at one environment; ``fresh`` and ``gone`` are the files that only one side has."""
        owners = [
            Owners({file.path: file.schedule_lines for file in side.reading.files})
            for side in (self.before, self.after)
        ]
        ignored = [
            self._ignored(files, side, schedules, environment)
            for files, side, schedules in zip((gone, fresh), (self.before, self.after), desired, strict=True)
        ]
        newly = new_findings(ignored[0], owners[0], ignored[1], owners[1])
        self.by_comments |= dict.fromkeys(finding for finding in ignored[1] if finding in newly)
        if self.before.there and self._options[0] != self._options[1]:
            self._compare_options(desired, owners)

    def _ignored(
        self, files: Sequence[ReadFile], side: Side, desired: Desired, environment: str | None
    ) -> list[Finding]:
        """Return the findings that comments in files ignore, by the head's configuration."""
        found: list[Finding] = []
        codes: set[str] = set()
        for file in files:
            if file.ignores:
                context = self._context(file.part(environment).schedules, self._options[1])
                found += lint_each(context, {file.path: file.ignores}, ignored=True)
                codes.update(*file.ignores.values())
        rules = all_rules()
        if any(rules[code].whole for code in codes & rules.keys()):
            context = self._context(desired.schedules.values(), self._options[1])
            found += lint_whole(context, side.reading.ignores, ignored=True)
        return found

    def _compare_options(self, desired: tuple[Desired, Desired], owners: Sequence[Owners]) -> None:
        old, new = self._options
        earlier, by_old, by_new = (
            lint(self._context(schedules.schedules.values(), options), side.reading.ignores)
            for schedules, options, side in (
                (desired[0], old, self.before),
                (desired[1], old, self.after),
                (desired[1], new, self.after),
            )
        )
        ranks = {_plain(finding): _RANKS[finding.severity] for finding in by_new}
        weaker = [finding for finding in by_old if ranks.get(_plain(finding), -1) < _RANKS[finding.severity]]
        fresh = new_findings(earlier, owners[0], by_old, owners[1])
        for finding in weaker:
            self.hidden.setdefault(finding.code, set()).add(_plain(finding))
            if finding in fresh:
                self.hidden_new.setdefault(finding.code, set()).add(_plain(finding))

    def findings(self) -> Iterator[Finding]:
        """Yield what the configuration hides, and then the comments."""
        if self.before.there:
            for message, codes in _option_changes(*self._options):
                yield Finding(CHANGED_SAFEGUARD, f"{message}{self._count(codes)}", self.after.place, None, "warning")
        by_code: dict[str, list[Finding]] = {}
        for finding in self.by_comments:
            by_code.setdefault(finding.code, []).append(finding)
        for code, found in by_code.items():
            for finding in found[:_SHOWN]:
                message = f"a comment in the file ignores {code} ({all_rules()[code].name}): {finding.message}"
                yield Finding(CHANGED_SAFEGUARD, message, finding.location, finding.hint, "warning")
            if len(found) > _SHOWN:
                more = f"comments ignore {counted(len(found) - _SHOWN, 'more finding')} of {code} not ignored before"
                yield Finding(CHANGED_SAFEGUARD, more, found[_SHOWN].location, None, "warning")

    def _count(self, codes: Iterable[str]) -> str:
        count, new = (sum(len(found.get(code, ())) for code in codes) for found in (self.hidden, self.hidden_new))
        return f"; that concerns {count:,} finding{'' if count == 1 else 's'}, {new:,} of them new" if count else ""


def _plain(finding: Finding) -> Finding:
    return replace(finding, severity="info")


def _option_changes(old: Options, new: Options) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield messages about what changes in `[lint]`, and the codes of the rules."""
    for code, rule in all_rules().items():
        was, will = rule.chosen(old), rule.chosen(new)
        if was != will:
            yield f"rule {code} ({rule.name}) is switched {'on' if will else 'off'} in `[lint]`", (code,)
        elif will and _severity(rule, old) != _severity(rule, new):
            severities = f"from {_severity(rule, old)} to {_severity(rule, new)}"
            yield f"findings of {code} ({rule.name}) change {severities}", (code,)
    if old.max_starts != new.max_starts:
        yield f"`[lint] max_starts` changes from {old.max_starts} to {new.max_starts}", ("SS206",)
    if set(old.queues) != set(new.queues):
        added, removed = (
            _listed(sorted(names)) for names in (set(new.queues) - set(old.queues), set(old.queues) - set(new.queues))
        )
        yield f"`[lint] queues` changes: {added or 'none'} added, {removed or 'none'} removed", ("SS213",)
    yield from _wait_changes(old.queue_waits, new.queue_waits)


def _wait_changes(old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield a message for each queue whose wait changes; the findings that all of them hide are counted at the last."""
    changed = [queue for queue in sorted({*old, *new}) if old.get(queue) != new.get(queue)]
    for queue in changed:
        was, will = (_wait(waits.get(queue)) for waits in (old, new))
        message = f"`[lint.queue_waits]` of `{queue}` changes from {was} to {will}"
        yield message, ("SS226",) if queue == changed[-1] else ()


def _wait(seconds: int | None) -> str:
    return "none" if seconds is None else f"{seconds:,} s"


def _severity(rule: Rule, options: Options) -> Severity:
    return options.severities.get(rule.code, rule.severity)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
