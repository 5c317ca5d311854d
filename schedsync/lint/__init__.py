"""The lint rules, one a file and listed here by hand, and how they are run.

The room is pure: it imports calendar, errors and core, and no Django, Celery or YAML. Only ``packages`` looks at what
is installed. Begin with ``rule``, which says what a rule is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from schedsync.core.finding import PACKAGE_CODE, Finding, Severity
from schedsync.core.location import Location
from schedsync.lint import (
    arguments,
    both_days,
    can_pile_up,
    clocked_limits,
    disabled_without_reason,
    doubled_time,
    dropped,
    early_expiry,
    herd,
    installed_fault,
    late_expiry,
    never_happens,
    one_off,
    open_minute,
    own_beat,
    owner_missing,
    past,
    secret,
    short_months,
    skipped_time,
    too_frequent,
    twice,
    uneven_step,
    unknown_queue,
    unregistered_task,
)
from schedsync.lint.guard import each_of, whole_of
from schedsync.lint.packages import package_rules
from schedsync.lint.rule import Context, Found, Options, Rule

RULES: Mapping[str, Rule] = {
    rule.code: rule
    for rule in (
        skipped_time.RULE,
        doubled_time.RULE,
        both_days.RULE,
        uneven_step.RULE,
        too_frequent.RULE,
        herd.RULE,
        can_pile_up.RULE,
        late_expiry.RULE,
        one_off.RULE,
        clocked_limits.RULE,
        past.RULE,
        secret.RULE,
        unknown_queue.RULE,
        disabled_without_reason.RULE,
        owner_missing.RULE,
        twice.RULE,
        dropped.RULE,
        installed_fault.RULE,
        unregistered_task.RULE,
        arguments.RULE,
        own_beat.RULE,
        open_minute.RULE,
        never_happens.RULE,
        short_months.RULE,
        early_expiry.RULE,
    )
}

#: By path and line, the codes that a comment there ignores.
Ignores = Mapping[str, Mapping[int, frozenset[str]]]


def lint(context: Context, ignores: Ignores) -> list[Finding]:
    """Return the chosen rules' findings, but those that a comment at their line, or their schedule's, ignores."""
    return [*lint_each(context, ignores), *lint_whole(context, ignores)]


def all_rules() -> Mapping[str, Rule]:
    """Return our own rules, then those of other packages."""
    return {**RULES, **package_rules().rules}


def lint_each(context: Context, ignores: Ignores, *, ignored: bool = False) -> list[Finding]:
    """Return the findings of the rules that look at one schedule at a time; they stay the same for a day.

    With ``ignored`` these are instead the findings that a comment ignores.
    """
    findings: list[Finding] = []
    for rule in all_rules().values():
        if rule.each is None or not rule.chosen(context.options):
            continue
        report, each = _reporter(rule, context, ignores, findings.append, ignored=ignored), rule.each
        if rule.package is None:
            for schedule in context.schedules:
                report(each(schedule, context))
        else:
            problems, failures = each_of(rule, context)
            report(problems)
            findings += [] if ignored else failures
    return findings


def lint_whole(context: Context, ignores: Ignores, *, ignored: bool = False) -> list[Finding]:
    """Return the findings of the rules that look at all schedules together, or those that a comment ignores."""
    findings: list[Finding] = []
    for rule in all_rules().values():
        if rule.whole is None or not rule.chosen(context.options):
            continue
        report = _reporter(rule, context, ignores, findings.append, ignored=ignored)
        problems, failures = whole_of(rule, context) if rule.package else (rule.whole(context), [])
        report(problems)
        findings += [] if ignored else failures
    return findings


def lint_packages(options: Options, ignores: Ignores) -> list[Finding]:
    """Return what is wrong with the rules of other packages, and the codes that no rule has."""
    rules = all_rules()
    findings = list(package_rules().problems)
    named = (("select", options.select or ()), ("extend_select", options.extend_select), ("ignore", options.ignore))
    for key, codes in (*named, ("severity", options.severities)):
        severity: Severity = "warning" if key == "ignore" else "error"
        for code in codes:
            if not any(each == code or (key != "severity" and each.startswith(code)) for each in rules):
                message = f"`lint.{key}`: no rule `{code}`"
                findings.append(Finding("SS191", message, options.place, _INSTALL, severity))
    for path, lines in ignores.items():
        for line, written in lines.items():
            for code in sorted(code for code in written.difference(rules) if PACKAGE_CODE.match(code)):
                place = Location(path, line, 1)
                findings.append(Finding("SS112", f"no rule `{code}` to ignore", place, _INSTALL, "warning"))
    return findings


_INSTALL = "install the package that has it; `schedsync rules` lists the rules"


def _reporter(
    rule: Rule, context: Context, ignores: Ignores, add: Callable[[Finding], None], *, ignored: bool
) -> Callable[[Iterable[Found]], None]:
    severity = context.options.severities.get(rule.code, rule.severity)

    def report(problems: Iterable[Found]) -> None:
        for problem in problems:
            place = problem.schedule.at(problem.key)
            lines = ignores.get(place.path, {})
            at_lines = (place.line, problem.schedule.location.line)
            if any(rule.code in lines.get(line, ()) for line in at_lines) is ignored:
                # A value of the file's defaults is no schedule's own.
                is_own = not problem.names and place.line >= problem.schedule.location.line
                name = problem.schedule.name_in_file if is_own else None
                add(Finding(rule.code, problem.message, place, problem.hint, severity, problem.names, schedule=name))

    return report


_NEEDS_APPLICATION = (
    "This rule compares with the application. Give it a snapshot (`--against`); for queues the configuration is enough."
)


def explained(rule: Rule) -> Iterator[str]:
    """Yield the lines of a rule's page, as Markdown."""
    yield from (f"# {rule.code}: {rule.name}", "", f"{_sentence(rule.summary)} Severity: {rule.severity}.", "")
    if rule.package:
        yield from (f"This rule is from the package {rule.package}.", "")
    if rule.opt_in:
        yield from ("This rule is off by default. Turn it on with `extend_select` under `[lint]`.", "")
    if rule.needs_application:
        yield from (_NEEDS_APPLICATION, "")
    for text in filter(None, (rule.why, rule.remedy)):
        yield from (text, "")
    for words, example in (("Finds:", rule.bad), ("Passes:", rule.good)):
        if example:
            yield from (words, "", "```yaml", *example.strip().splitlines(), "```", "")
    yield f"To ignore this rule in one place, write `# schedsync: ignore[{rule.code}]` at the end of that line."


def _sentence(text: str) -> str:
    first = text[0] if text.startswith("`") else text[0].upper()
    return f"{first}{text[1:]}."
